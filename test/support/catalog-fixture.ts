import { ident, qualified } from "../../src/sql/quote.ts";

/** The names of the catalog fixture, hostile ones where a name can be. */
export const SCHEMA = `we"ird Schema`;
export const TABLE = `ta"ble`;
export const COLUMN = `co'l`;

/** The names of the fixture as SQL. */
export const S = ident(SCHEMA);
export const T = qualified(SCHEMA, TABLE);
export const C = ident(COLUMN);

/** SQL that makes one of each kind of object that facts know, owned by the login and granted to `reader`. */
export function catalogFixture(reader: string): string {
  const r = ident(reader);
  return `
CREATE SCHEMA ${S};
COMMENT ON SCHEMA ${S} IS 'the schema';
CREATE TYPE ${S}.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN ${S}.positive AS int DEFAULT 1 CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE TYPE ${S}.pair AS (a int, b text COLLATE "C");
CREATE TYPE ${S}.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE SEQUENCE ${S}.loose INCREMENT 5;
CREATE FUNCTION ${S}.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION ${S}.add_one(a int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT a + 1; END;
CREATE FUNCTION ${S}.add_one(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
CREATE PROCEDURE ${S}.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE ${S}.total (int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE TABLE ${S}.parents (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT parents_pkey PRIMARY KEY,
  tenant int NOT NULL,
  code text CONSTRAINT parents_code UNIQUE
);
CREATE TABLE ${T} (
  id bigserial CONSTRAINT table_pkey PRIMARY KEY,
  ${C} text COLLATE "C" DEFAULT 'it''s',
  parent_id bigint CONSTRAINT to_parent REFERENCES ${S}.parents ON DELETE CASCADE DEFERRABLE,
  size ${S}.positive NOT NULL,
  feeling ${S}.mood DEFAULT 'ok',
  twice int GENERATED ALWAYS AS (id * 2) STORED,
  made timestamptz NOT NULL DEFAULT '2026-01-01 00:00:00+02',
  CONSTRAINT small CHECK (size < 1000)
) WITH (fillfactor = 80, toast.autovacuum_enabled = false);
COMMENT ON TABLE ${T} IS 'the table';
COMMENT ON COLUMN ${T}.${C} IS 'the column';
ALTER TABLE ${T} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${T} FORCE ROW LEVEL SECURITY;
ALTER TABLE ${T} ALTER ${C} SET STATISTICS 50;
CREATE INDEX by_col ON ${T} (${C} text_pattern_ops DESC, (lower(${C})) COLLATE "C") INCLUDE (size) WHERE size > 1;
CREATE UNIQUE INDEX by_made ON ${T} (made) NULLS NOT DISTINCT;
CREATE POLICY mine ON ${T} FOR UPDATE TO ${r} USING (id > 1) WITH CHECK (id > 2);
CREATE POLICY all_of_us ON ${T} AS RESTRICTIVE USING (true);
CREATE TRIGGER touched BEFORE INSERT OR UPDATE OF ${C} ON ${T} FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION ${S}.touch();
CREATE RULE quiet AS ON DELETE TO ${S}.parents DO ALSO SELECT 1;
CREATE VIEW ${S}.seen WITH (security_invoker = true) AS SELECT id, ${C}, ${S}.add_one(1) AS one FROM ${T};
CREATE MATERIALIZED VIEW ${S}.counted AS SELECT ${C}, count(*) AS n FROM ${T} GROUP BY ${C};
CREATE UNIQUE INDEX counted_key ON ${S}.counted (${C});
CREATE TABLE ${S}.events (site int NOT NULL, day date NOT NULL, note text, CONSTRAINT events_pkey PRIMARY KEY (site, day)) PARTITION BY LIST (site);
CREATE TABLE ${S}.events_1 PARTITION OF ${S}.events FOR VALUES IN (1) PARTITION BY RANGE (day);
CREATE TABLE ${S}.events_1_a PARTITION OF ${S}.events_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE ${S}.events_2 PARTITION OF ${S}.events FOR VALUES IN (2);
CREATE TABLE ${S}.events_rest PARTITION OF ${S}.events DEFAULT;
CREATE INDEX events_note ON ${S}.events (note);
CREATE TRIGGER events_touched BEFORE INSERT ON ${S}.events FOR EACH ROW EXECUTE FUNCTION ${S}.touch();
CREATE TABLE ${S}.base (a int, CONSTRAINT base_a CHECK (a > 0));
CREATE TABLE ${S}.derived (b int) INHERITS (${S}.base);
CREATE PUBLICATION "pu""b" FOR TABLE ${T} (id, ${C}) WHERE (id > 5) WITH (publish = 'insert');
GRANT USAGE ON SCHEMA ${S} TO ${r};
GRANT SELECT ON ${T} TO ${r} WITH GRANT OPTION;
GRANT UPDATE (${C}) ON ${T} TO ${r};
GRANT SELECT ON ${S}.parents TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA ${S} GRANT SELECT ON TABLES TO ${r};
CREATE OPERATOR ${S}.=== (leftarg = int, rightarg = int, function = int4eq);
CREATE STATISTICS ${S}.related ON id, size FROM ${T};
CREATE COLLATION ${S}.plain (provider = libc, locale = 'C');
`;
}
