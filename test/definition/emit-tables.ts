import { eq, sql } from "drizzle-orm";
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgMaterializedView,
  pgPolicy,
  pgRole,
  pgSequence,
  pgTable,
  pgTableCreator,
  pgView,
  point,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { namespaceOf } from "../../src/schema/namespace.ts";

/** Tables, views, policies, sequences and roles with every option that Drizzle 0.45 has and drizzle-kit 0.31 writes rightly. */
export function everyOption(schema: string) {
  const space = namespaceOf(schema);
  const reader = pgRole("emit_reader", { createDb: true, createRole: true, inherit: false });
  const writer = pgRole("emit_writer");
  const host = pgRole("emit_host").existing();
  const numbers = space.sequence("numbers", {
    startWith: 10,
    increment: 2,
    minValue: 2,
    maxValue: 5000,
    cache: 3,
    cycle: true,
  });
  const falling = space.sequence("falling", { increment: -1 });
  const plainNumbers = pgSequence("plain_numbers");

  const tenants = space
    .table(
      "tenants",
      {
        id: uuid("id").primaryKey().defaultRandom(),
        code: varchar("code", { length: 8 }).notNull().unique("tenants_code_key"),
        slug: text("slug").unique("tenants_slug_key", { nulls: "not distinct" }),
        label: text("label").unique(),
        region: text("region").notNull(),
        parent: uuid("parent"),
      },
      (t) => [
        unique("tenants_id_region_key").on(t.id, t.region),
        unique("tenants_region_slug_key").on(t.region, t.slug).nullsNotDistinct(),
        unique().on(t.code, t.region),
        foreignKey({ name: "tenants_parent_fk", columns: [t.parent], foreignColumns: [t.id] })
          .onDelete("set null")
          .onUpdate("cascade"),
        check("tenants_code_upper", sql`code = upper(code)`),
        check("tenants_slug_shape", sql`${t.slug} ~ '^[a-z]+$' AND ${t.slug} <> 'it''s'`),
      ],
    )
    .enableRLS();

  const orders = space.table(
    "orders",
    {
      tenant: uuid("tenant")
        .notNull()
        .references(() => tenants.id, { onDelete: "cascade", onUpdate: "restrict" }),
      number: integer("number").notNull(),
      region: text("region").notNull(),
      previous: integer("previous"),
      title: text("title"),
      state: text("state").notNull().default("open"),
      data: jsonb("data").notNull().default({}),
      place: point("place"),
      made: timestamp("made", { withTimezone: true }).notNull().defaultNow(),
    },
    (t) => [
      primaryKey({ name: "orders_pk", columns: [t.tenant, t.number] }),
      foreignKey({
        name: "orders_tenant_region_fk",
        columns: [t.tenant, t.region],
        foreignColumns: [tenants.id, tenants.region],
      }).onDelete("no action"),
      foreignKey({
        name: "orders_previous_fk",
        columns: [t.tenant, t.previous],
        foreignColumns: [t.tenant, t.number],
      }).onDelete("restrict"),
      foreignKey({ columns: [t.region], foreignColumns: [tenants.code] }).onUpdate("set default"),
      index().on(t.region),
      index("orders_made_desc").on(t.made.desc()),
      index("orders_made_first").on(t.made.desc().nullsFirst(), t.number.asc()),
      index("orders_previous_first").on(t.previous.nullsFirst()),
      index("orders_previous_last").on(t.previous.asc().nullsLast()),
      index("orders_region_only").onOnly(t.region),
      index("orders_title_pattern").on(t.title.op("text_pattern_ops"), t.number),
      index("orders_title_lower").on(sql`lower(title)`),
      index("orders_mixed").on(t.tenant, sql`(state || title)`, t.made),
      index("orders_interpolated").on(sql`upper(${t.title})`),
      index("orders_open")
        .on(t.made)
        .where(sql`state = 'open'`),
      index("orders_late")
        .on(t.number)
        .where(sql`${t.number} > 5`),
      index("orders_data").using("gin", t.data.op("jsonb_path_ops")).with({ fastupdate: false }),
      index("orders_place").using("gist", t.place).with({ fillfactor: 70 }),
      index("orders_state_hash").using("hash", t.state),
      index("orders_made_brin").using("brin", t.made).with({ pages_per_range: 16 }),
      uniqueIndex("orders_title_once")
        .on(t.tenant, t.title)
        .where(sql`title IS NOT NULL`),
      uniqueIndex("orders_title_filled").on(t.title).with({ fillfactor: 60 }),
      pgPolicy("orders_all"),
      pgPolicy("orders_read", {
        as: "permissive",
        for: "select",
        to: reader,
        using: sql`region = current_setting('app.region', true)`,
      }),
      pgPolicy("orders_insert", {
        for: "insert",
        to: [writer, "emit_reader", host],
        withCheck: sql`${t.number} > 0`,
      }),
      pgPolicy("orders_update", {
        as: "restrictive",
        for: "update",
        to: "public",
        using: sql`state = 'open'`,
        withCheck: sql`state <> 'lost'`,
      }),
      pgPolicy("orders_delete", { for: "delete", to: "current_user", using: sql`false` }),
    ],
  );

  const linked = pgPolicy("orders_linked", {
    for: "select",
    to: writer,
    using: sql`true`,
  }).link(orders);

  const prefixed = pgTableCreator((name) => `app_${name}`);
  const plain = prefixed("plain", {
    id: integer("id").primaryKey(),
    tenant: uuid("tenant").references(() => tenants.id, { onDelete: "set default" }),
  });
  const unprotected = pgTable("unprotected", { id: integer("id") });

  const open = space
    .view("open_orders")
    .with({ checkOption: "local", securityBarrier: true, securityInvoker: true })
    .as((qb) => qb.select().from(orders).where(eq(orders.state, "open")));
  const cascaded = space
    .view("plain_orders", { number: integer("number") })
    .with({ checkOption: "cascaded", securityBarrier: false })
    .as(sql`select number from ${orders} where number > ${3}`);
  const plainView = pgView("plain_view", { id: integer("id") }).as(sql`select 1 as id`);
  const hostView = pgView("host_view", { id: integer("id") }).existing();

  const totals = space
    .materializedView("totals")
    .using("heap")
    .tablespace("pg_default")
    .with({
      fillfactor: 70,
      toastTupleTarget: 256,
      parallelWorkers: 2,
      autovacuumEnabled: false,
      vacuumIndexCleanup: "auto",
      vacuumTruncate: true,
      autovacuumVacuumThreshold: 10,
      autovacuumVacuumScaleFactor: 0.25,
      autovacuumVacuumCostDelay: 2,
      autovacuumVacuumCostLimit: 100,
      autovacuumFreezeMinAge: 10,
      autovacuumFreezeMaxAge: 100000,
      autovacuumFreezeTableAge: 1000,
      autovacuumMultixactFreezeMinAge: 10,
      autovacuumMultixactFreezeMaxAge: 100000,
      autovacuumMultixactFreezeTableAge: 1000,
      logAutovacuumMinDuration: 5,
      userCatalogTable: false,
    })
    .withNoData()
    .as((qb) =>
      qb
        .select({ tenant: orders.tenant, total: sql<number>`count(*)`.as("total") })
        .from(orders)
        .groupBy(orders.tenant),
    );
  const filled = pgMaterializedView("filled", { n: integer("n") }).as(sql`select 1 as n`);
  const hostMaterialized = pgMaterializedView("host_materialized", { n: integer("n") }).existing();

  return {
    ...(schema === "public" ? {} : { space }),
    reader,
    writer,
    host,
    numbers,
    falling,
    plainNumbers,
    tenants,
    orders,
    linked,
    plain,
    unprotected,
    open,
    cascaded,
    plainView,
    hostView,
    totals,
    filled,
    hostMaterialized,
  };
}
