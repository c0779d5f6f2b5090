import { ident, qualified } from "../../src/sql/quote.ts";

/** The names that a script is tried with. */
export interface World {
  readonly schema: string;
  readonly at: (name: string) => string;
}

/** A world in a schema of any name. */
export function worldIn(schema: string): World {
  return { schema, at: (name) => qualified(schema, name) };
}

/** Two tables with rows, one of them above the size that needs no ceremony, and what hangs on them. */
export function setupOf({ schema, at }: World): string {
  return `CREATE SCHEMA IF NOT EXISTS ${ident(schema)};
CREATE TABLE ${at("orgs")} (id integer PRIMARY KEY, name text);
INSERT INTO ${at("orgs")} SELECT n, 'org ' || n FROM generate_series(1, 50) AS n;
CREATE TABLE ${at("users")} (id integer PRIMARY KEY, email text, org integer, age integer, plan text DEFAULT 'free' NOT NULL,
  note text, filler text, CONSTRAINT known CHECK (age < 200));
INSERT INTO ${at("users")} SELECT n, 'u' || n, n % 50 + 1, n % 90, 'free', NULL, repeat('x', 400)
  FROM generate_series(1, 3000) AS n;
CREATE INDEX users_note_idx ON ${at("users")} (note);
CREATE INDEX users_plan_idx ON ${at("users")} (plan) WHERE plan <> 'free';
CREATE TABLE ${at("logs")} (at integer NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE ${at("logs_1")} PARTITION OF ${at("logs")} FOR VALUES FROM (0) TO (1000);
CREATE TABLE ${at("logs_2")} PARTITION OF ${at("logs")} FOR VALUES FROM (1000) TO (2000);
INSERT INTO ${at("logs")} SELECT n % 2000, repeat('y', 600) FROM generate_series(1, 4000) AS n;
CREATE TYPE ${at("mood")} AS ENUM ('ok', 'sad');
CREATE VIEW ${at("old_users")} AS SELECT id FROM ${at("users")} WHERE age > 60;
CREATE MATERIALIZED VIEW ${at("totals")} AS SELECT org, count(*) AS n FROM ${at("users")} GROUP BY org;
CREATE UNIQUE INDEX totals_org_idx ON ${at("totals")} (org);
ANALYZE`;
}

