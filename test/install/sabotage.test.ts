// Long because: one list of everything that may be done to a database.
import { sql as query } from "drizzle-orm";
import { customType, foreignKey, index, integer, pgSchema, varchar } from "drizzle-orm/pg-core";
import type { Sql } from "postgres";
import { beforeAll, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Definition } from "../../src/definition/definition.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { snapshot, type Snapshot } from "../../src/install/snapshot.ts";
import { verify } from "../../src/install/verify.ts";
import { pgFunction } from "../../src/objects/pg-function.ts";
import { pgGrant } from "../../src/objects/pg-grant.ts";
import { pgMaterializedViewIndex } from "../../src/objects/pg-materialized-view-index.ts";
import { apply } from "../../src/run/apply.ts";
import { casesOn } from "../support/matrix.ts";
import { onEngines } from "../support/server.ts";
import { shop } from "./shop.ts";

/** What is done to the shop, the object that must be named, and by what a person puts it back where no repair is printed. */
type Sabotage = readonly [what: string, sql: string, object: string, putBack?: string];

const R = "sabotage_shop";
const ORDERS = 'table "shop"."orders"';
const CUSTOMERS = 'table "shop"."customers"';

const SABOTAGES: readonly Sabotage[] = [
  [
    "an index is dropped",
    "DROP INDEX shop.orders_customer_index",
    `index "orders_customer_index" of ${ORDERS}`,
  ],
  [
    "an index is made invalid",
    "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'shop.orders_customer_index'::regclass",
    `index "orders_customer_index" of ${ORDERS}`,
  ],
  [
    "an index is made of other columns",
    "DROP INDEX shop.orders_customer_index; CREATE INDEX orders_customer_index ON shop.orders (tenant_id)",
    `index "orders_customer_index" of ${ORDERS}`,
  ],
  [
    "an index gets another predicate",
    "DROP INDEX shop.customers_name_index; CREATE INDEX customers_name_index ON shop.customers (lower(name))",
    `index "customers_name_index" of ${CUSTOMERS}`,
  ],
  [
    "a trigger is disabled",
    "ALTER TABLE shop.orders DISABLE TRIGGER orders_touch",
    `trigger "orders_touch" of ${ORDERS}`,
  ],
  [
    "a trigger fires on replicas only",
    "ALTER TABLE shop.orders ENABLE REPLICA TRIGGER orders_touch",
    `trigger "orders_touch" of ${ORDERS}`,
  ],
  [
    "a trigger is dropped",
    "DROP TRIGGER orders_touch ON shop.orders",
    `trigger "orders_touch" of ${ORDERS}`,
  ],
  [
    "a trigger fires on something else",
    "DROP TRIGGER orders_touch ON shop.orders; CREATE TRIGGER orders_touch BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch()",
    `trigger "orders_touch" of ${ORDERS}`,
  ],
  [
    "a trigger is added",
    "CREATE TRIGGER extra AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch()",
    `trigger "extra" of ${ORDERS}`,
  ],
  [
    "a rule is added",
    "CREATE RULE extra AS ON DELETE TO shop.settings DO INSTEAD NOTHING",
    'rule "extra" of table "shop"."settings"',
  ],
  [
    "a policy is dropped",
    "DROP POLICY clerk_select ON shop.orders",
    `policy "clerk_select" of ${ORDERS}`,
  ],
  [
    "the floor is dropped",
    "DROP POLICY tenant_floor ON shop.orders",
    `policy "tenant_floor" of ${ORDERS}`,
  ],
  [
    "the floor is made permissive",
    "DROP POLICY tenant_floor ON shop.orders; CREATE POLICY tenant_floor ON shop.orders USING (true)",
    `policy "tenant_floor" of ${ORDERS}`,
  ],
  [
    "a policy is widened",
    "ALTER POLICY clerk_select ON shop.customers USING (true)",
    `policy "clerk_select" of ${CUSTOMERS}`,
  ],
  [
    "a policy loses half of its check",
    "ALTER POLICY clerk_update ON shop.customers WITH CHECK (true)",
    `policy "clerk_update" of ${CUSTOMERS}`,
  ],
  [
    "a policy is for other roles",
    "ALTER POLICY clerk_select ON shop.customers TO PUBLIC",
    `policy "clerk_select" of ${CUSTOMERS}`,
  ],
  [
    "a permissive policy is added",
    "CREATE POLICY helpful ON shop.orders USING (true)",
    `policy "helpful" of ${ORDERS}`,
  ],
  ["row security is disabled", "ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY", ORDERS],
  ["row security is not forced", "ALTER TABLE shop.orders NO FORCE ROW LEVEL SECURITY", ORDERS],
  [
    "a partition is not forced",
    "DO $$ DECLARE p regclass; BEGIN SELECT inhrelid INTO p FROM pg_inherits WHERE inhparent = 'shop.events'::regclass LIMIT 1; EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', p); END $$",
    'table "shop"."events_',
  ],
  [
    "a column is dropped",
    "ALTER TABLE shop.customers DROP COLUMN favourite_order",
    `column "favourite_order" of ${CUSTOMERS}`,
  ],
  [
    "a column that may not be NULL is dropped",
    "ALTER TABLE shop.settings DROP COLUMN value",
    'column "value" of table "shop"."settings"',
    `ALTER TABLE shop.settings ADD COLUMN value jsonb NOT NULL DEFAULT '{}'; ALTER TABLE shop.settings ALTER COLUMN value DROP DEFAULT`,
  ],
  [
    "a column is renamed",
    "ALTER TABLE shop.customers RENAME name TO label",
    `column "name" of ${CUSTOMERS}`,
    "ALTER TABLE shop.customers RENAME label TO name",
  ],
  [
    "the type of a column is changed",
    "ALTER TABLE shop.settings ALTER COLUMN value TYPE json",
    'column "value" of table "shop"."settings"',
  ],
  [
    "the length of a column is changed",
    "ALTER TABLE shop.tenants ALTER COLUMN name TYPE varchar(80)",
    `column "name" of table "shop"."tenants"`,
  ],
  [
    "a column may be NULL",
    "ALTER TABLE shop.customers ALTER COLUMN name DROP NOT NULL",
    `column "name" of ${CUSTOMERS}`,
  ],
  [
    "a default is changed",
    "ALTER TABLE shop.orders ALTER COLUMN state SET DEFAULT 'paid'",
    `column "state" of ${ORDERS}`,
  ],
  [
    "a default is dropped",
    "ALTER TABLE shop.customers ALTER COLUMN id DROP DEFAULT",
    `column "id" of ${CUSTOMERS}`,
  ],
  [
    "an identity is dropped",
    "ALTER TABLE shop.orders ALTER COLUMN number DROP IDENTITY",
    `column "number" of ${ORDERS}`,
    "ALTER TABLE shop.orders ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY",
  ],
  [
    "a check is dropped",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_total_check",
    `constraint "orders_total_check" of ${ORDERS}`,
  ],
  [
    "a check is loosened",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_total_check, ADD CONSTRAINT orders_total_check CHECK (total > -1)",
    `constraint "orders_total_check" of ${ORDERS}`,
  ],
  [
    "a check is not validated",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_total_check, ADD CONSTRAINT orders_total_check CHECK (total >= 0 and total < 1e6) NOT VALID",
    `constraint "orders_total_check" of ${ORDERS}`,
  ],
  [
    "a foreign key is dropped",
    "ALTER TABLE shop.customers DROP CONSTRAINT customers_tenant_fk",
    `constraint "customers_tenant_fk" of ${CUSTOMERS}`,
  ],
  [
    "a foreign key no longer cascades",
    "ALTER TABLE shop.customers DROP CONSTRAINT customers_tenant_fk, ADD CONSTRAINT customers_tenant_fk FOREIGN KEY (tenant_id) REFERENCES shop.tenants (id)",
    `constraint "customers_tenant_fk" of ${CUSTOMERS}`,
  ],
  [
    "a foreign key is no longer deferred",
    "ALTER TABLE shop.orders ALTER CONSTRAINT orders_customer_fk NOT DEFERRABLE",
    `constraint "orders_customer_fk" of ${ORDERS}`,
  ],
  [
    "the triggers of a foreign key are disabled",
    "ALTER TABLE shop.customers DISABLE TRIGGER ALL",
    `constraint "customers_tenant_fk" of ${CUSTOMERS}`,
  ],
  [
    "a unique constraint is dropped",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_number_key",
    `constraint "orders_number_key" of ${ORDERS}`,
  ],
  [
    "a primary key is dropped",
    "ALTER TABLE shop.orders DROP CONSTRAINT orders_pk",
    `constraint "orders_pk" of ${ORDERS}`,
  ],
  [
    "the label of an enum is renamed",
    "ALTER TYPE shop.state RENAME VALUE 'sent' TO 'shipped'",
    'type "shop"."state"',
    "ALTER TYPE shop.state RENAME VALUE 'shipped' TO 'sent'",
  ],
  [
    "the query of a view is changed",
    "CREATE OR REPLACE VIEW shop.open_orders WITH (security_invoker) AS SELECT * FROM shop.orders",
    'view "shop"."open_orders"',
  ],
  [
    "a view has its owner's rights",
    "ALTER VIEW shop.open_orders RESET (security_invoker)",
    'view "shop"."open_orders"',
  ],
  ["a view is dropped", "DROP VIEW shop.open_orders", 'view "shop"."open_orders"'],
  [
    "a materialized view is empty",
    "REFRESH MATERIALIZED VIEW shop.totals WITH NO DATA",
    'materialized view "shop"."totals"',
  ],
  [
    "the index of a materialized view is dropped",
    "DROP INDEX shop.totals_tenant_key",
    'index "totals_tenant_key" of materialized view "shop"."totals"',
  ],
  [
    "a materialized view is granted",
    `GRANT SELECT ON shop.totals TO ${R}_clerk`,
    `privileges of "${R}_clerk"`,
  ],
  [
    "a materialized view is owned by somebody else",
    "ALTER MATERIALIZED VIEW shop.totals OWNER TO CURRENT_USER",
    'materialized view "shop"."totals"',
  ],
  [
    "the body of a function is changed",
    "CREATE OR REPLACE FUNCTION shop.net(gross numeric, rate integer DEFAULT 19) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path TO '' AS 'SELECT gross'",
    'function "shop"."net"(numeric, integer)',
  ],
  [
    "a context function becomes IMMUTABLE",
    "ALTER FUNCTION shop.current_tenant_id() IMMUTABLE",
    'function "shop"."current_tenant_id"()',
  ],
  [
    "a function gets its owner's rights",
    "ALTER FUNCTION shop.touch() SECURITY DEFINER",
    'function "shop"."touch"()',
  ],
  [
    "a function loses its search_path",
    "ALTER FUNCTION shop.touch() RESET search_path",
    'function "shop"."touch"()',
  ],
  [
    "a function is dropped",
    "DROP FUNCTION shop.net(numeric, integer)",
    'function "shop"."net"(numeric, integer)',
  ],
  [
    "everybody may call a function",
    "GRANT EXECUTE ON FUNCTION shop.net(numeric, integer) TO PUBLIC",
    'privileges of "public"',
  ],
  [
    "a role may no longer call a function",
    `REVOKE EXECUTE ON FUNCTION shop.net(numeric, integer) FROM ${R}_owner`,
    `privileges of "${R}_owner"`,
  ],
  [
    "a grant is revoked",
    `REVOKE SELECT ON shop.orders FROM ${R}_clerk`,
    `privileges of "${R}_clerk"`,
  ],
  [
    "a grant is widened",
    `GRANT TRUNCATE ON shop.orders TO ${R}_clerk`,
    `privileges of "${R}_clerk"`,
  ],
  [
    "everybody may read a table",
    "GRANT SELECT ON shop.customers TO PUBLIC",
    'privileges of "public"',
  ],
  [
    "one column is granted",
    `GRANT UPDATE (total) ON shop.orders TO ${R}_clerk`,
    `privileges of "${R}_clerk"`,
  ],
  [
    "a schema can no longer be used",
    `REVOKE USAGE ON SCHEMA shop FROM ${R}_clerk`,
    `privileges of "${R}_clerk"`,
  ],
  ["a comment is changed", "COMMENT ON TABLE shop.orders IS 'nothing'", ORDERS],
  [
    "the comment of a column is dropped",
    "COMMENT ON COLUMN shop.orders.total IS NULL",
    `column "total" of ${ORDERS}`,
  ],
  [
    "a seed row is deleted",
    "DELETE FROM shop.settings WHERE key = 'it''s'",
    'table "shop"."settings"',
  ],
  ["a role gets around row security", `ALTER ROLE ${R}_clerk BYPASSRLS`, `role "${R}_clerk"`],
  ["a role may log in", `ALTER ROLE ${R}_migrator LOGIN`, `role "${R}_migrator"`],
  ["a role inherits", `ALTER ROLE ${R}_clerk INHERIT`, `role "${R}_clerk"`],
  ["a persona is another one too", `GRANT ${R}_owner TO ${R}_clerk`, `role "${R}_clerk"`],
  [
    "a persona is let through by a third role, and by another grantor",
    `DROP ROLE IF EXISTS ${R}_between, ${R}_giver; CREATE ROLE ${R}_between; CREATE ROLE ${R}_giver; GRANT ${R}_migrator TO ${R}_between;
     GRANT ${R}_between TO ${R}_giver WITH ADMIN OPTION; GRANT ${R}_between TO ${R}_clerk WITH ADMIN OPTION GRANTED BY ${R}_giver`,
    `role "${R}_clerk"`,
  ],
  [
    "a persona is in the role that owns the schema",
    `DO $$ BEGIN EXECUTE format('GRANT %I TO ${R}_clerk', (SELECT nspowner::regrole::name FROM pg_namespace WHERE nspname = 'shop')); END $$`,
    `role "${R}_clerk"`,
  ],
  ["a persona reads all data", `GRANT pg_read_all_data TO ${R}_clerk`, `role "${R}_clerk"`],
  [
    "history may be rewritten",
    "DROP TRIGGER append_only ON shop.events",
    'trigger "append_only" of table "shop"."events"',
  ],
  ["a table is dropped", "DROP TABLE shop.settings", 'table "shop"."settings"'],
  ["a table is not logged", "ALTER TABLE shop.settings SET UNLOGGED", 'table "shop"."settings"'],
  // Last, since a label can never be taken away.
  ["an enum gets a label", "ALTER TYPE shop.state ADD VALUE 'lost'", 'type "shop"."state"', ""],
];

