import { dollarQuoted } from "../../sql/dollar-quoted.ts";
import { qualified } from "../../sql/quote.ts";

/** The expression that gives a new row its UUID, of version 7: by its own time, so that new rows lie side by side in an index. */
export function newKeySql(schema: string, server: ">=18" | "<18"): string {
  return server === ">=18" ? "pg_catalog.uuidv7()" : `${qualified(schema, "underpin_uuid_v7")}()`;
}

/** `uuidv7()` for servers before 18: 48 bits of milliseconds, the rest by chance. */
export function uuidV7FunctionSql(schema: string): string {
  // Of a version 4 the two highest bits of the version's half byte are set: 0100 becomes 0111.
  return `CREATE FUNCTION ${qualified(schema, "underpin_uuid_v7")}() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS ${dollarQuoted(`
SELECT pg_catalog.encode(pg_catalog.set_bit(pg_catalog.set_bit(pg_catalog.overlay(
  pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
  pg_catalog.substring(pg_catalog.int8send(pg_catalog.floor(1000 * extract(epoch FROM pg_catalog.clock_timestamp()))::bigint), 3),
  1, 6), 52, 1), 53, 1), 'hex')::uuid`)}`;
}
