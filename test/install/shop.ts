import { sql } from "drizzle-orm";
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import {
  defineDatabase,
  pgComment,
  pgDeferrable,
  pgFunction,
  pgMaterializedViewIndex,
  pgRefreshSchedule,
  pgTrigger,
  type Definition,
} from "../../src/index.ts";
import { partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { among, defineAccess, everyone, ids, own, tenant } from "../../src/rls/index.ts";

/** A small shop with one of each kind of object, in a schema and with roles of its own name. */
export function shop(schemaName: string, rolePrefix: string): Definition {
  const shopSchema = pgSchema(schemaName);
  const access = defineAccess({
    schema: schemaName,
    rolePrefix,
    migratorRole: `${rolePrefix}_migrator`,
    tenantColumn: "tenantId",
    personas: ["clerk", "owner"],
    lookups: { served: ids("uuid") },
  });
  const state = shopSchema.enum("state", ["open", "paid", "sent"]);
  const tenants = shopSchema
    .table(
      "tenants",
      {
        id: uuid("id").defaultRandom(),
        name: text("name").notNull(),
      },
      (t) => [
        primaryKey({ name: "tenants_pk", columns: [t.id] }),
        check("tenants_name_check", sql`length(name) between 1 and 100`),
        ...access.rules(t, {
          tenantColumn: "id",
          select: { clerk: tenant, owner: tenant },
        }),
      ],
    )
    .enableRLS();
  const customers = shopSchema
    .table(
      "customers",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: uuid("id").defaultRandom().notNull(),
        clerkId: uuid("clerk_id").notNull(),
        favouriteOrder: uuid("favourite_order"),
        name: text("name").notNull(),
      },
      (t) => [
        primaryKey({ name: "customers_pk", columns: [t.tenantId, t.id] }),
        foreignKey({
          name: "customers_tenant_fk",
          columns: [t.tenantId],
          foreignColumns: [tenants.id],
        }).onDelete("cascade"),
        index("customers_clerk_index").on(t.tenantId, t.clerkId),
        index("customers_name_index")
          .on(sql`lower(name)`)
          .where(sql`favourite_order is not null`),
        ...access.rules(t, {
          select: { clerk: own("clerkId"), owner: tenant },
          insert: { owner: tenant },
          update: { clerk: own("clerkId"), owner: tenant },
          delete: { owner: tenant },
        }),
      ],
    )
    .enableRLS();
  const orders = shopSchema
    .table(
      "orders",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: uuid("id").defaultRandom().notNull(),
        customerId: uuid("customer_id").notNull(),
        number: integer("number").generatedAlwaysAsIdentity(),
        state: state("state").notNull().default("open"),
        total: numeric("total", { precision: 10, scale: 2 }).notNull().default("0"),
        updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "orders_pk", columns: [t.tenantId, t.id] }),
        unique("orders_number_key").on(t.tenantId, t.number),
        foreignKey({
          name: "orders_customer_fk",
          columns: [t.tenantId, t.customerId],
          foreignColumns: [customers.tenantId, customers.id],
        }),
        check("orders_total_check", sql`total >= 0 and total < 1e6`),
        index("orders_customer_index").on(t.tenantId, t.customerId, t.updatedAt.desc()),
        ...access.rules(t, {
          select: { clerk: among("served", "customerId"), owner: tenant },
          insert: { clerk: among("served", "customerId"), owner: tenant },
          update: { owner: tenant },
          delete: { owner: tenant },
        }),
      ],
    )
    .enableRLS();
  const events = shopSchema
    .table(
      "events",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: uuid("id").defaultRandom().notNull(),
        at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
        what: jsonb("what").notNull().default({ kind: "none" }),
      },
      (t) => [
        primaryKey({ name: "events_pk", columns: [t.tenantId, t.at, t.id] }),
        ...access.rules(t, {
          appendOnly: true,
          select: { owner: tenant },
          insert: { clerk: tenant, owner: tenant },
        }),
      ],
    )
    .enableRLS();
  const settings = shopSchema
    .table(
      "settings",
      {
        key: text("key").primaryKey(),
        value: jsonb("value").notNull(),
      },
      (t) =>
        access.rules(t, {
          tenantColumn: null,
          select: { clerk: everyone, owner: everyone },
        }),
    )
    .enableRLS();
  const totals = shopSchema.materializedView("totals").as((query) =>
    query
      .select({
        tenantId: orders.tenantId,
        total: sql<string>`sum(${orders.total})`.as("total"),
      })
      .from(orders)
      .groupBy(orders.tenantId),
  );
  const openOrders = shopSchema
    .view("open_orders")
    .with({ securityInvoker: true })
    .as((query) =>
      query
        .select()
        .from(orders)
        .where(sql`${orders.state} = 'open'`),
    );
  const touch = pgFunction({
    schema: schemaName,
    name: "touch",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    body: "BEGIN NEW.updated_at := now(); RETURN NEW; END",
  });
  const net = pgFunction({
    schema: schemaName,
    name: "net",
    arguments: [
      { name: "gross", type: "numeric" },
      { name: "rate", type: "int", default: "19" },
    ],
    returns: "numeric",
    language: "sql",
    volatility: "immutable",
    parallel: "safe",
    executeTo: [`${rolePrefix}_owner`],
    comment: "without tax",
    body: "SELECT gross / (1 + rate / 100.0)",
  });
  return defineDatabase({
    name: "shop",
    tables: { shopSchema, state, tenants, customers, orders, events, settings, totals, openOrders },
    objects: [
      net,
      touch,
      pgTrigger({
        table: orders,
        name: "orders_touch",
        timing: "before",
        events: ["update"],
        execute: touch,
      }),
      pgComment({ table: orders, text: "What was ordered; it's all here" }),
      pgComment({ table: orders, column: orders.total, text: "with tax" }),
      pgDeferrable({ table: orders, name: "orders_customer_fk" }),
      pgMaterializedViewIndex({
        schema: schemaName,
        view: "totals",
        name: "totals_tenant_key",
        columns: ["tenant_id"],
        unique: true,
      }),
      pgRefreshSchedule({ schema: schemaName, view: "totals", every: "15 minutes" }),
    ],
    partitions: [partitionBy(events, range(events.at, { every: "1 month" }))],
    access: access.with({
      served: (db, me) =>
        db
          .select({ id: customers.id })
          .from(customers)
          .where(sql`${customers.clerkId} = ${me.userId}`),
    }),
    seeds: [
      {
        table: settings,
        key: ["key"],
        rows: [
          { key: "currency", value: { code: "EUR" } },
          { key: "it's", value: ["quoted"] },
        ],
      },
    ],
  });
}
