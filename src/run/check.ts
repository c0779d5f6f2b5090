import { UnderpinError } from "../errors.ts";
import type { Queryable, Row } from "../executor/executor.ts";
import type { CheckStep } from "../plan/step.ts";

/** How many of the rows that a check found are shown. */
const EVIDENCE_ROWS = 5;

/** Runs a check's query; throws `checkFailed` with the evidence when it does not hold. */
export async function runCheck(db: Queryable, check: CheckStep, marker: string): Promise<void> {
  const rows = await db.query(`${marker}${check.sql}`);
  if (check.expect === "noRows") {
    if (rows.length > 0) throw failed(check, `found ${rows.length} rows, first: ${evidence(rows)}`);
    return;
  }
  const { atLeast, atMost } = check.expect;
  const value = Object.values(rows[0] ?? {})[0];
  const figure = typeof value === "bigint" ? Number(value) : Number(value ?? Number.NaN);
  if (rows.length !== 1 || value === null || Number.isNaN(figure))
    throw failed(check, `needs one row with a number, got ${rows.length} rows: ${evidence(rows)}`);
  if (atLeast !== undefined && figure < atLeast)
    throw failed(check, `found ${figure}, expected at least ${atLeast}`);
  if (atMost !== undefined && figure > atMost)
    throw failed(check, `found ${figure}, expected at most ${atMost}`);
}

function evidence(rows: readonly Row[]): string {
  const shown = rows.slice(0, EVIDENCE_ROWS);
  return JSON.stringify(shown, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

function failed({ id, title }: CheckStep, found: string): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `check "${id}" (${title}) does not hold: ${found}`,
    hint: "Nothing after it ran. Mend the rows, then apply again: it goes on from this check.",
  });
}
