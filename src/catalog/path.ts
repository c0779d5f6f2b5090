import { ident, qualified } from "../sql/quote.ts";

/**
 * The paths by which the canonical projection names what is in a catalog, as `column "id" of table "app"."orders"`.
 * A declared object carries the path under which it will be found.
 */

/** `schema "app"`. */
export function schemaPath(name: string): string {
  return `schema ${ident(name)}`;
}

/** `table "app"."orders"`; also of views, sequences and types, each with its word. */
export function namedPath(kind: string, schema: string, name: string): string {
  return `${kind} ${qualified(schema, name)}`;
}

/** `trigger "touch" of table "app"."orders"`. */
export function partPath(kind: string, name: string, owner: string): string {
  return `${kind} ${ident(name)} of ${owner}`;
}

/** `function "app"."total"(uuid, integer)`, with its argument types as PostgreSQL prints them. */
export function functionPath(schema: string, name: string, signature: string | null): string {
  return `function ${qualified(schema, name)}(${signature ?? ""})`;
}

/** `extension "pg_trgm"`. */
export function extensionPath(name: string): string {
  return `extension ${ident(name)}`;
}
