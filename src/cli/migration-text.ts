import type { Findings } from "../catalog/finding.ts";
import type { MigrationReport } from "../migrations/runner/report.ts";
import type { MigrationStatus } from "../migrations/status.ts";
import { describeBlocker } from "../run/blockers.ts";
import type { Outcome } from "../run/report.ts";
import type { Call } from "./call.ts";
import { EXIT, OUTCOME_EXIT, type ExitCode } from "./exit-code.ts";
import { paint, type Terminal } from "./terminal.ts";

/** Prints a report of the runner, and says how the process ends. */
export function tellMigrations({ terminal, options }: Call, report: MigrationReport): ExitCode {
  terminal.out(
    options.json === true ? JSON.stringify(report, null, 2) : reportText(report, terminal),
  );
  return OUTCOME_EXIT[report.outcome];
}

function reportText(report: MigrationReport, terminal: Terminal): string {
  const { applied, takenBack, left, findings, failure, next } = report;
  return [
    ...applied.map((version) => `${paint(terminal, "green", "applied")}     ${version}`),
    ...takenBack.map((version) => `${paint(terminal, "green", "taken back")}  ${version}`),
    ...findingLines(findings, terminal),
    ...(failure === undefined
      ? []
      : [
          `${paint(terminal, "red", "failed")}      ${failure.version}`,
          ...(failure.step === undefined ? [] : [`  step:       ${failure.step}`]),
          `  error:      ${failure.message}`,
          ...(failure.sqlState === undefined ? [] : [`  SQLSTATE:   ${failure.sqlState}`]),
          ...(failure.sql === undefined ? [] : [`  statement:  ${failure.sql}`]),
          ...(failure.blockers ?? []).map((one) => `  blocked by: ${describeBlocker(one)}`),
          ...(failure.hint === undefined ? [] : [`  what to do: ${failure.hint}`]),
        ]),
    ...(left.length === 0 ? [] : [`left:       ${left.join(", ")}`]),
    `${WORDS[report.outcome]}. ${next}`,
  ].join("\n");
}

const WORDS: Readonly<Record<Outcome, string>> = {
  applied: "All that was asked for is applied",
  undone: "All that was asked for is taken back",
  partlyUndone: "A part is taken back",
  waiting: "It waits at a gate",
  paused: "It is paused",
  cancelled: "It was stopped between two statements",
  failed: "It failed",
  busy: "Another process migrates",
};

/** Findings, one or more lines each. */
export function findingLines(findings: Findings, terminal: Terminal): readonly string[] {
  return findings.map(
    ({ severity, check, message }) =>
      `${paint(terminal, severity === "error" ? "red" : "yellow", severity)} ${check}: ${message}`,
  );
}

/** Prints how far a database is. Findings are told by the exit code. */
export function tellStatus({ terminal, options }: Call, found: MigrationStatus): ExitCode {
  const { applied, pending, imported, unfinished, findings } = found;
  if (options.json === true) terminal.out(JSON.stringify(found, null, 2));
  else
    terminal.out(
      [
        ...applied.map(
          ({ version, appliedAt, appliedBy, way, partOf }) =>
            `applied  ${version}  ${appliedAt} by ${appliedBy}${way === "applied" ? "" : ` (${way})`}${partOf === null ? "" : `, now part of ${partOf}`}`,
        ),
        ...imported.map(
          (version) =>
            `applied  ${version}  by Drizzle's own migrator: the next migrate writes it down`,
        ),
        ...pending.map((version) => `pending  ${version}`),
        ...findingLines(findings, terminal),
        pending.length > 0 || unfinished.length > 0
          ? "next: underpin migrate"
          : "nothing is pending",
      ].join("\n"),
    );
  return findings.length > 0 ? EXIT.findings : EXIT.done;
}
