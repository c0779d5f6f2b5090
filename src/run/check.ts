import { UnderpinError } from "../errors.ts";
import type { Queryable, Row } from "../executor/executor.ts";
import type { CheckStep } from "../plan/step.ts";

/** How many of the rows that a check found are shown. */
const EVIDENCE_ROWS = 5;

/** Runs a check's query in its transaction; throws `checkFailed` with the evidence when it does not hold. */
export async function runCheck(tx: Queryable, check: CheckStep, marker: string): Promise<void> {
  const { sql, expect } = check;
  if (expect === "noRows") {
    // A cursor: of a million rows that should not be there, a few are shown.
    await tx.query(`DECLARE underpin_check NO SCROLL CURSOR FOR ${marker}${sql}`);
    const rows = await tx.query(`FETCH ${EVIDENCE_ROWS + 1} FROM underpin_check`);
    await tx.query("CLOSE underpin_check");
    if (rows.length > EVIDENCE_ROWS)
      throw failed(check, `found more than ${EVIDENCE_ROWS} rows, first: ${evidence(rows)}`);
    if (rows.length > 0) throw failed(check, `found rows: ${evidence(rows)}`);
    return;
  }
  const rows = await tx.query(`${marker}${sql}`);
  const { atLeast, atMost } = expect;
  const value = Object.values(rows[0] ?? {})[0];
  const figure = typeof value === "number" ? value : Number.parseFloat(String(value));
  if (rows.length !== 1 || !Number.isFinite(figure))
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
