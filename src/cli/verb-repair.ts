import { repair } from "../migrations/repair.ts";
import type { Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { folderOption, namesOption } from "./folder-option.ts";
import { findingLines } from "./migration-text.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";

/** `underpin repair`: mends the ledger. */
export const repairVerb: Verb = {
  name: "repair",
  summary: "Mend the ledger: edited files, rows that are gone, what was done by hand; runs no SQL",
  operands: [],
  options: ["folder", "applied", "unapplied", ...DATABASE],
  notes: "It runs no SQL of any migration.",
  run: (call) => {
    const folder = folderOption(call);
    return withDatabase(call, async ({ db }) => {
      const { terminal } = call;
      const report = await repair(db, {
        folder,
        applied: namesOption(call, "applied"),
        unapplied: namesOption(call, "unapplied"),
        ...schemaOption(call),
      });
      const { repaired, findings, next } = report;
      terminal.out(
        call.options.json === true
          ? JSON.stringify(report, null, 2)
          : [
              ...repaired.map(({ version, what }) => `${version}: ${what}`),
              ...(repaired.length === 0 ? ["nothing was to be mended"] : []),
              ...findingLines(findings, terminal),
              next,
            ].join("\n"),
      );
      return report.outcome === "busy" || findings.length > 0 ? EXIT.findings : EXIT.done;
    });
  },
};
