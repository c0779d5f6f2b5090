import { UnderpinError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { BackfillStep, Json } from "../../plan/step.ts";
import { isCancelled, marker, type WorkContext } from "../context.ts";
import { StepFailed } from "../failure.ts";
import { showAllRows } from "../row-security.ts";
import { transactionSettingsSql } from "../settings.ts";
import {
  changeSql,
  givenColumns,
  keepSql,
  pageSql,
  readRowsSql,
  VERSION,
  writeRowsSql,
  type TransformStep,
} from "./batch-sql.ts";
import { KEY_TEXTS, type Key } from "./key-sql.ts";
import {
  keyOf,
  leaseUntil,
  mayChangeSql,
  rangesOf,
  refuseUnlessOurs,
  type BackfillId,
  type ClaimedRange,
  type MayChange,
} from "./ranges.ts";

/** One backfill step as this process works at it. */
export interface BackfillWork {
  readonly context: WorkContext;
  readonly step: BackfillStep;
  readonly id: BackfillId;
}

/** What a batch came to. */
export interface BatchDone {
  readonly changed: number;
  readonly reached: Key | null;
  /** Nothing is left of the range. */
  readonly done: boolean;
}

/** The rows of a batch could not be changed: which they are, and why. */
export class BatchFailed extends Error {
  readonly batchFailed = true;
  /** How many rows the batch had. */
  readonly seen: number;
  /** The key of its last row. */
  readonly last: Key;
  readonly sql: string;
  /** Whose failure it is: what a handler of the host cannot reach is no lost connection of ours. */
  readonly origin: "database" | "host";

  constructor(
    { seen, last, sql }: Pick<BatchFailed, "seen" | "last" | "sql">,
    cause: unknown,
    origin: BatchFailed["origin"] = "database",
  ) {
    super("the rows of a batch could not be changed", { cause });
    this.origin = origin;
    this.seen = seen;
    this.last = last;
    this.sql = sql;
  }
}

/** Whether the rows of a batch could not be changed. */
export function isBatchFailed(error: unknown): error is BatchFailed {
  return typeof error === "object" && error !== null && "batchFailed" in error;
}

/** Changes one page of a range and keeps how far it came, in one transaction. */
export function changeBatch(
  work: BackfillWork,
  range: ClaimedRange,
  size: number,
): Promise<BatchDone> {
  const { context, step } = work;
  return isTransform(step)
    ? transformBatch({ ...work, step }, range, size)
    : context.executor.transaction((tx) => changeIn(tx, work, range, size));
}

async function changeIn(
  tx: Queryable,
  work: BackfillWork,
  range: ClaimedRange,
  size: number,
): Promise<BatchDone> {
  const { step } = work;
  await begin(tx, work, range);
  const page = pageSql(step, { reached: range.reached, upper: range.upper, size });
  const [row] = await sent(tx, work, page);
  const seen = Number(row?.["seen"] ?? 0);
  const last = keyOf((row?.["last"] as string | null | undefined) ?? null);
  if (last === null) return endRange(tx, work, range);
  const done = seen < size;
  const sql = changeSql(step, { reached: range.reached, last });
  return keep(tx, work, { range, sql, seen, last, done });
}

type TransformWork = BackfillWork & {
  readonly step: TransformStep;
};

/** More than a page can get while its rows are computed. */
const NO_LIMIT = 1_000_000;

/**
 * The handler computes while nothing is locked and no transaction is open. Then the rows are locked, and those that somebody changed
 * meanwhile, few if any, are computed again as they are now: the writer's value is what the handler is given.
 */
async function transformBatch(
  work: TransformWork,
  range: ClaimedRange,
  size: number,
): Promise<BatchDone> {
  const { executor } = work.context;
  const { step } = work;
  const rows = await executor.transaction(async (tx) => {
    await begin(tx, work, range);
    return sent(tx, work, readRowsSql(step, { ...range, size }, false));
  });
  const last = keyIn(step, rows.at(-1));
  const computed = last === null ? [] : await compute(work, rows, last);
  return executor.transaction(async (tx) => {
    await begin(tx, work, range);
    if (last === null) return endRange(tx, work, range);
    const page = { reached: range.reached, upper: last, size: NO_LIMIT };
    const locked = await sent(tx, work, readRowsSql(step, page, true));
    const before = new Map(rows.map((row, at) => [nameIn(step, row), { row, at }]));
    const isAsRead = (row: Row) => before.get(nameIn(step, row))?.row[VERSION] === row[VERSION];
    const changed = locked.filter((row) => !isAsRead(row));
    const given = [
      ...locked.filter(isAsRead).flatMap((row) => {
        const at = before.get(nameIn(step, row))?.at;
        const result = at === undefined ? undefined : computed[at];
        return result == null ? [] : [result];
      }),
      ...(await compute(work, changed, last)).filter((row) => row !== null),
    ];
    return keep(tx, work, {
      range,
      sql: writeRowsSql(step),
      parameters: [JSON.stringify(given.map((row) => asGiven(step, row)))],
      seen: rows.length,
      last,
      done: rows.length < size,
    });
  });
}

type Row = Readonly<Record<string, unknown>>;

/** Hands rows to the handler; the row that it returns for each, in their order, null where it returns none. */
async function compute(
  { context, step }: TransformWork,
  rows: readonly Row[],
  last: Key,
): Promise<readonly (Row | null)[]> {
  if (rows.length === 0) return [];
  const { handler: name } = step.transform;
  const handler = context.handlers[name];
  const shown = rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([column]) => column !== VERSION)),
  );
  try {
    const returned: unknown = await handler?.run(shown as Json, {
      executor: context.executor,
      signal: context.signal,
    });
    const known = new Set(rows.map((row) => nameIn(step, row)));
    const byName = new Map(asRows(name, returned).map((row) => [nameIn(step, row), row]));
    for (const each of byName.keys())
      if (!known.has(each))
        throw wrongRows(name, `a row of the key ${each}, which it was not given`);
    return rows.map((row) => byName.get(nameIn(step, row)) ?? null);
  } catch (cause) {
    if (isCancelled(cause, context.signal)) throw cause;
    const sql = `the handler "${name}"`;
    throw new BatchFailed({ seen: rows.length, last, sql }, cause, "host");
  }
}

