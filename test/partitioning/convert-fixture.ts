import { emit } from "../../src/definition/emit/emit.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import { app, nested, programs, readings, schema } from "./scheme-fixture.ts";

/** The table that is to be partitioned, as a plain one. */
export const TABLE = `${schema}.readings`;

/** The schema in which other tables look at it. */
export const NAMES = [`we"ird Schema`, "elsewhere"];

/** By program, site and month. */
export const scheme = nested as typeof nested & Scheme;

/** A plain table with all that one may have beside rows: its primary key is one column. */
export function plainSetup(): string {
  const made = emit([app, programs, readings], []);
  const rank = ["schema", "table", "index", "constraint", "rowSecurity"];
  const create = rank
    .flatMap((kind) => made.filter((object) => object.kind === kind))
    .map((object) => object.create)
    .join(";\n");
  return `${create};
  ALTER TABLE ${TABLE} DROP CONSTRAINT readings_pkey;
  ALTER TABLE ${TABLE} ADD CONSTRAINT readings_pkey PRIMARY KEY (reading_id) WITH (fillfactor = 70);
  COMMENT ON CONSTRAINT readings_pkey ON ${TABLE} IS 'the key'`;
}

/** What a table may have beside rows: each of it goes with the name. */
export const BESIDE = `
  DO $$ BEGIN CREATE ROLE parts_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
  CREATE SCHEMA elsewhere;
  ALTER TABLE ${TABLE} ADD COLUMN "a % gone" integer;
  ALTER TABLE ${TABLE} DROP COLUMN "a % gone";
  ALTER TABLE ${TABLE} ADD COLUMN twice integer GENERATED ALWAYS AS (value * 2) STORED;
  ALTER TABLE ${TABLE} ADD COLUMN number serial;
  ALTER TABLE ${TABLE} ADD COLUMN "100 %" text;
  ALTER TABLE ${TABLE} ADD CONSTRAINT small CHECK (value < 1000000);
  ALTER TABLE ${TABLE} ALTER COLUMN value SET STATISTICS 500;
  ALTER TABLE ${TABLE} SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
  CREATE UNIQUE INDEX "one % value" ON ${TABLE} (program_id, site_id, created_at, value DESC) WHERE value > 5;
  ALTER TABLE ${TABLE} ADD CONSTRAINT "a number" UNIQUE (number);
  COMMENT ON CONSTRAINT readings_program_fkey ON ${TABLE} IS 'a key';
  COMMENT ON INDEX ${schema}."one % value" IS 'an index';
  COMMENT ON TABLE ${TABLE} IS 'readings';
  COMMENT ON COLUMN ${TABLE}.value IS 'a value';
  CREATE TABLE ${schema}.seen (what text);
  CREATE FUNCTION ${schema}.saw() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO ${schema}.seen VALUES (TG_OP || ' ' || TG_NAME); RETURN NULL; END $f$;
  CREATE TRIGGER tells AFTER INSERT OR DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION ${schema}.saw();
  CREATE TRIGGER asleep AFTER UPDATE ON ${TABLE} FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.saw();
  ALTER TABLE ${TABLE} DISABLE TRIGGER asleep;
  COMMENT ON TRIGGER tells ON ${TABLE} IS 'a trigger';
  CREATE POLICY reads ON ${TABLE} FOR SELECT TO parts_reader USING (value > 0);
  CREATE POLICY floor ON ${TABLE} AS RESTRICTIVE USING (EXISTS (SELECT FROM ${schema}.programs p WHERE p.program_id = readings.program_id));
  ALTER TABLE ${TABLE} FORCE ROW LEVEL SECURITY;
  GRANT SELECT ON ${TABLE} TO parts_reader;
  GRANT UPDATE (value) ON ${TABLE} TO parts_reader WITH GRANT OPTION;
  CREATE VIEW elsewhere.high WITH (security_barrier = true) AS SELECT reading_id, value FROM ${TABLE} WHERE value > 15;
  CREATE VIEW elsewhere.higher AS SELECT * FROM elsewhere.high WHERE value > 25;
  GRANT SELECT ON elsewhere.high TO parts_reader;
  CREATE MATERIALIZED VIEW elsewhere.counted WITH (fillfactor = 80) AS SELECT site_id, sum(value) AS value FROM ${TABLE} GROUP BY site_id;
  CREATE UNIQUE INDEX "a site's" ON elsewhere.counted (site_id);
  COMMENT ON MATERIALIZED VIEW elsewhere.counted IS 'by site';
  COMMENT ON COLUMN elsewhere.counted.value IS 'a sum';
  GRANT SELECT ON elsewhere.counted TO parts_reader;
  CREATE VIEW elsewhere.counts AS SELECT value FROM elsewhere.counted;
  CREATE TABLE elsewhere.notes (program_id text, site_id text, created_at timestamptz, reading uuid,
    CONSTRAINT note_of FOREIGN KEY (reading) REFERENCES ${TABLE} ON DELETE CASCADE);
  COMMENT ON CONSTRAINT note_of ON elsewhere.notes IS 'of a reading';
  ALTER TABLE elsewhere.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY of_high ON elsewhere.notes USING (EXISTS (SELECT FROM ${TABLE} r WHERE r.reading_id = reading AND r.value > 15))`;

/** Three readings of each of two sites, over two months. */
export const ROWS = `
  INSERT INTO ${schema}.programs VALUES ('p1'), ('p2');
  INSERT INTO ${TABLE} (program_id, site_id, created_at, value)
  SELECT 'p1', s.site, d.day::timestamptz, d.value * s.times
  FROM (VALUES ('s1', 1), ('s2', 10)) AS s (site, times),
    (VALUES (1, '2026-01-01'), (2, '2026-01-11'), (3, '2026-02-02')) AS d (value, day);
  INSERT INTO elsewhere.notes SELECT program_id, site_id, created_at, reading_id FROM ${TABLE} WHERE value = 20`;
