import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { DEFAULT_RUN_OPTIONS } from "../run/options.ts";
import { ident, literal } from "../sql/quote.ts";
import { schemaOption } from "./run-options.ts";
import type { Call } from "./call.ts";

/** The name of the run schema that a call means. */
export function runSchemaName(call: Call): string {
  return schemaOption(call).runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
}

/** Whether underpin was ever used on this database: asking must not make its schema. */
export async function hasRunSchema(db: Queryable, schema: string): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 AS one FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${literal(schema)} AND c.relname = 'runs'`,
  );
  return rows.length > 0;
}

/** Refuses a verb about a run where there can be none. */
export async function requireRunSchema(db: Queryable, schema: string, name: string): Promise<void> {
  if (await hasRunSchema(db, schema)) return;
  throw new UnderpinError({
    code: "unknownRun",
    message: `there is no run of "${name}": nothing was ever applied here (no schema ${ident(schema)})`,
    hint: "Check --url and --run-schema, or begin with: underpin apply FILE",
  });
}
