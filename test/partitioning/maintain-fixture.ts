import {
  foreignKey,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from "drizzle-orm/pg-core";
import type { PgTable } from "drizzle-orm/pg-core";
import { emit } from "../../src/definition/emit/emit.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { schemeObjects } from "../../src/partitioning/scheme-objects.ts";

export const app = pgSchema(`we"ird Schema`);
export const schema = `"we""ird Schema"`;

export const programs = app
  .table("programs", { programId: text("program_id").primaryKey() })
  .enableRLS();

export const readings = app
  .table(
    "readings",
    {
      programId: text("program_id").notNull(),
      siteId: text("site_id").notNull(),
      at: timestamp("at", { withTimezone: true }).notNull(),
      n: integer("n").notNull(),
      value: text("value"),
    },
    (t) => [
      primaryKey({ name: "readings_pkey", columns: [t.programId, t.siteId, t.at, t.n] }),
      index("readings_value_idx").on(t.value),
      foreignKey({
        name: "readings_program_fkey",
        columns: [t.programId],
        foreignColumns: [programs.programId],
      }),
    ],
  )
  .enableRLS();

export const byProgram = partitionBy(
  readings,
  list(readings.programId),
  list(readings.siteId),
  range(readings.at, { every: "1 month", premake: 2, retain: "3 months" }),
);

export const events = app.table(
  "events",
  {
    at: timestamp("at", { withTimezone: true }).notNull(),
    n: integer("n").notNull(),
    value: text("value"),
  },
  (t) => [primaryKey({ name: "events_pkey", columns: [t.at, t.n] })],
);

export const byDay = partitionBy(
  events,
  range(events.at, { every: "1 day", premake: 2, retain: "10 days", default: true }),
);

/** All that tables and schemes make, in the order of an install. */
export function setup(tables: readonly PgTable[], schemes: readonly Scheme[]): string {
  const objects = [...emit([app, ...tables], schemes), ...schemes.flatMap(schemeObjects)];
  const rank = ["schema", "table", "function", "partition", "index", "constraint", "rowSecurity"];
  return rank
    .flatMap((kind) => objects.filter((object) => object.kind === kind))
    .map(({ create }) => create)
    .join(";\n");
}

/** The partitions of a table of the schema: name and bound, by level and name. */
export async function partitions(db: Executor, table: string): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `WITH RECURSIVE t (oid, level) AS (
       SELECT '${schema}.${table}'::regclass::oid, 0
       UNION ALL SELECT i.inhrelid, t.level + 1 FROM t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid)
     SELECT c.relname AS name FROM t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
     WHERE c.relkind = 'r' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** Every table of the schema whose name begins so. */
export async function tables(db: Executor, prefix: string): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r' AND pg_catalog.starts_with(c.relname, $2::text) ORDER BY 1`,
    [schema, prefix],
  );
  return rows.map(({ name }) => name);
}