function asGiven(step: TransformStep, row: Row): Row {
  return Object.fromEntries(givenColumns(step).map(({ column, as }) => [as, row[column] ?? null]));
}

function asRows(name: string, returned: unknown): readonly Row[] {
  if (!Array.isArray(returned)) throw wrongRows(name, JSON.stringify(returned));
  return returned.map((row: unknown) => {
    if (typeof row !== "object" || row === null) throw wrongRows(name, JSON.stringify(row));
    return row as Row;
  });
}

function wrongRows(name: string, what: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the handler "${name}" returned ${what}`,
    hint: "It is given rows and returns rows: each with the key of one that it was given, and the columns that it writes.",
  });
}

function keyIn(step: BackfillStep, row: Row | undefined): Key | null {
  return row === undefined ? null : step.key.map(({ name }) => String(row[name]));
}

function nameIn(step: BackfillStep, row: Row): string {
  return JSON.stringify(keyIn(step, row));
}

function isTransform(step: BackfillStep): step is TransformStep {
  return "transform" in step;
}

/** Limits, the fence, and row security: all that comes before rows are touched. */
async function begin(tx: Queryable, { context, step, id }: BackfillWork, range: ClaimedRange) {
  const settings = transactionSettingsSql(context, { statementMs: 0, blocking: true });
  const [row] = await tx.query<MayChange>(`${settings}; ${KEY_TEXTS}; ${mayChangeSql(id, range)}`);
  refuseUnlessOurs(row);
  await showAllRows(
    tx,
    [
      { ...step.table, access: "read" },
      ...("sql" in step ? [] : [{ ...step.table, access: "update" } as const]),
      ...(step.rows ?? []),
    ],
    step.id,
  );
}

function sent(tx: Queryable, { context, step }: BackfillWork, sql: string) {
  return tx.query(`${marker(context, step.id)}${sql}`).catch((cause: unknown): never => {
    throw new StepFailed(step.id, sql, cause);
  });
}

async function endRange(tx: Queryable, { id }: BackfillWork, { ordinal, reached }: ClaimedRange) {
  const { ranges, ours } = rangesOf(id);
  await tx.query(
    `UPDATE ${ranges} AS r SET done = true, ended_at = pg_catalog.clock_timestamp() WHERE ${ours("r")} AND r.ordinal = ${ordinal}`,
  );
  return { changed: 0, reached, done: true };
}

interface Change {
  readonly range: ClaimedRange;
  readonly sql: string;
  readonly parameters?: readonly string[];
  readonly seen: number;
  readonly last: Key;
  readonly done: boolean;
}

/** Sends a change, and keeps how far the range has come in the same statement. */
async function keep(
  tx: Queryable,
  { context, step, id }: BackfillWork,
  { range, sql, parameters, seen, last, done }: Change,
): Promise<BatchDone> {
  const kept = keepSql(rangesOf(id), range.ordinal, {
    reached: last,
    done,
    leaseUntil: leaseUntil(context.settings.leaseMs),
  });
  const [row] = await tx
    .query<{
      changed: string;
      refused: string;
    }>(`${marker(context, step.id)}${sql}${kept}`, parameters)
    .catch((cause: unknown): never => {
      throw new BatchFailed({ seen, last, sql }, cause);
    });
  if (Number(row?.refused) > 0)
    throw new BatchFailed(
      { seen, last, sql },
      new UnderpinError({
        code: "checkFailed",
        message: `${row?.refused} of ${row?.changed} changed rows are not as the step's row check wants them: ${step.rowCheck}`,
        hint: "See those rows: they are set aside by key, and stand in runs(db).",
      }),
    );
  return { changed: Number(row?.changed ?? 0), reached: last, done };
}
