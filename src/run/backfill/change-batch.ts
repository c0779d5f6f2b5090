import type { Queryable } from "../../executor/executor.ts";
import {
  begin,
  endRange,
  inTransaction,
  keep,
  sent,
  type BackfillWork,
  type BatchDone,
} from "./batch.ts";
import { changeSql, isTransform, pageSql } from "./batch-sql.ts";
import { keyOf, type ClaimedRange } from "./ranges.ts";
import { transformBatch } from "./transform-batch.ts";

/** Changes one page of a range and keeps how far it came, in one transaction. */
export function changeBatch(
  work: BackfillWork,
  range: ClaimedRange,
  size: number,
): Promise<BatchDone> {
  const { step } = work;
  return isTransform(step)
    ? transformBatch({ ...work, step }, range, size)
    : inTransaction(work, (tx) => changeIn(tx, work, range, size));
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
