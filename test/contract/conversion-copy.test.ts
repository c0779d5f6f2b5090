import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract } from "./contract.ts";
import { monthlyOf, visitSql } from "./partitions-fixture.ts";

contract({
  name: "convertToPartitioned by a copy",
  setup: ({ schema, table, column }) => {
    const [visits, sites] = [qualified(schema, table), qualified(schema, "sites")];
    return `CREATE TABLE ${sites} (site text PRIMARY KEY);
      INSERT INTO ${sites} VALUES ('s1'), ('s2');
      CREATE TABLE ${visits} (${ident(column)} text, site text NOT NULL REFERENCES ${sites}, at timestamptz NOT NULL,
        id integer CONSTRAINT ${ident(`${table}_pkey`)} PRIMARY KEY, seq bigserial);
      CREATE INDEX ${ident(`${table} by ${column}`)} ON ${visits} (${ident(column)});
      CREATE VIEW ${qualified(schema, `${table} seen`)} AS SELECT id, ${ident(column)} FROM ${visits};
      CREATE TABLE ${qualified(schema, "notes")} (site text, at timestamptz, visit integer CONSTRAINT "note of" REFERENCES ${visits});
      CREATE FUNCTION ${qualified(schema, "saw")}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER ${ident(`saw ${column}`)} AFTER UPDATE ON ${visits} FOR EACH ROW EXECUTE FUNCTION ${qualified(schema, "saw")}();
      INSERT INTO ${visits} (site, at, id, ${ident(column)})
      SELECT 's' || 1 + g % 2, '2026-01-01'::timestamptz + g * interval '8 hours', g, 'x' || g FROM pg_catalog.generate_series(1, 240) AS g;
      INSERT INTO ${qualified(schema, "notes")} SELECT site, at, id FROM ${visits} WHERE id < 10`;
  },
  plan: (names, facts) =>
    convertToPartitioned({
      facts,
      scheme: monthlyOf(names),
      strategy: "copy",
      incoming: { "note of": ["site", "at", "visit"] },
    }),
  rows: true,
  insert: visitSql,
  // Partitions are made of the rows that are found: the plan says of them all together what it locks.
  undeclared: ({ table }) => {
    const made = `.${table} of_site_`;
    return (problem) => problem.includes(made) || /declared \d+ locks/.test(problem);
  },
});
