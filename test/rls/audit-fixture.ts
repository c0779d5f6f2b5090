/** A small protected database without a finding, in a schema whose name needs quoting. */
export const SCHEMA = `we"ird Schema`;

/** That schema as SQL. */
export const S = `"we""ird Schema"`;

/** The predicate of its restrictive policies. */
export const FLOOR = `tenant_id = (SELECT ${S}.current_tenant_id())`;

/** Tables, policies, grants, a partitioned table, views and functions as the library makes them. */
export const CLEAN = `
CREATE ROLE clerk NOLOGIN; CREATE ROLE boss NOLOGIN; CREATE ROLE reader NOLOGIN; CREATE ROLE underpin_migrator NOLOGIN;
CREATE ROLE app_login LOGIN NOINHERIT; GRANT clerk, boss TO app_login;
CREATE SCHEMA ${S};
GRANT USAGE ON SCHEMA ${S} TO clerk, boss, reader, underpin_migrator;
CREATE FUNCTION ${S}.current_tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO ''
  AS $$ SELECT pg_catalog.current_setting('app.tenant_id')::uuid $$;
CREATE FUNCTION ${S}.current_user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO ''
  AS $$ SELECT pg_catalog.current_setting('app.user_id')::uuid $$;
CREATE TABLE ${S}.people (
  tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), email text NOT NULL, kind text NOT NULL DEFAULT 'x',
  CONSTRAINT people_pkey PRIMARY KEY (tenant_id, id), CONSTRAINT people_email UNIQUE (tenant_id, email));
CREATE TABLE ${S}.orders (
  tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), owner_id uuid NOT NULL, note text,
  CONSTRAINT orders_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT orders_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES ${S}.people ON DELETE CASCADE);
CREATE INDEX orders_by_owner ON ${S}.orders (tenant_id, owner_id);
CREATE TABLE ${S}.events (tenant_id uuid NOT NULL, day date NOT NULL, n int NOT NULL, CONSTRAINT events_pkey PRIMARY KEY (tenant_id, day, n))
  PARTITION BY RANGE (day);
CREATE TABLE ${S}.events_1 PARTITION OF ${S}.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY LIST (n);
CREATE TABLE ${S}.events_1_a PARTITION OF ${S}.events_1 DEFAULT;
CREATE TABLE ${S}.colours (name text CONSTRAINT colours_pkey PRIMARY KEY);
${["people", "orders", "events", "events_1", "events_1_a", "colours"]
  .map(
    (name) =>
      `ALTER TABLE ${S}.${name} ENABLE ROW LEVEL SECURITY; ALTER TABLE ${S}.${name} FORCE ROW LEVEL SECURITY;`,
  )
  .join("\n")}
${["people", "orders", "events"]
  .map(
    (name) => `
CREATE POLICY tenant_floor ON ${S}.${name} AS RESTRICTIVE TO clerk, boss USING (${FLOOR}) WITH CHECK (${FLOOR});
CREATE POLICY clerk_select ON ${S}.${name} FOR SELECT TO clerk USING (${FLOOR});
CREATE POLICY boss_select ON ${S}.${name} FOR SELECT TO boss USING (${FLOOR});
CREATE POLICY boss_insert ON ${S}.${name} FOR INSERT TO boss WITH CHECK (${FLOOR});
CREATE POLICY migrator ON ${S}.${name} TO underpin_migrator USING (true) WITH CHECK (true);
GRANT SELECT ON ${S}.${name} TO clerk; GRANT SELECT, INSERT ON ${S}.${name} TO boss;
GRANT SELECT, INSERT, UPDATE, DELETE ON ${S}.${name} TO underpin_migrator;`,
  )
  .join("\n")}
CREATE POLICY clerk_update ON ${S}.orders FOR UPDATE TO clerk
  USING (owner_id = (SELECT ${S}.current_user_id())) WITH CHECK (owner_id = (SELECT ${S}.current_user_id()));
GRANT UPDATE ON ${S}.orders TO clerk;
CREATE POLICY everyone ON ${S}.colours FOR SELECT TO clerk, boss USING (true);
GRANT SELECT ON ${S}.colours TO clerk, boss;
CREATE POLICY reader ON ${S}.orders FOR SELECT TO reader USING (true);
GRANT SELECT ON ${S}.orders TO reader;
CREATE VIEW ${S}.order_list WITH (security_invoker = true) AS SELECT tenant_id, id, note FROM ${S}.orders;
CREATE MATERIALIZED VIEW ${S}.order_counts AS SELECT tenant_id, count(*) AS n FROM ${S}.orders GROUP BY tenant_id;
ALTER MATERIALIZED VIEW ${S}.order_counts OWNER TO reader;
CREATE VIEW ${S}.counts WITH (security_barrier = true) AS
  SELECT n FROM ${S}.order_counts WHERE tenant_id = (SELECT ${S}.current_tenant_id());
ALTER VIEW ${S}.counts OWNER TO reader;
GRANT SELECT ON ${S}.order_list, ${S}.counts TO clerk, boss;
CREATE FUNCTION ${S}.my_orders() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO ''
  AS $$ SELECT coalesce(pg_catalog.array_agg(id), '{}') FROM ${S}.orders $$;
ALTER FUNCTION ${S}.my_orders() OWNER TO reader;
REVOKE ALL ON FUNCTION ${S}.my_orders(), ${S}.current_tenant_id(), ${S}.current_user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ${S}.my_orders(), ${S}.current_tenant_id(), ${S}.current_user_id() TO clerk, boss, reader;
`;
