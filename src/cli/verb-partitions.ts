import { explain } from "../plan/explain.ts";
import type { MaintenanceReport } from "../partitioning/maintenance/maintain.ts";
import { sleep } from "../run/backoff.ts";
import { operand, textOption, type Call, type Verb } from "./call.ts";
import { everyOption } from "./every-option.ts";
import { EXIT, OUTCOME_EXIT, type ExitCode } from "./exit-code.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect, type OpenDatabase } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { progressTeller } from "./progress.ts";
import { reportText } from "./report-text.ts";
import { runOptions } from "./run-options.ts";
import type { SchemeFile } from "./scheme-file.ts";

/** `underpin partitions maintain FILE`: looks after partitions, once or again and again. */
export const partitionsVerb: Verb = {
  name: "partitions",
  summary: "Look after partitions: make, mend, drain and let go of them",
  operands: [
    { name: "maintain", help: "What is to be done: maintain" },
    { name: "FILE", help: "A module (.ts, .js, .mjs, .cjs) that exports schemes or definitions" },
  ],
  options: ["every", "grace-days", "dry-run", ...DATABASE, ...RUNNING],
  notes:
    "Many hosts may run it: one of them does the work. Its exports `archive` and `handlers` say where rows go before a partition is dropped. For a scheduler: * * * * * underpin partitions maintain FILE",
  run: async (call) => {
    const what = operand(call, 0);
    if (what !== "maintain")
      throw misuse(
        `underpin partitions does not know "${what}"`,
        "underpin partitions maintain FILE",
      );
    // Here, because no other verb needs Drizzle.
    const { readSchemeFile } = await import("./scheme-file.ts");
    const file = await readSchemeFile(operand(call, 1));
    const everyMs = everyOption(call);
    return withDatabase(call, async (database) => {
      for (;;) {
        const exit = await once(call, database, file);
        if (everyMs === undefined) return exit;
        await sleep(everyMs, call.signal).catch(() => {});
        if (call.signal.aborted) return EXIT.done;
      }
    });
  },
};

async function once(
  call: Call,
  { db, executor: { driver } }: OpenDatabase,
  { schemes, archive, handlers }: SchemeFile,
): Promise<ExitCode> {
  const { terminal } = call;
  const json = call.options.json === true;
  const dryRun = call.options["dry-run"] === true;
  const graceDays = graceOption(call);
  const options = await withDirect(call, async (direct) => {
    const onEvent = json ? () => {} : progressTeller(terminal, "begins");
    return runOptions(call, { driver, direct, handlers, onEvent });
  });
  const { maintain } = await import("../partitioning/maintenance/maintain.ts");
  const report = await maintain(db, schemes, {
    ...options,
    dryRun,
    ...(graceDays === undefined ? {} : { graceDays }),
    ...(archive === undefined ? {} : { archive }),
  });
  terminal.out(json ? JSON.stringify(report, null, 2) : textOf(report, call, dryRun));
  if (report.outcome === "busy") return EXIT.done;
  const exit = OUTCOME_EXIT[report.outcome];
  return exit === EXIT.done && report.findings.length > 0 ? EXIT.findings : exit;
}

function textOf(report: MaintenanceReport, { terminal }: Call, dryRun: boolean): string {
  const { planned, findings, outcome } = report;
  const done =
    outcome === "busy"
      ? "another process is at it, nothing to do"
      : planned === undefined
        ? "nothing to do"
        : dryRun
          ? explain(planned)
          : reportText(report, terminal, undefined);
  return [
    done,
    ...findings.map(({ severity, object, message }) => `${severity}: ${object}: ${message}`),
  ].join("\n");
}

function graceOption(call: Call): number | undefined {
  const text = textOption(call, "grace-days");
  if (text === undefined) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  throw misuse(
    `--grace-days is ${JSON.stringify(text)}, not a number of days`,
    "Write a number: --grace-days 7",
  );
}