/** Scripts, each with the rules that it breaks. */
export const SCRIPTS: readonly (readonly [
  name: string,
  sql: (world: World) => string,
  rules: readonly string[],
])[] = [
  [
    "SET NOT NULL",
    ({ at }) => `ALTER TABLE ${at("users")} ALTER COLUMN email SET NOT NULL`,
    ["set-not-null"],
  ],
  [
    "DROP NOT NULL",
    ({ at }) => `ALTER TABLE ${at("users")} ALTER plan DROP NOT NULL`,
    ["drop-not-null"],
  ],
  [
    "several commands at once, in the order of PostgreSQL",
    ({ at }) => `ALTER TABLE ${at("users")} ADD CONSTRAINT c CHECK (score >= 0),
      ADD COLUMN score numeric(10, 2) DEFAULT 0 NOT NULL, ALTER COLUMN note SET DEFAULT 'a, b', ALTER plan DROP DEFAULT,
      ALTER email SET STATISTICS 200`,
    ["add-check"],
  ],
  [
    "ADD COLUMN with a value for each row, and with constraints",
    ({
      at,
    }) => `ALTER TABLE ${at("users")} ADD COLUMN token uuid DEFAULT gen_random_uuid() NOT NULL UNIQUE;
      ALTER TABLE ${at("users")} ADD COLUMN boss integer CONSTRAINT own REFERENCES ${at("users")} (id) CHECK (boss > 0);`,
    [
      "add-column-rewrite",
      "add-column-constraint",
      "add-column-constraint",
      "add-column-constraint",
    ],
  ],
  [
    "ADD COLUMN with one value",
    ({ at }) => `ALTER TABLE ${at("users")} ADD born timestamptz NOT NULL DEFAULT now()`,
    [],
  ],
  [
    "ADD CHECK, FOREIGN KEY and UNIQUE",
    ({
      at,
    }) => `ALTER TABLE ${at("users")} ADD CONSTRAINT grown CHECK (age >= 0 AND (note IS NULL OR note <> ')'));
      ALTER TABLE ${at("users")} ADD CONSTRAINT of_org FOREIGN KEY (org) REFERENCES ${at("orgs")} ON DELETE SET NULL (org) ON UPDATE CASCADE;
      ALTER TABLE ${at("users")} ADD CONSTRAINT one_email UNIQUE (email);
      ALTER TABLE ${at("users")} ADD CONSTRAINT one_note UNIQUE NULLS NOT DISTINCT (id, note) INCLUDE (age) DEFERRABLE INITIALLY DEFERRED;
      ALTER TABLE ${at("users")} ADD CONSTRAINT of_org_again FOREIGN KEY (org) REFERENCES ${at("orgs")} (id) MATCH FULL DEFERRABLE`,
    ["add-check", "add-foreign-key", "add-unique", "add-unique", "add-foreign-key"],
  ],
  [
    "CREATE INDEX, with all that an index may have",
    ({
      at,
    }) => `CREATE UNIQUE INDEX IF NOT EXISTS "by mail" ON ${at("users")} USING btree (lower(email) DESC NULLS LAST, id) INCLUDE (age) WITH (fillfactor = 70) WHERE email <> ''; -- the end
      CREATE INDEX ON ${at("logs")} (lower(body) text_pattern_ops, (at + 1) desc nulls last, body collate "C") INCLUDE (at) WHERE at > 5`,
    ["index-if-not-exists", "create-index", "create-index"],
  ],
  [
    "DROP INDEX",
    ({ at }) => `DROP INDEX ${at("users_note_idx")}, ${at("users_plan_idx")}`,
    ["drop-index", "drop-index"],
  ],
  [
    "REINDEX and REFRESH",
    ({ at }) => `REINDEX TABLE ${at("users")}; REFRESH MATERIALIZED VIEW ${at("totals")}`,
    ["reindex", "refresh-view"],
  ],
  [
    "ALTER TYPE",
    ({ at }) => `ALTER TABLE ${at("users")} ALTER COLUMN age TYPE bigint`,
    ["change-type"],
  ],
  [
    "RENAME of a column",
    ({ at }) => `ALTER TABLE ${at("users")} RENAME COLUMN email TO mail`,
    ["rename-column"],
  ],
  [
    "RENAME of a table",
    ({ at }) => `ALTER TABLE ${at("users")} RENAME TO people`,
    ["rename-table"],
  ],
  [
    "a value of an enum",
    ({ at }) => `ALTER TYPE ${at("mood")} RENAME VALUE 'ok' TO 'good'`,
    ["rename-enum-value"],
  ],
  [
    "row security with its policies",
    ({ at }) => `ALTER TABLE ${at("users")} ENABLE ROW LEVEL SECURITY;
      COMMENT ON TABLE ${at("users")} IS 'protected';
      ALTER TABLE ${at("users")} FORCE ROW LEVEL SECURITY;
      CREATE POLICY own ON ${at("users")} TO PUBLIC USING (email = current_user AND (org IS NOT NULL)) WITH CHECK (org IN (SELECT id FROM ${at("orgs")}));`,
    [],
  ],
  [
    "DROP CONSTRAINT",
    ({ at }) =>
      `ALTER TABLE ${at("users")} DROP CONSTRAINT known; ALTER TABLE ${at("users")} DROP CONSTRAINT users_pkey`,
    ["drop-constraint", "drop-constraint"],
  ],
  [
    "DETACH",
    ({ at }) => `ALTER TABLE ${at("logs")} DETACH PARTITION ${at("logs_2")}`,
    ["detach-partition"],
  ],
  [
    "new tables, and what belongs to them",
    ({ at }) => `BEGIN;
      CREATE TABLE ${at("teams")} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, org integer REFERENCES ${at("orgs")} (id));
      CREATE INDEX teams_org_idx ON ${at("teams")} (org);
      ALTER TABLE ${at("teams")} ADD COLUMN name text NOT NULL;
      CREATE FUNCTION ${at("touch")}(a integer, OUT b text, c ${at("mood")}[] DEFAULT NULL) LANGUAGE sql AS 'SELECT NULL';
      CREATE VIEW ${at("team_names")} AS SELECT name FROM ${at("teams")};
      COMMENT ON COLUMN ${at("teams")}.name IS 'said';
      GRANT SELECT ON ${at("teams")} TO PUBLIC;
      COMMIT;`,
    ["transaction-control", "transaction-control"],
  ],
  [
    "what is taken over as it is",
    ({
      at,
    }) => `CREATE FUNCTION ${at("nothing")}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER after_users AFTER INSERT ON ${at("users")} FOR EACH ROW EXECUTE FUNCTION ${at("nothing")}();
      CREATE VIEW ${at("grown")} AS SELECT u.id FROM ${at("users")} u JOIN ${at("orgs")} o ON o.id = u.org;
      COMMENT ON TABLE ${at("users")} IS 'people'; COMMENT ON COLUMN ${at("users")}.age IS 'in years';
      CREATE STATISTICS ${at("org_and_age")} ON org, age FROM ${at("users")};
      CREATE TABLE ${at("logs_3")} (LIKE ${at("logs")} INCLUDING ALL);
      ALTER TABLE ${at("logs")} ATTACH PARTITION ${at("logs_3")} FOR VALUES FROM (2000) TO (3000);
      ALTER INDEX ${at("users_note_idx")} RENAME TO by_note;
      ALTER TABLE ${at("users")} RENAME CONSTRAINT known TO known_age;
      ALTER TABLE ${at("users")} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;
      CREATE SEQUENCE ${at("numbers")}; CREATE TYPE ${at("pair")} AS (a integer, b text);
      CREATE DOMAIN ${at("positive")} AS integer CHECK (VALUE > 0);
      ALTER TABLE ${at("orgs")} ALTER name SET NOT NULL, ADD CONSTRAINT named CHECK (name <> '');
      CREATE INDEX ON ${at("orgs")} (name);
      INSERT INTO ${at("orgs")} VALUES (99, 'new')`,
    [],
  ],
  [
    "UPDATE of what is NULL",
    ({ at }) =>
      `UPDATE ${at("users")} SET note = 'none', age = age + 1 WHERE note IS NULL AND age < 50`,
    ["unbatched-write"],
  ],
];
