import type { BackfillProgress } from "../run/backfill/backfill-progress.ts";
import { runs, type RunStatus } from "../run/runs.ts";
import type { Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { count, duration } from "./figures.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";
import { hasRunSchema, runSchemaName } from "./run-schema-guard.ts";
import { shellWord } from "./shell-word.ts";

/** `underpin runs`: every run that is or was. */
export const runsVerb: Verb = {
  name: "runs",
  summary: "List every run that is or was, the live ones first",
  operands: [],
  options: DATABASE,
  run: (call) =>
    withDatabase(call, async ({ db, executor, shown }) => {
      const known = await hasRunSchema(executor, runSchemaName(call));
      const all = known ? await runs(db, schemaOption(call)) : [];
      if (call.options.json === true) call.terminal.out(JSON.stringify({ runs: all }, null, 2));
      else
        call.terminal.out(
          all.length === 0 ? `no plan was ever applied to ${shown}` : all.map(runText).join("\n"),
        );
      return EXIT.done;
    }),
};

/** One run, for a person: what it is in, how far, and what to type where somebody must act. */
export function runText(run: RunStatus): string {
  const { name, state, stepsApplied, stepsTotal, phase, nextStep, owner, failure } = run;
  const parts = [
    `${stepsApplied} of ${stepsTotal} steps`,
    ...(phase === "none" ? [] : [`phase ${phase}`]),
    ...(run.rowsBackfilled > 0 ? [`${count(run.rowsBackfilled)} rows backfilled`] : []),
    ...(nextStep === undefined || state === "undone" ? [] : [`next ${nextStep}`]),
    ...(run.pauseRequested && state !== "paused" ? ["pause asked for"] : []),
    ...(owner === undefined ? [] : [`run by ${owner}`]),
    `changed ${run.changedAt}`,
  ];
  const todo = todoOf(run);
  return [
    `${name}: ${state}, ${parts.join(", ")}`,
    ...(run.pauseReason === undefined ? [] : [`  pauses by itself: ${run.pauseReason}`]),
    ...run.backfills.map(backfillText),
    ...(failure === undefined || state === "undone" ? [] : [`  failed: ${failure.message}`]),
    ...(todo === undefined ? [] : [`  next: ${todo}`]),
  ].join("\n");
}

function backfillText(backfill: BackfillProgress): string {
  const { step, rowsChanged, rowsPerSecond, rangesDone, rangesTotal, workers } = backfill;
  const { rowsSetAside, remainingMs } = backfill;
  const parts = [
    `${count(rowsChanged)} rows`,
    `${rangesDone} of ${rangesTotal} range${rangesTotal === 1 ? "" : "s"}`,
    `${workers} worker${workers === 1 ? "" : "s"}`,
    `${count(rowsPerSecond)} rows/s`,
    ...(remainingMs === undefined || rangesDone === rangesTotal
      ? []
      : [
          `about ${duration(remainingMs.likely)} left (${duration(remainingMs.atLeast)} to ${duration(remainingMs.atMost)})`,
        ]),
    ...(rowsSetAside === 0
      ? []
      : [`${count(rowsSetAside)} row${rowsSetAside === 1 ? "" : "s"} set aside`]),
  ];
  return `  ${step}: ${parts.join(", ")}`;
}

function todoOf({ name, state, nextStep, failure }: RunStatus): string | undefined {
  const word = shellWord(name);
  switch (state) {
    case "waiting":
      return `underpin confirm ${word} ${shellWord(nextStep ?? "GATE")} && underpin resume ${word}`;
    case "paused":
    case "stopped":
    case "interrupted":
      return `underpin resume ${word}`;
    case "failed":
      return failure?.code === "rowsFailed"
        ? `mend those rows, then: underpin backfill retry ${word}`
        : `mend the cause, then: underpin resume ${word}`;
    case "undoing":
      return `underpin undo ${word}`;
    case "running":
    case "applied":
    case "undone":
      return undefined;
  }
}
