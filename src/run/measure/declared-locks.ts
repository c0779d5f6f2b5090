import type { Queryable } from "../../executor/executor.ts";
import { lockRank, type LockMode } from "../../plan/lock.ts";
import { undoActions } from "../../plan/reverse.ts";
import { segment } from "../../plan/segment.ts";
import type { Lock, Plan, TransactionRule } from "../../plan/step.ts";
import { backwardAction, createsOf, forwardAction, locksOf, type Action } from "../action.ts";
import { marker } from "../context.ts";
import { readLockBudget } from "../preflight.ts";
import type { Report } from "../report.ts";
import type { LockMeter, MeasuredLock } from "./measure-locks.ts";

/** What a statement of a step was seen to lock, and where that is not what the step declares. */
export interface ComparedStep {
  readonly step: string;
  /** Undefined where it could not be measured. */
  readonly measured: readonly MeasuredLock[] | undefined;
  readonly problems: readonly string[];
}

/** Compares what was measured in one way of a plan with what its steps declare. */
export async function compareWithDeclared(
  db: Queryable,
  plan: Plan,
  direction: "apply" | "undo",
  report: Report,
  meter: LockMeter,
): Promise<readonly ComparedStep[]> {
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
  return compare(db, plan, actions, meter);
}

/** An action, and where its transaction begins and ends. */
interface Placed {
  readonly action: Action;
  readonly transaction: TransactionRule;
}

async function compare(
  db: Queryable,
  { name: planName }: Plan,
  actions: readonly Placed[],
  { measured }: LockMeter,
): Promise<readonly ComparedStep[]> {
  const found: ComparedStep[] = [];
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
