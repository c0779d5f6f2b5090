import type { Scheme } from "../definition/scheme.ts";
import { isConnectionError } from "../errors.ts";
import type { Executor, Queryable } from "../executor/executor.ts";
import { showAllRows } from "../run/row-security.ts";
import { ident, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/** What a sample of rows took. */
export interface ConversionSample {
  readonly rows: number;
  /** To copy them into a table with the same indexes. */
  readonly copyMs: number;
  /** To read them, and to build the indexes of the new key. */
  readonly attachMs: number;
}

const ROWS = 20_000;

/** Ends the transaction of the sample: nothing of it stays. */
const DONE = new Error("the sample was measured");

/** Copies a few thousand rows into a temporary table and rolls it back; null where this login may make none, or may not see all rows. */
export async function sampleConversion(
  db: Executor,
  scheme: Scheme,
): Promise<ConversionSample | null> {
  let found: ConversionSample | null = null;
  try {
    await db.transaction(async (transaction) => {
      found = await measured(transaction, scheme);
      throw DONE;
    });
  } catch (error) {
    if (isConnectionError(error)) throw error;
    if (error !== DONE) return null;
  }
  return found;
}

async function measured(db: Queryable, scheme: Scheme): Promise<ConversionSample> {
  const { schema, table } = namesOf(scheme);
  const path = qualified(schema, table);
  const twin = "pg_temp.underpin_conversion";
  // A generated column is computed again, and an identity column is not: its values are copied.
  await showAllRows(db, [{ schema, name: table, access: "read" }], "checkConversion");
  await db.query(
    `CREATE TEMPORARY TABLE underpin_conversion (LIKE ${path} INCLUDING INDEXES INCLUDING CONSTRAINTS)`,
  );
  const copyMs = await elapsed(db, `INSERT INTO ${twin} SELECT * FROM ${path} LIMIT ${ROWS}`);
  const [row] = await db.query<{ n: string }>(`SELECT pg_catalog.count(*)::text AS n FROM ${twin}`);
  const readMs = await elapsed(
    db,
    `SELECT pg_catalog.count(*) FROM ${twin} AS b WHERE b.* IS NULL`,
  );
  const columns = [...new Set(scheme.dimensions.map(({ column }) => ident(column)))].join(", ");
  const buildMs = await elapsed(db, `CREATE INDEX ON ${twin} (${columns})`);
  // CONCURRENTLY reads the table twice for each of the two indexes of a key; the values and the bound are read once each.
  return { rows: Number(row?.n ?? 0), copyMs, attachMs: 2 * buildMs + 6 * readMs };
}

async function elapsed(db: Queryable, query: string): Promise<number> {
  const began = performance.now();
  await db.query(query);
  return performance.now() - began;
}
