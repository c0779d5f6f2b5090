import type { RuleName } from "../../src/migrations/rewrite/rules.ts";

/** For each rule a statement that breaks it, and one that does the same and does not. */
export const EXAMPLES: Readonly<
  Record<RuleName, { readonly bad: string; readonly good?: string }>
> = {
  "add-column-rewrite": {
    bad: "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    good: "ALTER TABLE users ADD COLUMN at timestamptz NOT NULL DEFAULT now()",
  },
  "add-column-not-null": {
    bad: "ALTER TABLE users ADD COLUMN age integer NOT NULL",
    good: "ALTER TABLE users ADD COLUMN age integer NOT NULL DEFAULT 0",
  },
  "add-column-constraint": {
    bad: "ALTER TABLE users ADD COLUMN age integer CONSTRAINT grown CHECK (age > 17)",
    good: "ALTER TABLE users ADD COLUMN age integer",
  },
  "set-not-null": {
    bad: "ALTER TABLE users ALTER COLUMN email SET NOT NULL",
    good: `ALTER TABLE users ADD CONSTRAINT filled CHECK (email IS NOT NULL) NOT VALID;
        ALTER TABLE users VALIDATE CONSTRAINT filled;
        ALTER TABLE users ALTER COLUMN email SET NOT NULL`,
  },
  "add-check": {
    bad: "ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 17)",
    good: "ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 17) NOT VALID",
  },
  "add-foreign-key": {
    bad: "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (org) REFERENCES orgs (id)",
    good: "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (org) REFERENCES orgs (id) NOT VALID",
  },
  "add-unique": {
    bad: "ALTER TABLE users ADD CONSTRAINT one UNIQUE (email)",
    good: "ALTER TABLE users ADD CONSTRAINT one UNIQUE USING INDEX one",
  },
  "add-primary-key": {
    bad: "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (id)",
    good: "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_pkey",
  },
  "add-exclusion": {
    bad: "ALTER TABLE stays ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&)",
  },
  "create-index": {
    bad: "CREATE INDEX users_email_idx ON users (email)",
    good: "CREATE INDEX CONCURRENTLY users_email_idx ON users (email)",
  },
  "index-if-not-exists": {
    bad: "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email)",
  },
  "drop-index": {
    bad: "DROP INDEX users_email_idx",
    good: "DROP INDEX CONCURRENTLY users_email_idx",
  },
  reindex: { bad: "REINDEX TABLE users", good: "REINDEX TABLE CONCURRENTLY users" },
  "change-type": { bad: "ALTER TABLE users ALTER COLUMN id TYPE bigint" },
  "rewrite-table": { bad: "ALTER TABLE users SET UNLOGGED" },
  "rename-column": { bad: "ALTER TABLE users RENAME COLUMN mail TO email" },
  "rename-table": { bad: "ALTER TABLE users RENAME TO people" },
  "rename-object": { bad: "ALTER VIEW active_users RENAME TO active" },
  "drop-column": { bad: "ALTER TABLE users DROP COLUMN email" },
  "drop-table": { bad: "DROP TABLE users" },
  "drop-object": { bad: "DROP VIEW active_users" },
  "drop-cascade": { bad: "DROP TABLE users CASCADE" },
  "drop-not-null": { bad: "ALTER TABLE users ALTER COLUMN email DROP NOT NULL" },
  "drop-constraint": { bad: "ALTER TABLE users DROP CONSTRAINT users_org_fkey" },
  truncate: { bad: "TRUNCATE users" },
  "unbatched-write": {
    bad: "UPDATE users SET active = true",
    good: "INSERT INTO users (id) VALUES (1), (2)",
  },
  "create-partition": {
    bad: "CREATE TABLE logs_may PARTITION OF logs FOR VALUES FROM (1) TO (2)",
    good: "CREATE TABLE logs_may (LIKE logs INCLUDING ALL)",
  },
  "attach-partition": {
    bad: "ALTER TABLE logs ATTACH PARTITION logs_may FOR VALUES FROM (1) TO (2)",
    good: `CREATE TABLE logs_may (LIKE logs INCLUDING ALL);
        ALTER TABLE logs ATTACH PARTITION logs_may FOR VALUES FROM (1) TO (2)`,
  },
  "detach-partition": {
    bad: "ALTER TABLE logs DETACH PARTITION logs_may",
    good: "ALTER TABLE logs DETACH PARTITION logs_may CONCURRENTLY",
  },
  "refresh-view": {
    bad: "REFRESH MATERIALIZED VIEW totals",
    good: "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
  },
  "lock-table": { bad: "LOCK TABLE users IN SHARE MODE" },
  "domain-constraint": {
    bad: "ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%')",
    good: "ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT VALID",
  },
  "no-policy": {
    bad: "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    good: `ALTER TABLE users ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON users FOR SELECT TO PUBLIC USING (email = current_user)`,
  },
  "disable-row-security": { bad: "ALTER TABLE users DISABLE ROW LEVEL SECURITY" },
  "no-force-row-security": { bad: "ALTER TABLE users NO FORCE ROW LEVEL SECURITY" },
  "rename-enum-value": {
    bad: "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
    good: "ALTER TYPE mood ADD VALUE 'fine'",
  },
  "drop-database": { bad: "DROP DATABASE shop" },
  "server-wide": { bad: "ALTER SYSTEM SET work_mem = '1GB'" },
  "concurrently-in-transaction": {
    bad: "BEGIN; CREATE INDEX CONCURRENTLY users_email_idx ON users (email); COMMIT",
  },
  "validate-with-add": {
    bad: `BEGIN; ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 17) NOT VALID;
        ALTER TABLE users VALIDATE CONSTRAINT grown; COMMIT`,
    good: `BEGIN; ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 17) NOT VALID; COMMIT;
        BEGIN; ALTER TABLE users VALIDATE CONSTRAINT grown; COMMIT`,
  },
  "locks-held-together": {
    bad: `BEGIN; ALTER TABLE users ADD COLUMN a text; ALTER TABLE orgs ADD COLUMN b text; COMMIT`,
    good: "ALTER TABLE users ADD COLUMN a text; ALTER TABLE orgs ADD COLUMN b text",
  },
  "transaction-control": { bad: "BEGIN; ALTER TABLE users ADD COLUMN a text; COMMIT" },
  "session-setting": { bad: "SET search_path = app" },
  "timeout-setting": { bad: "SET lock_timeout = '2s'" },
  "dynamic-sql": { bad: "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$" },
  "copy-data": { bad: "COPY users FROM STDIN" },
  parameter: { bad: "ALTER TABLE users ALTER COLUMN age SET DEFAULT $1" },
  "not-understood": { bad: "CREATE ACCESS METHOD own TYPE TABLE HANDLER heap_tableam_handler" },
  "psql-command": { bad: "\\set ON_ERROR_STOP on\nALTER TABLE users ADD COLUMN a text" },
  "syntax-error": { bad: "ALTER TABEL users ADD COLUMN a text" },
  "newer-postgres": { bad: "SELECT uuidv7()", good: "SELECT gen_random_uuid()" },
  "narrow-key": {
    bad: "CREATE TABLE t (id integer PRIMARY KEY)",
    good: "CREATE TABLE t (id bigint PRIMARY KEY)",
  },
  "serial-column": {
    bad: "CREATE TABLE t (id bigserial PRIMARY KEY)",
    good: "CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)",
  },
  "time-without-zone": {
    bad: "CREATE TABLE t (at timestamp)",
    good: "CREATE TABLE t (at timestamptz)",
  },
  "padded-text": { bad: "CREATE TABLE t (code char(3))", good: "CREATE TABLE t (code text)" },
  "json-column": { bad: "CREATE TABLE t (data json)", good: "CREATE TABLE t (data jsonb)" },
  "wide-index": {
    bad: "CREATE INDEX CONCURRENTLY i ON t (a, b, c, d)",
    good: "CREATE INDEX CONCURRENTLY i ON t (a, b) INCLUDE (c, d)",
  },
  "long-name": {
    bad: `CREATE TABLE ${"a".repeat(64)} (id bigint)`,
    good: `CREATE TABLE ${"a".repeat(63)} (id bigint)`,
  },
  "unnamed-constraint": {
    bad: "ALTER TABLE users ADD CHECK (age > 17) NOT VALID",
    good: "ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 17) NOT VALID",
  },
  "unused-allow": {
    bad: "-- underpin-lint: allow drop-table because it is empty\nSELECT 1",
    good: "-- underpin-lint: allow drop-table because it is empty\nDROP TABLE t",
  },
  "allow-without-reason": { bad: "-- underpin-lint: allow drop-table\nDROP TABLE t" },
  "unknown-rule": { bad: "-- underpin-lint: allow drop-tables because I may\nDROP TABLE t" },
};
