import {
  pgEnum,
  pgMaterializedView,
  pgSchema,
  pgSequence,
  pgTable,
  pgView,
  type PgSchema,
} from "drizzle-orm/pg-core";

/**
 * Where a domain's tables and enums live: a schema of their own, or `public`, for which `pgSchema` throws and the plain builders are
 * meant.
 *
 * Typed as a schema in both cases, so that a domain is written once.
 */
export function namespaceOf<S extends string>(name: S): PgSchema<S> {
  if (name !== "public") return pgSchema(name);
  const plain = {
    schemaName: name,
    table: pgTable,
    view: pgView,
    materializedView: pgMaterializedView,
    enum: pgEnum,
    sequence: pgSequence,
  };
  return plain as unknown as PgSchema<S>;
}
