import { qualified } from "../../sql/quote.ts";

/** Gives up before the server's `deadlock_timeout` (1 s by default) lets an application's transaction be the victim. */
export function lockSql(schema: string, tables: readonly string[], mode: string): string {
  const paths = tables.map((name) => qualified(schema, name));
  return `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nLOCK TABLE ONLY ${paths.join(", ONLY ")} IN ${mode} MODE`;
}

/** Values are printed and read again. */
export const PRINTED = `SELECT pg_catalog.set_config('datestyle', 'ISO, YMD', true), pg_catalog.set_config('timezone', 'UTC', true)`;
