import { planOfMigration } from "../migrations/runner/plan-of.ts";
import { readFolder } from "../migrations/runner/read-folder.ts";
import { resolveMigration } from "../migrations/runner/resolve-migration.ts";
import { stopping } from "../migrations/runner/folder-finding.ts";
import type { Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { allowOption, folderOption } from "./folder-option.ts";
import { findingLines } from "./migration-text.ts";

/** `underpin check`: looks at a folder without a database. */
export const checkVerb: Verb = {
  name: "check",
  summary:
    "Find what is wrong with a folder of migrations, as two branches that clash; no database",
  operands: [],
  options: ["folder", "allow"],
  notes:
    "Exit code 3 where something would stop a migrate. For a pull request: no database is needed.",
  run: async (call) => {
    const read = readFolder(folderOption(call));
    const { layout, migrations, findings } = read;
    // Every file is read to its end, as migrate would before it runs the first.
    for (const migration of migrations)
      planOfMigration(await resolveMigration(migration), { runSchema: "underpin", tenant: "" });
    const stops = stopping(findings, allowOption(call));
    const { terminal } = call;
    terminal.out(
      call.options.json === true
        ? JSON.stringify(
            { layout, migrations: migrations.map(({ version }) => version), findings },
            null,
            2,
          )
        : [
            ...findingLines(findings, terminal),
            `${migrations.length} migrations (${layout}), ${stops.length === 0 ? "nothing stops a migrate" : `${stops.length} would stop a migrate`}`,
          ].join("\n"),
    );
    return stops.length > 0 ? EXIT.findings : EXIT.done;
  },
};