onEngines("verify, when something was done to the database behind its back", (engine) => {
  const definition = shop("shop", R);
  let expected: Snapshot;
  let single: Sql | undefined;
  beforeAll(async () => {
    expected = await snapshot(definition);
    single = engine.server?.connect({ max: 1 });
    const { outcome, failure } = await apply(engine.db(), planInstall(definition));
    expect(outcome, failure?.message).toBe("applied");
  });
  /** As psql would: on one connection. */
  const run = async (text: string): Promise<void> => {
    const db = engine.db();
    if ("exec" in db) await db.exec(text);
    else await single?.unsafe(text);
  };
  const look = (db: DatabaseLike) => verify(db, definition, { expected });

  for (const [what, sql, object, putBack] of casesOn(engine, SABOTAGES))
    it(`finds that ${what}, and ${putBack === undefined ? "says what mends it" : "leaves it to a person"}`, async () => {
      const db = engine.db();
      await run(sql);
      const findings = await look(db);
      expect(findings.map((finding) => finding.object)).toContainEqual(
        expect.stringContaining(object),
      );
      if (putBack === "") return;
      if (putBack !== undefined) await run(putBack);
      else for (const { repair } of findings) if (repair !== null) await run(repair);
      expect(await look(db)).toEqual([]);
    });
});

