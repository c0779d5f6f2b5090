import { integer, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { emit } from "../../src/definition/emit/emit.ts";
import type { Interval, Scheme } from "../../src/definition/scheme.ts";
import { namesOf } from "../../src/partitioning/provision-names.ts";
import { schemeObjects } from "../../src/partitioning/scheme-objects.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import type { ContractNames } from "./contract.ts";

/** A table by site and month. */
export function monthlyOf(
  { schema, table, column }: ContractNames,
  every: Interval = "1 month",
  others = false,
): Scheme {
  const visits = pgSchema(schema).table(
    table,
    {
      [column]: text(column),
      site: text("site").notNull(),
      at: timestamp("at", { withTimezone: true }).notNull(),
      id: integer("id").notNull(),
    },
    (t) => [primaryKey({ name: `${table}_pkey`, columns: [t.site, t.at, t.id] as never })],
  );
  visits.enableRLS();
  return {
    table: visits,
    dimensions: [
      { strategy: "list", column: "site", label: "site" },
      { strategy: "range", column: "at", every, premake: 0, retain: null, default: others },
    ],
    timeZone: "UTC",
    prefix: `${table} of`,
  };
}

/** The partitioned table with the functions of its scheme, two sites, and rows in three months. */
export function visitsSql(names: ContractNames, others = false): string {
  const { schema, table, column } = names;
  const scheme = monthlyOf(names, "1 month", others);
  const objects = [...emit([pgSchema(schema), scheme.table], [scheme]), ...schemeObjects(scheme)];
  const rank = ["table", "function", "partition", "index", "constraint", "rowSecurity"];
  const made = rank.flatMap((kind) => objects.filter((object) => object.kind === kind));
  const path = qualified(schema, table);
  return `${made.map(({ create }) => create).join(";\n")};
  CREATE INDEX ${ident(`${table} by ${column}`)} ON ${path} (${ident(column)});
  CREATE TABLE ${qualified(schema, "sites")} (site text PRIMARY KEY);
  INSERT INTO ${qualified(schema, "sites")} VALUES ('s1'), ('s2');
  ALTER TABLE ${path} ADD CONSTRAINT ${ident(`${table} at a site`)} FOREIGN KEY (site) REFERENCES ${qualified(schema, "sites")};
  ${["s1", "s2"].map((site) => `SELECT ${qualified(schema, namesOf(scheme).provision)}(${literal(site).trim()}, '2026-01-01', '2026-03-01')`).join(";\n")};
  INSERT INTO ${path} (site, at, id, ${ident(column)})
  SELECT 's' || 1 + g % 2, '2026-01-01'::timestamptz + g * interval '8 hours', g, 'x' || g FROM generate_series(1, 240) g;
  ${others ? `INSERT INTO ${path} (site, at, id) VALUES ('s1', '2030-01-01', 1)` : ""}`;
}

/** A row of the first site, in January. */
export function visitSql({ schema, table, column }: ContractNames): string {
  return `INSERT INTO ${qualified(schema, table)} (site, at, id, ${ident(column)}) VALUES ('s1', '2026-01-12', 9999, 'born during the change')`;
}

/** The name of a leaf of the first site. */
export function leafOf({ table }: ContractNames, month: string): string {
  return `${table} of_site_s1_2026_${month}`;
}
