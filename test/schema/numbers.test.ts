import type { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Definition } from "../../src/definition/definition.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { installTables } from "./validation-agreement.ts";

/** Columns that no check holds to be numbers, with the reason. */
const ACCEPTED: Readonly<Record<string, string>> = {
  "progress-card: hpc_evaluations.normalized_score":
    "generated from the score, which is a number within a scale of numbers",
  "project-reports: monte_carlo_simulations.expected_cost":
    "a stand-in for a table of the host, which has its own rules",
};

/** A column that could hold NaN, and the checks that are about it. */
interface NumericColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** The other columns of such types. */
  readonly beside: readonly string[];
}

/** Integers have no NaN. Partitions have the columns and checks of their roots. */
const NUMERIC_COLUMNS = `
  SELECT n.nspname AS schema, c.relname AS "table", a.attname AS "column",
    array(
      SELECT b.attname::text FROM pg_catalog.pg_attribute AS b
      WHERE b.attrelid = c.oid AND b.attnum <> a.attnum AND NOT b.attisdropped
        AND b.atttypid IN ('numeric'::regtype, 'real'::regtype, 'double precision'::regtype)
    ) AS beside
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT a.attisdropped AND a.attnum > 0
    AND a.atttypid IN ('numeric'::regtype, 'real'::regtype, 'double precision'::regtype)
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ORDER BY 1, 2, 3`;

for (const domain of [
  "reporting",
  "progress-card",
  "observations",
  "test-cycles",
  "project-reports",
]) {
  describe(`the numbers of ${domain}`, () => {
    let sandbox: Sandbox | undefined;
    beforeAll(async () => {
      const exports = (await import(`../../src/schema/${domain}/definition.ts`)) as {
        readonly definition: Definition;
      };
      sandbox = await bootSandbox();
      await installTables(sandbox, exports.definition);
    });
    afterAll(() => sandbox?.close());

    it("are numbers: a check about the column refuses NaN, which is above every bound", async () => {
      if (sandbox === undefined) throw new Error("there is no database");
      const { client } = sandbox;
      const { rows } = await client.query<NumericColumn>(NUMERIC_COLUMNS);
      const taken: string[] = [];
      for (const column of rows)
        if (!(await refusesNaN(client, column)))
          taken.push(`${domain}: ${column.table}.${column.column}`);
      expect(taken).toEqual(Object.keys(ACCEPTED).filter((path) => path.startsWith(`${domain}:`)));
    });
  });
}

/** Whether the checks about a column refuse NaN and not some number: all else in the row is NULL, and other numbers are zero. */
async function refusesNaN(client: PGlite, { schema, table, column, beside }: NumericColumn) {
  const from = qualified(schema, table);
  await client.exec(`DROP TABLE IF EXISTS public.probe;
    CREATE TABLE public.probe (LIKE ${from} INCLUDING CONSTRAINTS);
    DO $$ DECLARE one record; BEGIN
      FOR one IN SELECT attname FROM pg_catalog.pg_attribute
        WHERE attrelid = 'public.probe'::regclass AND attnum > 0 LOOP
        EXECUTE pg_catalog.format('ALTER TABLE public.probe ALTER %I DROP NOT NULL', one.attname);
      END LOOP;
      FOR one IN SELECT k.conname FROM pg_catalog.pg_constraint AS k
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attname = ${literal(column)}
        WHERE k.conrelid = 'public.probe'::regclass AND k.contype = 'c' AND a.attnum <> ALL (k.conkey) LOOP
        EXECUTE pg_catalog.format('ALTER TABLE public.probe DROP CONSTRAINT %I', one.conname);
      END LOOP;
    END $$`);
  const violated = async (value: string): Promise<string | null> => {
    const columns = [column, ...beside].map(ident).join(", ");
    const values = [`'${value}'`, ...beside.map(() => "0")].join(", ");
    try {
      await client.exec(`INSERT INTO public.probe (${columns}) VALUES (${values})`);
      return null;
    } catch (error) {
      return (error as { readonly constraint?: string }).constraint ?? String(error);
    }
  };
  const byNaN = await violated("NaN");
  if (byNaN === null) return false;
  const byNumbers = await Promise.all(["-1", "0", "0.5", "1", "50"].map(violated));
  return byNumbers.some((constraint) => constraint !== byNaN);
}
