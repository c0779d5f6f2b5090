import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor, Queryable } from "../executor/executor.ts";
import { UnderpinError } from "../errors.ts";
import { lockRank, type LockMode } from "../plan/lock.ts";
import { undoActions } from "../plan/reverse.ts";
import { segment } from "../plan/segment.ts";
import type { Lock, Plan, TransactionRule } from "../plan/step.ts";
import { backwardAction, createsOf, forwardAction, locksOf, type Action } from "../run/action.ts";
import { marker } from "../run/context.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../run/options.ts";
import { readLockBudget } from "../run/preflight.ts";
import { undo } from "../run/undo.ts";
import { meterLocks, type LockMeter, type MeasuredLock } from "./measure-locks.ts";
import { applyThroughGates } from "./through-gates.ts";

/** Where and how a plan is tried. */
export interface ExpectLocksOptions extends RunOptions {
  /** The database to try it on: a scratch one, with the tables that the plan is about. */
  readonly on: DatabaseLike;
}

/** What was measured, step by step. */
export interface MeasuredStep {
  readonly step: string;
  readonly direction: "apply" | "undo";
  readonly locks: readonly MeasuredLock[];
}

/**
 * Applies a plan and takes it back, and throws when a step held other locks than it declares, or another number of them.
 *
 * Locks are read from `pg_locks` inside each step's own transaction. For a statement outside a transaction they are read while
 * it is made to wait, which needs a server: on PGlite such steps are not measured and not returned. Gates are confirmed.
 */
export async function expectLocks(
  plan: Plan,
  { on, ...options }: ExpectLocksOptions,
): Promise<readonly MeasuredStep[]> {
  const steps: MeasuredStep[] = [];
  const problems: string[] = [];
  for (const direction of ["apply", "undo"] as const) {
    const measured = await measureRun(toExecutor(on), plan, direction, options);
    steps.push(...measured.steps);
    problems.push(...measured.problems);
  }
  if (problems.length > 0) throw failed(plan, problems);
  return steps;
}

/** What one way of a plan was measured to lock, and where that is not what it declares. */
export interface MeasuredRun {
  readonly steps: readonly MeasuredStep[];
  readonly problems: readonly string[];
}

/** Applies a plan through its gates, or takes it back, and measures its locks; throws when it does not come to its end. */
export async function measureRun(
  db: Executor,
  plan: Plan,
  direction: "apply" | "undo",
  options: RunOptions,
): Promise<MeasuredRun> {
  const meter = meterLocks(db, options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema);
  const report =
    direction === "apply"
      ? await applyThroughGates(meter.executor, plan, options)
      : await undo(meter.executor, plan, options);
  if (report.outcome !== (direction === "apply" ? "applied" : "undone"))
    throw failed(plan, [`${direction} ended ${report.outcome}: ${report.failure?.message ?? ""}`]);
  const ran = new Set(report.steps.filter(({ state }) => state !== "skipped").map(({ id }) => id));
  const left = plan.steps.filter(({ id }) => ran.has(id));
  const actions: readonly Placed[] =
    direction === "apply"
      ? left.flatMap((step) =>
          step.kind === "sql" || step.kind === "check"
            ? [{ action: forwardAction(step), transaction: step.transaction }]
            : [],
        )
      : undoActions(left).map((undone) => ({
          action: backwardAction(undone),
          transaction: undone.transaction,
        }));
  const found = await compare(db, plan, actions, meter);
  return {
    steps: found.flatMap(({ step, measured }) =>
      measured === undefined ? [] : [{ step, direction, locks: measured }],
    ),
    problems: found.flatMap(({ step, problems }) =>
      problems.map((problem) => `${direction} ${step}: ${problem}`),
    ),
  };
}

/** An action, and where its transaction begins and ends. */
interface Placed {
  readonly action: Action;
  readonly transaction: TransactionRule;
}

interface Found {
  readonly step: string;
  readonly measured: readonly MeasuredLock[] | undefined;
  readonly problems: readonly string[];
}

