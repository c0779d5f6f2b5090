import { UnderpinError } from "../../errors.ts";
import type { BackfillStep, Json } from "../../plan/step.ts";
import { isCancelled } from "../context.ts";
import {
  BatchFailed,
  begin,
  endRange,
  inTransaction,
  keep,
  sent,
  type BackfillWork,
  type BatchDone,
  type BatchPage,
} from "./batch.ts";
import {
  givenColumns,
  readRowsSql,
  VERSION,
  writeRowsSql,
  type TransformStep,
} from "./batch-sql.ts";
import type { Key } from "./key-sql.ts";
import { whileClaimed, type ClaimedRange } from "./ranges.ts";
import { writtenValue } from "./written-value.ts";

/** A backfill whose rows a handler computes. */
export type TransformWork = BackfillWork & { readonly step: TransformStep };

/** More than a page can get while its rows are computed. */
const NO_LIMIT = 1_000_000;

/** How often rows that somebody changed meanwhile are computed while nothing is locked. */
const ROUNDS = 3;

/** What a handler returned for a row of some version, as it is written; null where it is left as it is. */
interface Computed {
  readonly version: unknown;
  readonly written: WrittenRow | null;
}

type Row = Readonly<Record<string, unknown>>;
type WrittenRow = Readonly<Record<string, string | null>>;

/**
 * The handler computes while nothing is locked and no transaction is open. Then the rows are locked, and those that somebody changed
 * meanwhile, few if any, are computed again as they are now: the writer's value is what the handler is given.
 *
 * Rows are let go for that, since writers would wait for the handler, and the handler for the one connection of a small pool. Only rows
 * that change faster than they are computed are held in the end.
 */
export async function transformBatch(
  work: TransformWork,
  range: ClaimedRange,
  size: number,
): Promise<BatchDone> {
  const { context, step, id } = work;
  const rows = await context.executor.transaction(async (tx) => {
    await begin(tx, work, range);
    return sent(tx, work, readRowsSql(step, { ...range, size }, false));
  });
  const last = keyIn(step, rows.at(-1));
  if (last === null)
    return inTransaction(work, async (tx) => {
      await begin(tx, work, range);
      return endRange(tx, work, range);
    });
  const sql = writeRowsSql(step);
  const page: BatchPage = { seen: rows.length, last, sql };
  const known = new Map<string, Computed>();
  const isKnown = (row: Row) => known.get(nameIn(step, row))?.version === row[VERSION];
  const learn = async (some: readonly Row[]) => {
    for (const [name, computed] of await compute(work, some, page)) known.set(name, computed);
  };
  for (let round = 0, unknown = rows; ; round++) {
    await whileClaimed(context, id, range, () => learn(unknown));
    const batch = await inTransaction(work, async (tx): Promise<Batch> => {
      await begin(tx, work, range, round === ROUNDS);
      const all = { reached: range.reached, upper: last, size: NO_LIMIT };
      const locked = await sent(tx, work, readRowsSql(step, all, true));
      const changed = locked.filter((row) => !isKnown(row));
      if (changed.length > 0 && round < ROUNDS) return { again: changed };
      await learn(changed);
      const given = locked
        .map((row) => known.get(nameIn(step, row))?.written)
        .filter((row) => row != null);
      const done = rows.length < size;
      return keep(tx, work, { range, ...page, parameters: [JSON.stringify(given)], done });
    });
    if (!("again" in batch)) return batch;
    unknown = batch.again;
  }
}

/** A batch that is done, or the rows for which it has to be begun again. */
type Batch = BatchDone | { readonly again: readonly Row[]; readonly page?: undefined };

/** Hands rows to the handler; what it returns for each, by key. */
async function compute(
  { context, step }: TransformWork,
  rows: readonly Row[],
  page: BatchPage,
): Promise<ReadonlyMap<string, Computed>> {
  if (rows.length === 0) return new Map();
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
    const computed = new Map<string, Computed>(
      rows.map((row) => [nameIn(step, row), { version: row[VERSION], written: null }]),
    );
    for (const row of asRows(name, returned)) {
      const key = nameIn(step, row);
      const before = computed.get(key);
      if (before === undefined)
        throw wrongRows(name, `a row of the key ${key}, which it was not given`);
      if (before.written !== null) throw wrongRows(name, `two rows of the key ${key}`);
      computed.set(key, { ...before, written: asWritten(step, row) });
    }
    return computed;
  } catch (cause) {
    if (isCancelled(cause, context.signal)) throw cause;
    throw new BatchFailed({ ...page, sql: `the handler "${name}"` }, cause, "host");
  }
}

function asWritten(step: TransformStep, row: Row): WrittenRow {
  return Object.fromEntries(
    givenColumns(step).map(({ column, as, type }) => {
      const value = row[column];
      if (value === undefined)
        throw wrongRows(
          step.transform.handler,
          `a row of the key ${nameIn(step, row)} without "${column}"`,
        );
      return [as, writtenValue(value, type)];
    }),
  );
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
