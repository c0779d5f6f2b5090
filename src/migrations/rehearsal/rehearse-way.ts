import type { Executor } from "../../executor/executor.ts";
import { CONFLICTS, lockRank, type LockMode } from "../../plan/lock.ts";
import { segment } from "../../plan/segment.ts";
import type { Lock, Plan, Step } from "../../plan/step.ts";
import { backwardAction, forwardAction, locksOf, sqlOf, type Action } from "../../run/action.ts";
import { marker } from "../../run/context.ts";
import { undoActions } from "../../plan/reverse.ts";
import { compareWithDeclared, type ComparedStep } from "../../run/measure/declared-locks.ts";
import { meterLocks, type LockMeter, type MeasuredLock } from "../../run/measure/measure-locks.ts";
import type { Report } from "../../run/report.ts";
import type { RehearsedLock, RehearsedStep, RehearsedWay } from "./rehearsal.ts";
import { watchWork, type Work, type WorkWatch } from "./watch-work.ts";

/** What ran: its plan, whether by its steps or by their undo, and what became of it. */
export interface Walked {
  readonly plan: Plan;
  readonly direction: "apply" | "undo";
  readonly report: Report;
  /** Whether its steps declare the locks that they hold to the last one, so that they are compared. */
  readonly declares: boolean;
}

/** One way of a plan, as it was measured. */
export interface MeasuredWay {
  readonly way: RehearsedWay;
  readonly report: Report;
  /** Where a step holds other locks than it declares. */
  readonly undeclared: readonly ComparedStep[];
}

/** Runs one way of a plan, and measures each of its statements. */
export async function rehearseWay(
  db: Executor,
  runSchema: string,
  walk: (metered: Executor) => Promise<Walked>,
): Promise<MeasuredWay> {
  const work = watchWork(runSchema);
  const meter = meterLocks(db, runSchema, work);
  const { plan, direction, report, declares } = await walk(meter.executor);
  const isDone = report.outcome === (direction === "apply" ? "applied" : "undone");
  const steps = (direction === "apply" ? forward : backward)(plan, report, meter, work);
  const compared =
    isDone && declares ? await compareWithDeclared(db, plan, direction, report, meter) : [];
  return {
    way: { outcome: isDone ? "done" : "failed", steps },
    report,
    undeclared: compared.filter(({ problems }) => problems.length > 0),
  };
}

type Placed = Pick<Step, "kind"> & {
  readonly step: Step;
  readonly action: Action | undefined;
  readonly transaction?: string;
};

function forward(plan: Plan, report: Report, meter: LockMeter, work: WorkWatch) {
  const placed = plan.steps.map((step): Placed => {
    if (step.kind !== "sql" && step.kind !== "check")
      return { kind: step.kind, step, action: undefined };
    const { transaction } = step;
    return { kind: step.kind, step, action: forwardAction(step), transaction };
  });
  return stepsOf(plan, placed, report, "applied", meter, work);
}

function backward(plan: Plan, report: Report, meter: LockMeter, work: WorkWatch) {
  const ran = new Set(report.steps.filter(({ state }) => state !== "skipped").map(({ id }) => id));
  const placed = undoActions(plan.steps.filter(({ id }) => ran.has(id)))
    .filter(({ statement }) => statement !== undefined)
    .map((undone): Placed => {
      const { step, kind, transaction } = undone;
      return { kind, step, action: backwardAction(undone), transaction };
    });
  return stepsOf(plan, placed, report, "unapplied", meter, work);
}

function stepsOf(
  { name: planName }: Plan,
  placed: readonly Placed[],
  report: Report,
  done: "applied" | "unapplied",
  { measured }: LockMeter,
  { seen }: WorkWatch,
): readonly RehearsedStep[] {
  const states = new Map(report.steps.map(({ id, state }) => [id, state]));
  const { failure } = report;
  return segment(placed).flatMap(({ steps }) => {
    let before: readonly MeasuredLock[] = [];
    return steps.flatMap(({ step, action }): RehearsedStep[] => {
      const state = states.get(step.id);
      if (state === "skipped") return [];
      const at = marker({ planName }, step.id).trim();
      const held = measured.get(at);
      const failedHere = failure?.step === step.id;
      const rehearsed: RehearsedStep = {
        id: step.id,
        title: step.title,
        kind: step.kind,
        sql: action === undefined ? null : (sqlOf(action) ?? null),
        state: failedHere ? "failed" : state === done ? "done" : "notRun",
        failure: failedHere ? failureText(failure) : null,
        locks:
          held === undefined
            ? declaredLocks(action === undefined ? [] : locksOf(action))
            : measuredLocks(held, before),
        measured: held !== undefined || (action !== undefined && locksOf(action).length === 0),
        ...(seen.get(at) ?? NO_WORK),
      };
      before = held ?? before;
      return [rehearsed];
    });
  });
}

const NO_WORK: Work = { rewritten: [], scanned: [], changed: [] };

function failureText({ message, sqlState }: NonNullable<Report["failure"]>): string {
  return sqlState === undefined ? message : `${message} (SQLSTATE ${sqlState})`;
}

/** The locks on what was there before; of an index only where it is locked more strongly than its table. */
function measuredLocks(
  held: readonly MeasuredLock[],
  before: readonly MeasuredLock[],
): readonly RehearsedLock[] {
  const rankOf = (list: readonly MeasuredLock[], schema: string, name: string) =>
    Math.max(
      -1,
      ...list
        .filter((lock) => lock.schema === schema && lock.name === name)
        .map(({ mode }) => lockRank(mode)),
    );
  return held
    .filter(({ created }) => !created)
    .filter(
      ({ schema, table, mode }) => table === null || rankOf(held, schema, table) < lockRank(mode),
    )
    .map(({ schema, name, mode }) => ({
      schema,
      name,
      mode,
      blocks: blockedBy(mode),
      before: rankOf(before, schema, name) >= lockRank(mode),
    }))
    .sort((a, b) => lockRank(b.mode) - lockRank(a.mode) || (a.name < b.name ? -1 : 1));
}

function declaredLocks(locks: readonly Lock[]): readonly RehearsedLock[] {
  return locks.map(({ schema, name, mode }) => ({
    schema,
    name,
    mode,
    blocks: blockedBy(mode),
    before: false,
  }));
}

/** Who has to wait: SELECT takes ACCESS SHARE, INSERT, UPDATE and DELETE take ROW EXCLUSIVE. */
export function blockedBy(mode: LockMode): RehearsedLock["blocks"] {
  const conflicts = CONFLICTS[mode];
  if (conflicts.includes("accessShare")) return "readers and writers";
  if (conflicts.includes("rowExclusive")) return "writers";
  return conflicts.includes("shareUpdateExclusive") ? "schema changes" : "nobody";
}