async function compare(
  db: Queryable,
  { name: planName }: Plan,
  actions: readonly Placed[],
  { measured }: LockMeter,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  const segmentable = actions.map((placed) => ({ ...placed, kind: "sql" as const }));
  for (const { steps } of segment(segmentable)) {
    // A transaction keeps the locks of the steps before.
    const locks: Lock[] = [];
    let creates = 0;
    for (const { action } of steps) {
      locks.push(...locksOf(action));
      creates += createsOf(action);
      const step = action.step.id;
      const held = measured.get(marker({ planName }, step).trim());
      if (action.work.kind !== "statement" || held === undefined) continue;
      found.push({ step, measured: held, problems: await differences(db, locks, creates, held) });
    }
  }
  return found;
}

async function differences(
  db: Queryable,
  locks: readonly Lock[],
  creates: number,
  held: readonly MeasuredLock[],
): Promise<readonly string[]> {
  const declared = await expand(db, locks);
  const problems: string[] = [];
  const seen = new Map<string, LockMode>();
  for (const { schema, name, mode, created, table } of held.filter(({ created }) => !created)) {
    const own = `${schema}.${name}`;
    // An index is locked with its table, no stronger, and needs no words of its own.
    const withTable = table === null ? undefined : declared.get(`${schema}.${table}`);
    if (!declared.has(own) && withTable !== undefined && lockRank(withTable) >= lockRank(mode))
      continue;
    seen.set(own, mode);
    const expected = declared.get(own);
    if (!created && expected !== mode)
      problems.push(`${own}: declared ${expected ?? "nothing"}, measured ${mode}`);
  }
  for (const [name, mode] of declared)
    if (!seen.has(name)) problems.push(`${name}: declared ${mode}, measured nothing`);
  const { lockCount } = await readLockBudget(db, locks);
  const gone = [...declared.keys()].length - (await countPresent(db, declared));
  const count = lockCount + gone + creates;
  // Late minor versions keep ACCESS SHARE on the index of the key that ADD FOREIGN KEY relies on (18.6 does, 18.4 does not).
  const ofKeys = held.filter(
    ({ mode, table, schema }) =>
      mode === "accessShare" &&
      table !== null &&
      declared.get(`${schema}.${table}`) === "shareRowExclusive",
  );
  if (count > held.length || count < held.length - ofKeys.length)
    problems.push(`declared ${count} locks, measured ${held.length}`);
  return problems;
}

/** Declared locks by relation, partitions included, the strongest for each. */
async function expand(
  db: Queryable,
  locks: readonly Lock[],
): Promise<ReadonlyMap<string, LockMode>> {
  const strongest = new Map<string, LockMode>();
  const note = (name: string, mode: LockMode) => {
    const before = strongest.get(name);
    if (before === undefined || lockRank(before) < lockRank(mode)) strongest.set(name, mode);
  };
  for (const { schema, name, mode, partitions } of locks) {
    note(`${schema}.${name}`, mode);
    if (partitions !== true) continue;
    const rows = await db.query<{ name: string }>(
      `WITH RECURSIVE tree AS (
         SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1::text AND c.relname = $2::text
         UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
       SELECT n.nspname || '.' || c.relname AS name FROM tree t
       JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
      [schema, name],
    );
    for (const row of rows) note(row.name, mode);
  }
  return strongest;
}

/** How many of the relations are still there: what the statement dropped was locked too. */
async function countPresent(
  db: Queryable,
  declared: ReadonlyMap<string, LockMode>,
): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `SELECT pg_catalog.count(*)::text AS n FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname || '.' || c.relname IN (SELECT pg_catalog.json_array_elements_text($1::text::json))`,
    [JSON.stringify([...declared.keys()])],
  );
  return Number(row?.n ?? 0);
}

function failed({ name }: Plan, problems: readonly string[]): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `"${name}" does not hold the locks that it declares:\n  ${problems.join("\n  ")}`,
    hint: "Correct the step's `locks` and `creates`: readers of the plan rely on them.",
  });
}
