import { integer, pgSchema, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";

export const SCHEMA = `we"ird Schema`;
export const schema = `"we""ird Schema"`;
export const TABLE = `${schema}.readings`;

const app = pgSchema(SCHEMA);

/** The table as the application sees it once it is partitioned. */
export const readings = app
  .table(
    "readings",
    {
      programId: text("program_id").notNull(),
      siteId: text("site_id").notNull(),
      createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      readingId: uuid("reading_id").notNull().defaultRandom(),
      value: integer("value"),
    },
    (t) => [primaryKey({ columns: [t.programId, t.siteId, t.createdAt, t.readingId] })],
  )
  .enableRLS();

export const scheme = partitionBy(
  readings,
  list(readings.programId, { label: "prog" }),
  list(readings.siteId),
  range(readings.createdAt, { every: "1 month" }),
);

export const byMonth = partitionBy(
  readings,
  range(readings.createdAt, { every: "1 month", premake: 1 }),
);

/** The plain table as it is, with all that a table may have beside rows. */
export const SETUP = `
  DROP SCHEMA IF EXISTS ${schema} CASCADE;
  DROP SCHEMA IF EXISTS underpin CASCADE;
  DROP SCHEMA IF EXISTS elsewhere CASCADE;
  CREATE SCHEMA ${schema};
  CREATE SCHEMA elsewhere;
  DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'attach_reader') THEN CREATE ROLE attach_reader; END IF; END $$;
  GRANT USAGE ON SCHEMA ${schema}, elsewhere TO attach_reader;
  CREATE TABLE ${schema}.programs (program_id text PRIMARY KEY);
  INSERT INTO ${schema}.programs SELECT 'p' || g FROM generate_series(1, 9) g;
  CREATE TABLE ${TABLE} (
    reading_id uuid NOT NULL DEFAULT gen_random_uuid(),
    program_id text NOT NULL,
    site_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    n integer GENERATED ALWAYS AS IDENTITY,
    number serial,
    value integer,
    twice integer GENERATED ALWAYS AS (value * 2) STORED,
    CONSTRAINT readings_pkey PRIMARY KEY (reading_id),
    CONSTRAINT small CHECK (value < 1000000),
    CONSTRAINT readings_program_fkey FOREIGN KEY (program_id) REFERENCES ${schema}.programs
  );
  COMMENT ON CONSTRAINT readings_pkey ON ${TABLE} IS 'a key';
  ALTER TABLE ${TABLE} ALTER COLUMN value SET STATISTICS 500;
  ALTER TABLE ${TABLE} SET (fillfactor = 90);
  CREATE INDEX readings_value_idx ON ${TABLE} (program_id, value DESC);
  CREATE UNIQUE INDEX "one % value" ON ${TABLE} (program_id, site_id, created_at, value DESC) WHERE value > 5;
  COMMENT ON INDEX ${schema}."one % value" IS 'an index';
  COMMENT ON TABLE ${TABLE} IS 'readings';
  COMMENT ON COLUMN ${TABLE}.value IS 'a value';
  CREATE TABLE ${schema}.seen (what text);
  CREATE FUNCTION ${schema}.saw() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO ${schema}.seen VALUES (TG_OP || ' ' || TG_NAME); RETURN NULL; END $f$;
  CREATE TRIGGER tells AFTER INSERT OR DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION ${schema}.saw();
  CREATE TRIGGER asleep AFTER UPDATE ON ${TABLE} FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.saw();
  CREATE TRIGGER emptied BEFORE TRUNCATE ON ${TABLE} FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.saw();
  ALTER TABLE ${TABLE} DISABLE TRIGGER asleep;
  ALTER TABLE ${TABLE} ENABLE ALWAYS TRIGGER tells;
  COMMENT ON TRIGGER tells ON ${TABLE} IS 'a trigger';
  ALTER TABLE ${TABLE} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE POLICY reads ON ${TABLE} FOR SELECT TO attach_reader USING (value > 0);
  CREATE POLICY floor ON ${TABLE} AS RESTRICTIVE TO attach_reader USING (EXISTS (SELECT FROM ${schema}.programs p WHERE p.program_id = readings.program_id));
  GRANT SELECT ON ${TABLE} TO attach_reader;
  GRANT SELECT ON ${schema}.programs TO attach_reader;
  GRANT UPDATE (value) ON ${TABLE} TO attach_reader WITH GRANT OPTION;
  CREATE VIEW elsewhere.per_program AS SELECT program_id, count(*)::integer AS n, sum(value)::integer AS total FROM ${TABLE} GROUP BY 1;
  CREATE VIEW elsewhere.over_it WITH (security_barrier) AS SELECT program_id, n FROM elsewhere.per_program WHERE n > 0;
  GRANT SELECT ON elsewhere.over_it TO attach_reader;
  COMMENT ON VIEW elsewhere.over_it IS 'a view';
  CREATE TABLE elsewhere.notes (program_id text);
  ALTER TABLE elsewhere.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY looks ON elsewhere.notes USING (EXISTS (SELECT FROM ${TABLE} r WHERE r.program_id = notes.program_id));
  INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES
    ('p1', 's1', '2026-01-01', 1), ('p1', 's1', '2026-01-11', 2), ('p1', 's2', '2026-02-02', 3),
    ('p2', 's1', '2026-01-01', 10), ('p2', 's1', '2026-01-11', 20), ('p2', 's2', '2026-02-02', 30)`;