/** What the shop has none of: dependent views, generated and collated columns, functions that others call. */
function shelf(): Definition {
  const schemaName = "shelf";
  const shelfSchema = pgSchema(schemaName);
  const level = shelfSchema.enum("level", ["low", "high"]);
  const boxes = shelfSchema.table(
    "boxes",
    {
      id: integer("id").primaryKey(),
      parent: integer("parent"),
      level: level("level").notNull().default("low"),
      label: varchar("label", { length: 5 }),
      size: integer("size").notNull().default(1),
      twice: integer("twice").generatedAlwaysAs(query`size * 2`),
      // The builder has no word for a collation.
      code: customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' })("code"),
    },
    (t) => [
      foreignKey({ name: "boxes_parent_fk", columns: [t.parent], foreignColumns: [t.id] }),
      index("boxes_parent_index").on(t.parent.desc()),
      index("boxes_label_index").on(query`lower(label)`),
    ],
  );
  const large = shelfSchema
    .view("large")
    .as((build) => build.select({ id: boxes.id, size: boxes.size }).from(boxes));
  const largest = shelfSchema
    .view("largest")
    .as((build) => build.select({ id: large.id, size: large.size }).from(large));
  const sums = shelfSchema
    .materializedView("sums")
    .as((build) =>
      build.select({ total: query<number>`sum(${largest.size})`.as("total") }).from(largest),
    );
  const weigh = pgFunction({
    schema: schemaName,
    name: "weigh",
    arguments: [{ name: "size", type: "integer" }],
    returns: "integer",
    language: "sql",
    volatility: "immutable",
    executeTo: ["pg_monitor"],
    comment: "in grams",
    body: "SELECT size * 10",
  });
  const weights = shelfSchema
    .view("weights", { weight: integer("weight") })
    .as(query`select shelf.weigh(size) as weight from ${boxes}`);
  return defineDatabase({
    name: "shelf",
    tables: { shelfSchema, level, boxes, large, largest, sums, weights },
    objects: [
      weigh,
      pgMaterializedViewIndex({
        schema: schemaName,
        view: "sums",
        name: "sums_key",
        columns: ["total"],
      }),
      pgGrant({
        schema: schemaName,
        table: "largest",
        on: "view",
        to: "pg_monitor",
        privileges: ["select"],
      }),
    ],
  });
}

