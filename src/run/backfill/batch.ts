import { UnderpinError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { marker, type WorkContext } from "../context.ts";
import { StepFailed } from "../failure.ts";
import { showAllRows } from "../row-security.ts";
import { transactionSettingsSql } from "../settings.ts";
import { keepSql } from "./batch-sql.ts";
import { KEY_TEXTS, type Key } from "./key-sql.ts";
import {
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
  /** What was changed how; undefined where there was nothing. */
  readonly page?: BatchPage;
}

/** The rows of a batch. */
export interface BatchPage {
  /** How many rows the batch had. */
  readonly seen: number;
  /** The key of its last row. */
  readonly last: Key;
  readonly sql: string;
}

/** The rows of a batch could not be changed: which they are, and why. */
export class BatchFailed extends Error implements BatchPage {
  readonly batchFailed = true;
  readonly seen: number;
  readonly last: Key;
  readonly sql: string;
  /** Whose failure it is: what a handler of the host cannot reach is no lost connection of ours. */
  readonly origin: "database" | "host";

  constructor(
    { seen, last, sql }: BatchPage,
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

/**
 * Runs a batch in a transaction of its own. What COMMIT says is of its rows too: of a constraint or a trigger that was deferred until then.
 */
export async function inTransaction<T extends { readonly page?: BatchPage | undefined }>(
  { context }: BackfillWork,
  change: (tx: Queryable) => Promise<T>,
): Promise<T> {
  let page: BatchPage | undefined;
  try {
    return await context.executor.transaction(async (tx) => {
      const done = await change(tx);
      page = done.page;
      return done;
    });
  } catch (cause) {
    throw page === undefined ? cause : new BatchFailed(page, cause);
  }
}

/** Limits, the fence, and row security: all that comes before rows are touched. One that `idles` waits for the host while it holds them. */
export async function begin(
  tx: Queryable,
  { context, step, id }: BackfillWork,
  range: ClaimedRange,
  idles = false,
): Promise<void> {
  const settings = transactionSettingsSql(context, { statementMs: 0, blocking: !idles });
  const [row] = await tx.query<MayChange>(`${settings}; ${KEY_TEXTS}; ${mayChangeSql(id, range)}`);
  refuseUnlessOurs(row);
  await showAllRows(
    tx,
    [
      { ...step.table, access: "read" },
      // Rows that are only locked need a policy for UPDATE too, or are not there.
      { ...step.table, access: "update" },
      ...(step.rows ?? []),
    ],
    step.id,
  );
}

/** Sends a statement that no row is to blame for. */
export function sent(tx: Queryable, { context, step }: BackfillWork, sql: string) {
  return tx.query(`${marker(context, step.id)}${sql}`).catch((cause: unknown): never => {
    throw new StepFailed(step.id, sql, cause);
  });
}

/** Writes down that nothing is left of a range. */
export async function endRange(
  tx: Queryable,
  { id }: BackfillWork,
  { ordinal, reached }: ClaimedRange,
): Promise<BatchDone> {
  const { ranges, ours } = rangesOf(id);
  await tx.query(
    `UPDATE ${ranges} AS r SET done = true, ended_at = pg_catalog.clock_timestamp() WHERE ${ours("r")} AND r.ordinal = ${ordinal}`,
  );
  return { changed: 0, reached, done: true };
}

/** A change of the rows of a page. */
export interface Change {
  readonly range: ClaimedRange;
  readonly sql: string;
  readonly parameters?: readonly string[];
  readonly seen: number;
  readonly last: Key;
  readonly done: boolean;
}

/** Sends a change, and keeps how far the range has come in the same statement. */
export async function keep(
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
      again: string;
    }>(`${marker(context, step.id)}${sql}${kept}`, parameters)
    .catch((cause: unknown): never => {
      throw new BatchFailed({ seen, last, sql }, cause);
    });
  if (Number(row?.again) > 0) throw comesAgain(step, sql, Number(row?.again));
  if (Number(row?.refused) > 0)
    throw new BatchFailed(
      { seen, last, sql },
      new UnderpinError({
        code: "checkFailed",
        message: `${row?.refused} of ${row?.changed} changed rows are not as the step's row check wants them: ${step.rowCheck}`,
        hint: "See those rows: they are set aside by key, and stand in runs(db).",
      }),
    );
  return { changed: Number(row?.changed ?? 0), reached: last, done, page: { seen, last, sql } };
}

function comesAgain(step: BackfillStep, sql: string, rows: number): StepFailed {
  return new StepFailed(
    step.id,
    sql,
    new UnderpinError({
      code: "invalidDefinition",
      message: `${rows} changed rows have another key now and still meet ${step.where}: they would be changed again and again`,
      hint: "Write a where that is false for a row that is done, or go through the rows by a key that does not change.",
    }),
  );
}
