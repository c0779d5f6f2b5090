import { describeBlocker } from "../run/blockers.ts";
import type { Failure, Report } from "../run/report.ts";
import { shellWord } from "./shell-word.ts";
import { paint, type Terminal } from "./terminal.ts";

/** What became of a run, with the next command to type. `file` is the plan file, where one was given. */
export function reportText(report: Report, terminal: Terminal, file: string | undefined): string {
  const { plan, outcome, steps, failure, ranHere } = report;
  const counted = steps.filter(({ state }) => state !== "skipped");
  const applied = counted.filter(({ state }) => state === "applied").length;
  const doubtful = counted.filter(({ state }) => state === "inDoubt").map(({ id }) => id);
  const words = ranHere
    ? OUTCOME_WORDS[outcome]
    : (BEFORE_WORDS[outcome] ?? OUTCOME_WORDS[outcome]);
  return [
    `${paint(terminal, "bold", plan)}: ${paint(terminal, COLOUR[outcome], words)}, ${applied} of ${counted.length} steps applied`,
    ...(failure === undefined ? [] : failureLines(failure)),
    ...(doubtful.length === 0
      ? []
      : [`  in doubt (the next run asks the catalog): ${doubtful.join(", ")}`]),
    `next: ${nextCommand(report, file)}`,
  ].join("\n");
}

const OUTCOME_WORDS = {
  applied: "applied",
  undone: "taken back",
  partlyUndone: "partly taken back",
  waiting: "waits at a gate",
  paused: "paused",
  cancelled: "stopped between two statements",
  failed: "failed",
  busy: "another process runs it",
} as const satisfies Record<Report["outcome"], string>;

/** When this call had nothing to do. */
const BEFORE_WORDS: Readonly<Partial<Record<Report["outcome"], string>>> = {
  applied: "was applied before, nothing to do",
  undone: "was taken back before, nothing to do",
};

const COLOUR = {
  applied: "green",
  undone: "green",
  partlyUndone: "green",
  waiting: "cyan",
  paused: "yellow",
  cancelled: "yellow",
  failed: "red",
  busy: "yellow",
} as const;

function failureLines({ step, message, hint, sqlState, sql, blockers }: Failure): string[] {
  return [
    ...(step === undefined ? [] : [`  step:       ${step}`]),
    `  error:      ${indented(message)}`,
    ...(sqlState === undefined ? [] : [`  SQLSTATE:   ${sqlState}`]),
    ...(sql === undefined ? [] : [`  statement:  ${indented(sql)}`]),
    ...(blockers ?? []).map((blocker) => `  blocked by: ${describeBlocker(blocker)}`),
    ...(hint === undefined ? [] : [`  what to do: ${indented(hint)}`]),
  ];
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n              ");
}

function nextCommand({ plan, outcome, steps, failure }: Report, file: string | undefined): string {
  const name = shellWord(plan);
  const goOn = file === undefined ? `underpin resume ${name}` : `underpin apply ${shellWord(file)}`;
  const undo = `underpin undo ${name}`;
  switch (outcome) {
    case "applied":
      return `nothing; take it back with: ${undo}`;
    case "undone":
      return "nothing is left of it but its record; it can be applied again";
    case "waiting": {
      const gate = steps.find(({ state }) => state === "unapplied")?.id ?? "GATE";
      return `make sure of what the gate asks, then: underpin confirm ${name} ${shellWord(gate)} && ${goOn}`;
    }
    case "paused":
      return `underpin resume ${name}`;
    case "partlyUndone":
    case "cancelled":
      return `go on with: ${goOn}   or take it back with: ${undo}`;
    case "failed":
      if (failure?.code === "rowsFailed")
        return `mend those rows, then: underpin backfill retry ${name}   or take it back with: ${undo}`;
      return `mend the cause, then: ${goOn} (it goes on from the failed step)   or take it back with: ${undo}`;
    case "busy":
      return "wait for it: the same command with --when-busy wait";
  }
}