/** What is done to the shelf, the object that must be named, and its repair: null, or what must stand in it. */
type Mending = readonly [what: string, sql: string, object: string, repair: RegExp | null];

const BOXES = 'table "shelf"."boxes"';
const MENDINGS: readonly Mending[] = [
  [
    "a generated column is dropped",
    "ALTER TABLE shelf.boxes DROP COLUMN twice",
    `column "twice" of ${BOXES}`,
    null,
  ],
  [
    "a collated column is dropped",
    "ALTER TABLE shelf.boxes DROP COLUMN code",
    `column "code" of ${BOXES}`,
    null,
  ],
  [
    "an enum column with a default is text",
    "ALTER TABLE shelf.boxes ALTER COLUMN level DROP DEFAULT, ALTER COLUMN level TYPE text, ALTER COLUMN level SET DEFAULT 'low'",
    `column "level" of ${BOXES}`,
    /USING \("level"::/,
  ],
  [
    "a column is longer",
    "ALTER TABLE shelf.boxes ALTER COLUMN label TYPE text",
    `column "label" of ${BOXES}`,
    /TYPE character varying\(5\)$/,
  ],
  [
    "a function that a view calls returns something else",
    "DROP VIEW shelf.weights; DROP FUNCTION shelf.weigh; CREATE FUNCTION shelf.weigh(size integer) RETURNS bigint LANGUAGE sql IMMUTABLE SET search_path TO '' AS 'SELECT 1::bigint'; CREATE VIEW shelf.weights AS SELECT shelf.weigh(size)::integer AS weight FROM shelf.boxes",
    'function "shelf"."weigh"(integer)',
    /DROP FUNCTION/,
  ],
  [
    "the argument of a function has another name",
    "DROP VIEW shelf.weights; DROP FUNCTION shelf.weigh; CREATE FUNCTION shelf.weigh(other integer, OUT weight integer) LANGUAGE sql IMMUTABLE SET search_path TO '' AS 'SELECT 1'; CREATE VIEW shelf.weights AS SELECT shelf.weigh(size) AS weight FROM shelf.boxes",
    'function "shelf"."weigh"(integer)',
    /DROP FUNCTION/,
  ],
  [
    "a plain index is dropped",
    "DROP INDEX shelf.boxes_parent_index",
    `index "boxes_parent_index" of ${BOXES}`,
    /^CREATE INDEX CONCURRENTLY [^;]*$/,
  ],
  [
    "an index of an expression is dropped",
    "DROP INDEX shelf.boxes_label_index",
    `index "boxes_label_index" of ${BOXES}`,
    /^BEGIN/,
  ],
  [
    "a foreign key is dropped",
    "ALTER TABLE shelf.boxes DROP CONSTRAINT boxes_parent_fk",
    `constraint "boxes_parent_fk" of ${BOXES}`,
    /NOT VALID;\nALTER TABLE "shelf"\."boxes" VALIDATE CONSTRAINT "boxes_parent_fk"$/,
  ],
  [
    "a view that others read is changed",
    "CREATE OR REPLACE VIEW shelf.large AS SELECT id, size FROM shelf.boxes WHERE size > 0",
    'view "shelf"."large"',
    /^BEGIN[^]*DROP MATERIALIZED VIEW[^]*"largest"[^]*"large"[^]*"sums_key"/,
  ],
];

onEngines("the repairs of verify", (engine) => {
  const definition = shelf();
  let expected: Snapshot;
  let single: Sql | undefined;
  beforeAll(async () => {
    expected = await snapshot(definition);
    single = engine.server?.connect({ max: 1 });
    const { outcome, failure } = await apply(engine.db(), planInstall(definition));
    expect(outcome, failure?.message).toBe("applied");
  }, 60_000);
  const run = async (text: string): Promise<void> => {
    const db = engine.db();
    if ("exec" in db) await db.exec(text);
    else await single?.unsafe(text);
  };
  // Last what is left to a person, since it stays.
  const inOrder = MENDINGS.toSorted((a, b) => Number(a[3] === null) - Number(b[3] === null));
  for (const [what, text, object, repair] of casesOn(engine, inOrder))
    it(`${repair === null ? "leave it to a person" : "mend it"} when ${what}`, async () => {
      const db = engine.db();
      await run(text);
      const findings = await verify(db, definition, { expected });
      const found = findings.find((finding) => finding.object === object);
      if (repair === null) {
        expect(found).toMatchObject({ repair: null });
        return;
      }
      expect(found?.repair).toMatch(repair);
      for (const finding of findings) if (finding.repair !== null) await run(finding.repair);
      expect(await verify(db, definition, { expected })).toEqual([]);
    });
});
