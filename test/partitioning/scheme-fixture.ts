import {
  foreignKey,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import { emit } from "../../src/definition/emit/emit.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import { hash, list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { schemeObjects } from "../../src/partitioning/scheme-objects.ts";

export const app = pgSchema(`we"ird Schema`);

export const programs = app
  .table("programs", { programId: text("program_id").primaryKey() })
  .enableRLS();

export const readings = app
  .table(
    "readings",
    {
      programId: text("program_id").notNull(),
      siteId: text("site_id").notNull(),
      createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      readingId: uuid("reading_id").notNull().defaultRandom(),
      n: integer("n").generatedAlwaysAsIdentity(),
      value: integer("value"),
    },
    (t) => [
      primaryKey({
        name: "readings_pkey",
        columns: [t.programId, t.siteId, t.createdAt, t.readingId],
      }),
      index("readings_value_idx").on(t.programId, t.value),
      foreignKey({
        name: "readings_program_fkey",
        columns: [t.programId],
        foreignColumns: [programs.programId],
      }),
    ],
  )
  .enableRLS();

export const nested = {
  ...partitionBy(
    readings,
    list(readings.programId, { label: "prog" }),
    list(readings.siteId),
    range(readings.createdAt, { every: "1 month" }),
  ),
  prefix: "read",
};

const monthly = app
  .table(
    "monthly",
    {
      id: integer("id").notNull(),
      at: timestamp("at", { withTimezone: true }).notNull(),
    },
    (t) => [primaryKey({ name: "monthly_pkey", columns: [t.id, t.at] })],
  )
  .enableRLS();
const byMonth = partitionBy(monthly, range(monthly.at, { every: "1 month", premake: 2 }));

const spread = app.table(
  "spread",
  { id: uuid("id").notNull(), at: timestamp("at").notNull() },
  (t) => [primaryKey({ name: "spread_pkey", columns: [t.id, t.at] })],
);
const byHash = partitionBy(
  spread,
  hash(spread.id, { modulus: 12 }),
  range(spread.at, { every: "1 week", premake: 0 }),
);

const schemes: readonly Scheme[] = [nested, byMonth, byHash];
export const schema = `"we""ird Schema"`;

/** All that the tables and schemes make, in the order of an install. */
export function setup(): string {
  const objects = [
    ...emit([app, programs, readings, monthly, spread], schemes),
    ...schemes.flatMap(schemeObjects),
  ];
  const rank = ["schema", "table", "function", "partition", "index", "constraint", "rowSecurity"];
  return rank
    .flatMap((kind) => objects.filter((object) => object.kind === kind))
    .map(({ create }) => create)
    .join(";\n");
}
