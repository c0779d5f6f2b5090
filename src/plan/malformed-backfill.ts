import type { BackfillStep } from "./step.ts";

/**
 * What is wrong with a backfill that comes from JSON or JavaScript; undefined where nothing is.
 *
 * A page of no rows looks like the end of a range: with `batchSize: 0`, or a NaN that JSON made null, a backfill would be done
 * at once and have changed nothing.
 */
export function malformedBackfill(step: BackfillStep): string | undefined {
  const given: { readonly [K in keyof BackfillStep]?: unknown } = step;
  const { key, where, batchSize, pauseMs, workers = 1, maxAttempts = 1, targetMs = 1 } = given;
  const counts = { batchSize, workers, maxAttempts };
  for (const [name, value] of Object.entries(counts))
    if (!Number.isInteger(value) || Number(value) < 1)
      return `has ${name} ${JSON.stringify(value)}, not a whole number of 1 or more`;
  for (const [name, value] of Object.entries({ pauseMs, targetMs }))
    if (typeof value !== "number" || !(value >= 0))
      return `has ${name} ${JSON.stringify(value)}, not a number of 0 or more`;
  if (typeof where !== "string" || where.trim() === "")
    return 'has no where: write "true" for all rows';
  if (!isColumns(key)) return "has no key of columns with their types";
  const changes = ["set", "sql", "transform"].filter((name) => name in step);
  if (changes.length !== 1) return "needs one of set, sql and transform";
  if (!("transform" in step)) return undefined;
  const { reads, writes }: { readonly reads: unknown; readonly writes: unknown } = step.transform;
  if (!Array.isArray(reads) || !isColumns(writes))
    return "has a transform without the columns that it reads and writes";
  const moved = step.key.find(({ name }) => writes.some((column) => column.name === name));
  return moved === undefined
    ? undefined
    : `has a transform that writes "${moved.name}", a column of the key by which it goes through the rows`;
}

function isColumns(
  value: unknown,
): value is readonly { readonly name: string; readonly type: string }[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (column: unknown) =>
        typeof column === "object" &&
        column !== null &&
        typeof (column as { name?: unknown }).name === "string" &&
        typeof (column as { type?: unknown }).type === "string",
    )
  );
}
