import type { CheckId } from "../../src/rls/audit/finding.ts";
import { S } from "./audit-fixture.ts";

/** One way to break the clean database, and the object that the finding has to name. */
export const SABOTAGE: Readonly<Record<CheckId, readonly [sql: string, object: string]>> = {
  rls_disabled: [
    `CREATE TABLE ${S}.open (id int PRIMARY KEY) PARTITION BY LIST (id); GRANT SELECT ON ${S}.open TO clerk`,
    `table ${S}."open"`,
  ],
  policy_rls_disabled: [
    `ALTER TABLE ${S}.events DISABLE ROW LEVEL SECURITY`,
    `table ${S}."events"`,
  ],
  rls_not_forced: [`ALTER TABLE ${S}.events NO FORCE ROW LEVEL SECURITY`, `table ${S}."events"`],
  policy_missing: [
    `CREATE TABLE ${S}.shut (id int PRIMARY KEY); ALTER TABLE ${S}.shut ENABLE ROW LEVEL SECURITY;
     ALTER TABLE ${S}.shut FORCE ROW LEVEL SECURITY; GRANT SELECT ON ${S}.shut TO clerk`,
    `table ${S}."shut"`,
  ],
  partition_without_rls: [
    `CREATE TABLE ${S}.events_2 PARTITION OF ${S}.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')`,
    `table ${S}."events_2"`,
  ],
  partition_reachable: [`GRANT SELECT ON ${S}.events_1_a TO clerk`, `table ${S}."events_1_a"`],
  restrictive_without_predicate: [
    `DROP POLICY tenant_floor ON ${S}.events; CREATE POLICY tenant_floor ON ${S}.events AS RESTRICTIVE TO clerk, boss`,
    `policy "tenant_floor" of table ${S}."events"`,
  ],
  policy_always_true: [
    `DROP POLICY tenant_floor ON ${S}.events; ALTER POLICY boss_insert ON ${S}.events WITH CHECK (true)`,
    `policy "boss_insert" of table ${S}."events"`,
  ],
  floor_gap: [
    `ALTER POLICY tenant_floor ON ${S}.events TO boss`,
    `policy "tenant_floor" of table ${S}."events"`,
  ],
  policy_to_public: [
    `ALTER POLICY everyone ON ${S}.colours TO PUBLIC`,
    `policy "everyone" of table ${S}."colours"`,
  ],
  policy_per_row: [
    `ALTER POLICY clerk_select ON ${S}.events USING (tenant_id = (SELECT ${S}.current_tenant_id()) AND tenant_id = current_setting('app.tenant_id')::uuid)`,
    `policy "clerk_select" of table ${S}."events"`,
  ],
  policy_correlated: [
    `ALTER POLICY clerk_update ON ${S}.orders USING ((SELECT ${S}.current_user_id() = owner_id))`,
    `policy "clerk_update" of table ${S}."orders"`,
  ],
  policy_trusts_user: [
    `CREATE SCHEMA auth; CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE SET search_path TO '' AS $$ SELECT '{}'::jsonb $$;
     ALTER POLICY clerk_select ON ${S}.people USING (((SELECT auth.jwt()) -> 'user_metadata' ->> 'kind') = kind)`,
    `policy "clerk_select" of table ${S}."people"`,
  ],
  policies_overlap: [
    `CREATE POLICY more ON ${S}.events FOR ALL TO clerk USING (n = 1)`,
    `table ${S}."events"`,
  ],
  policy_without_grant: [
    `CREATE POLICY clerk_delete ON ${S}.people FOR DELETE TO clerk USING (kind = 'x')`,
    `policy "clerk_delete" of table ${S}."people"`,
  ],
  dead_grant: [`GRANT DELETE ON ${S}.events TO clerk`, `table ${S}."events"`],
  dangerous_grant: [`GRANT TRUNCATE ON ${S}.events TO clerk`, `table ${S}."events"`],
  public_grant: [`GRANT SELECT ON ${S}.events TO PUBLIC`, `table ${S}."events"`],
  grant_option: [`GRANT SELECT ON ${S}.orders TO clerk WITH GRANT OPTION`, `table ${S}."orders"`],
  schema_create: [`GRANT CREATE ON SCHEMA ${S} TO clerk`, `schema ${S}`],
  default_privileges: [
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${S} GRANT ALL ON TABLES TO clerk`,
    `schema ${S}`,
  ],
  view_definer: [
    `ALTER VIEW ${S}.order_list SET (security_invoker = false)`,
    `view ${S}."order_list"`,
  ],
  view_of_users: [
    `CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
     CREATE VIEW ${S}.accounts WITH (security_invoker = true) AS SELECT id FROM auth.users; GRANT SELECT ON ${S}.accounts TO clerk`,
    `view ${S}."accounts"`,
  ],
  matview_granted: [
    `GRANT SELECT ON ${S}.order_counts TO clerk`,
    `materialized view ${S}."order_counts"`,
  ],
  foreign_table_granted: [
    `CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;
     CREATE FOREIGN TABLE ${S}.remote (id int) SERVER away; GRANT SELECT ON ${S}.remote TO clerk`,
    `foreign table ${S}."remote"`,
  ],
  rule_as_owner: [
    `CREATE RULE quiet AS ON DELETE TO ${S}.colours DO INSTEAD DELETE FROM ${S}.orders`,
    `rule "quiet" of table ${S}."colours"`,
  ],
  definer_search_path: [
    `ALTER FUNCTION ${S}.my_orders() RESET search_path`,
    `function ${S}."my_orders"()`,
  ],
  search_path_mutable: [
    `ALTER FUNCTION ${S}.current_user_id() RESET search_path`,
    `function ${S}."current_user_id"()`,
  ],
  definer_public: [
    `GRANT EXECUTE ON FUNCTION ${S}.my_orders() TO PUBLIC`,
    `function ${S}."my_orders"()`,
  ],
  immutable_context: [
    `CREATE FUNCTION ${S}.whose() RETURNS uuid LANGUAGE sql IMMUTABLE SET search_path TO '' AS $$ SELECT ${S}.current_user_id() $$`,
    `function ${S}."whose"()`,
  ],
  tenant_nullable: [
    `ALTER TABLE ${S}.orders DROP CONSTRAINT orders_pkey; ALTER TABLE ${S}.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
     ALTER TABLE ${S}.orders ALTER tenant_id DROP NOT NULL`,
    `column "tenant_id" of table ${S}."orders"`,
  ],
  unique_oracle: [
    `ALTER TABLE ${S}.people ADD CONSTRAINT one_email UNIQUE (email)`,
    `index ${S}."one_email"`,
  ],
  foreign_key_oracle: [
    `CREATE UNIQUE INDEX by_id ON ${S}.people (id); ALTER TABLE ${S}.orders DROP CONSTRAINT orders_owner;
     ALTER TABLE ${S}.orders ADD CONSTRAINT orders_owner FOREIGN KEY (owner_id) REFERENCES ${S}.people (id) ON DELETE CASCADE`,
    `constraint "orders_owner" of table ${S}."orders"`,
  ],
  foreign_key_to_auth: [
    `CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text CONSTRAINT users_email UNIQUE);
     ALTER TABLE ${S}.people ADD CONSTRAINT account FOREIGN KEY (email) REFERENCES auth.users (email)`,
    `constraint "account" of table ${S}."people"`,
  ],
  tenant_not_indexed: [
    `ALTER TABLE ${S}.events DROP CONSTRAINT events_pkey; ALTER TABLE ${S}.events ADD CONSTRAINT events_pkey PRIMARY KEY (day, n, tenant_id)`,
    `table ${S}."events"`,
  ],
  filter_not_leakproof: [
    `CREATE INDEX search ON ${S}.orders USING gin (to_tsvector('simple', note))`,
    `index ${S}."search"`,
  ],
  no_primary_key: [`CREATE TABLE ${S}.heap (n int)`, `table ${S}."heap"`],
  unindexed_foreign_key: [
    `DROP INDEX ${S}.orders_by_owner`,
    `constraint "orders_owner" of table ${S}."orders"`,
  ],
  duplicate_index: [`CREATE INDEX again ON ${S}.people (tenant_id, email)`, `index ${S}."again"`],
  sensitive_columns: [
    `CREATE TABLE ${S}.logins (id int PRIMARY KEY, password_hash text); GRANT SELECT ON ${S}.logins TO clerk`,
    `table ${S}."logins"`,
  ],
  reg_column: [
    `ALTER TABLE ${S}.colours ADD of regprocedure`,
    `column "of" of table ${S}."colours"`,
  ],
  extension_in_public: [`CREATE EXTENSION unaccent SCHEMA public`, `extension "unaccent"`],
  extension_outdated: [
    `CREATE SCHEMA extensions; CREATE EXTENSION unaccent SCHEMA extensions;
     UPDATE pg_catalog.pg_extension SET extversion = '0.9' WHERE extname = 'unaccent'`,
    `extension "unaccent"`,
  ],
  owner_login: [
    `CREATE ROLE somebody LOGIN; ALTER TABLE ${S}.colours OWNER TO somebody`,
    `role "somebody"`,
  ],
  owner_inherited: [
    `CREATE ROLE owners NOLOGIN; ALTER TABLE ${S}.colours OWNER TO owners; CREATE ROLE heir LOGIN INHERIT IN ROLE owners`,
    `role "heir"`,
  ],
  persona_widened: [
    `CREATE ROLE keeper NOLOGIN; ALTER TABLE ${S}.colours OWNER TO keeper; CREATE ROLE between; GRANT keeper TO between; GRANT between TO clerk`,
    `role "clerk"`,
  ],
  bypassing_login: [
    `CREATE ROLE past LOGIN BYPASSRLS; GRANT SELECT ON ${S}.colours TO past`,
    `role "past"`,
  ],
};
