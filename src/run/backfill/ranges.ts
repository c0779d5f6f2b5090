import type { Queryable } from "../../executor/executor.ts";
import { ident, literal } from "../../sql/quote.ts";
import type { WorkContext } from "../context.ts";
import type { Key } from "./key-sql.ts";

/** The backfill step of one run. */
export interface BackfillId {
  /** Of the run's own tables. */
  readonly schema: string;
  readonly runId: string;
  readonly stepId: string;
}

/** A range of keys that one worker has claimed. */
export interface ClaimedRange {
  readonly ordinal: number;
  /** Newer than that of every earlier claim. */
  readonly token: string;
  /** The last key that is done, or the lower edge. Exclusive. */
  readonly reached: Key | null;
  /** Inclusive. */
  readonly upper: Key | null;
}

/** What a worker found when it asked for a range. */
export type Claimed =
  | { readonly kind: "claimed"; readonly range: ClaimedRange }
  /** Every range is done. */
  | { readonly kind: "done" }
  /** What is left, others have. */
  | { readonly kind: "others" };

/** The name and the condition of a backfill's rows in the run schema. */
export function rangesOf({ schema, runId, stepId }: BackfillId): {
  readonly ranges: string;
  readonly failures: string;
  readonly ours: (alias: string) => string;
} {
  return {
    ranges: `${ident(schema)}.backfill_ranges`,
    failures: `${ident(schema)}.backfill_failures`,
    ours: (alias) =>
      `${alias}.run_id = ${literal(runId)}::bigint AND ${alias}.step_id = ${literal(stepId)}`,
  };
}

/** Until when a worker that says nothing keeps its range. Between two batches no row lock shows that it lives. */
export function leaseUntil(leaseMs: number): string {
  return `pg_catalog.clock_timestamp() + ${Math.round(leaseMs)} * interval '1 millisecond'`;
}

/**
 * Claims the next range that nobody works at. Of many workers each gets another one: who is locked is skipped.
 *
 * A worker's own ranges are its own again, also after its connection was lost; those of others when their lease is over. One
 * that is in the middle of a batch holds the row, and cannot be passed over however long the batch takes.
 */
export async function claimRange(
  db: Queryable,
  id: BackfillId,
  worker: string,
  leaseMs: number,
): Promise<Claimed> {
  const { ranges, ours } = rangesOf(id);
  const [row] = await db.query<{ ordinal: string; token: string; reached: string; upper: string }>(
    `UPDATE ${ranges} AS r
     SET worker = $1::text, token = r.token + 1, lease_until = ${leaseUntil(leaseMs)},
       began_at = coalesce(r.began_at, pg_catalog.clock_timestamp())
     WHERE ${ours("r")} AND r.ordinal = (
       SELECT f.ordinal FROM ${ranges} AS f
       WHERE ${ours("f")} AND NOT f.done
         AND (f.lease_until IS NULL OR f.worker = $1::text OR f.lease_until < pg_catalog.clock_timestamp())
       ORDER BY f.ordinal LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING r.ordinal::text, r.token::text, r.reached::text, r.upper::text`,
    [worker],
  );
  if (row !== undefined)
    return {
      kind: "claimed",
      range: {
        ordinal: Number(row.ordinal),
        token: row.token,
        reached: keyOf(row.reached),
        upper: keyOf(row.upper),
      },
    };
  const left = await db.query(
    `SELECT 1 FROM ${ranges} AS r WHERE ${ours("r")} AND NOT r.done LIMIT 1`,
  );
  return { kind: left.length === 0 ? "done" : "others" };
}

/** Gives back what a worker has not finished, so that nobody waits for its lease to end. */
export async function releaseRanges(db: Queryable, id: BackfillId, worker: string): Promise<void> {
  const { ranges, ours } = rangesOf(id);
  await db.query(
    `UPDATE ${ranges} AS r SET lease_until = NULL WHERE ${ours("r")} AND r.worker = $1::text AND NOT r.done`,
    [worker],
  );
}

/** Keeps a range while something is done outside of a transaction, where no row lock shows that its worker lives. */
export async function whileClaimed<T>(
  { executor, settings }: Pick<WorkContext, "executor" | "settings">,
  id: BackfillId,
  { ordinal, token }: ClaimedRange,
  work: () => Promise<T>,
): Promise<T> {
  const { ranges, ours } = rangesOf(id);
  let beating: Promise<unknown> = Promise.resolve();
  const beat = () =>
    executor
      .query(
        `UPDATE ${ranges} AS r SET lease_until = ${leaseUntil(settings.leaseMs)}
         WHERE ${ours("r")} AND r.ordinal = ${Math.round(ordinal)} AND r.token = ${literal(token)}::bigint AND NOT r.done`,
      )
      // Whether the range is ours still is asked before its rows are changed.
      .catch(() => undefined);
  const timer = setInterval(() => {
    beating = beating.then(beat);
  }, settings.leaseMs / 3);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await beating;
  }
}

/** A key as the run schema keeps it. */
export function keyOf(json: string | null): Key | null {
  return json === null ? null : (JSON.parse(json) as Key);
}

/** What stands in the way of a batch. */
export type Stood =
  /** Somebody asked for a pause. */
  | "paused"
  /** The step is over, or is being taken back. */
  | "ended"
  /** Another worker has the range. */
  | "lost";

/** Thrown inside a batch's transaction, so that it rolls back; never leaves the engine. */
export class BatchStopped extends Error {
  readonly batchStopped = true;
  readonly why: Stood;
  constructor(why: Stood) {
    super(`the batch was stopped: ${why}`);
    this.why = why;
  }
}

/** Whether a batch was stopped, and not in trouble. */
export function isBatchStopped(error: unknown): error is BatchStopped {
  return typeof error === "object" && error !== null && "batchStopped" in error;
}

/**
 * The condition under which a batch may be changed, as one SELECT: the step is being run, nobody asked for a pause, the range is
 * ours. It locks the range, so that a second worker passes it over, and the step's row, so that whoever ends or takes back the step waits
 * for the batch.
 */
export function mayChangeSql(id: BackfillId, { ordinal, token }: ClaimedRange): string {
  const { ranges, ours } = rangesOf(id);
  const schema = ident(id.schema);
  return `SELECT (s.state = 'claimed' AND u.state = 'running')::text AS running, u.pause_requested::text AS paused, (r.token = ${literal(token)}::bigint AND NOT r.done)::text AS held
FROM ${ranges} AS r JOIN ${schema}.steps AS s ON s.run_id = r.run_id AND s.id = r.step_id JOIN ${schema}.runs AS u ON u.id = s.run_id
WHERE ${ours("r")} AND r.ordinal = ${Math.round(ordinal)}
FOR SHARE OF s FOR NO KEY UPDATE OF r`;
}

/** What {@link mayChangeSql} returns. */
export interface MayChange {
  readonly running: string;
  readonly paused: string;
  readonly held: string;
  readonly [column: string]: unknown;
}

/** Stops the batch unless all is as it must be. */
export function refuseUnlessOurs(row: MayChange | undefined): void {
  if (row === undefined || row.running !== "true") throw new BatchStopped("ended");
  if (row.held !== "true") throw new BatchStopped("lost");
  if (row.paused === "true") throw new BatchStopped("paused");
}
