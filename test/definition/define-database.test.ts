// Long because: one list of what is refused, and one of what is not.
import { sql } from "drizzle-orm";
import {
  foreignKey,
  index,
  integer,
  pgEnum,
  pgPolicy,
  pgSchema,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import {
  combine,
  databaseObject,
  defineDatabase,
  isUnderpinError,
  pgExclusion,
  pgFunction,
  planInstall,
  type DefinitionOptions,
} from "../../src/index.ts";
import { objectsOf } from "../../src/install/objects-of.ts";
import { defineAccess, ids, tenant } from "../../src/rls/index.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { observations } from "../../src/schema/observations/observations.ts";
import { progressCard } from "../../src/schema/progress-card/progress-card.ts";

/** The message with which a definition is refused. */
function refusal(options: Omit<DefinitionOptions, "name">): string {
  try {
    defineDatabase({ name: "app", ...options });
  } catch (error) {
    if (isUnderpinError(error) && error.code === "invalidDefinition") return error.message;
    throw error;
  }
  return "it was not refused";
}

const users = pgTable("users", { id: uuid("id").primaryKey(), name: text("name").notNull() });

describe("defineDatabase refuses, by table and column,", () => {
  it("a column of an enum that is not declared", () => {
    const state = pgEnum("state", ["on", "off"]);
    const lamps = pgTable("lamps", { state: state("state").array() });
    expect(refusal({ tables: { lamps } })).toContain(
      "public.lamps.state is of the enum public.state",
    );
    expect(defineDatabase({ name: "app", tables: { lamps, state } }).name).toBe("app");
  });

  it("a foreign key between columns of different types", () => {
    const posts = pgTable("posts", { userId: integer("user_id") }, (t) => [
      foreignKey({ name: "posts_user_fk", columns: [t.userId], foreignColumns: [users.id] }),
    ]);
    expect(refusal({ tables: { users, posts } })).toContain(
      "public.posts.user_id is integer and points to public.users.id, which is uuid",
    );
  });

  it("a foreign key to what is no key", () => {
    const posts = pgTable("posts", { name: text("name") }, (t) => [
      foreignKey({ name: "posts_user_fk", columns: [t.name], foreignColumns: [users.name] }),
    ]);
    expect(refusal({ tables: { users, posts } })).toContain(
      "public.posts points with posts_user_fk to public.users (name), which is no key there",
    );
  });

  it("a foreign key to a key of part of the rows", () => {
    const codes = pgTable("codes", { code: text("code").notNull() }, (t) => [
      uniqueIndex("codes_key")
        .on(t.code)
        .where(sql`code <> ''`),
    ]);
    const uses = pgTable("uses", { code: text("code") }, (t) => [
      foreignKey({ name: "uses_code_fk", columns: [t.code], foreignColumns: [codes.code] }),
    ]);
    expect(refusal({ tables: { codes, uses } })).toContain("which is no key there");
  });

  it("a name that PostgreSQL would cut", () => {
    const name = "a".repeat(64);
    const long = pgTable("long", { id: uuid("id") }, (t) => [index(name).on(t.id)]);
    expect(refusal({ tables: { long } })).toContain(`public.long has a name of 64 bytes`);
  });

  describe("the roles, functions and policies of an access", () => {
    const accessOf = (
      personas: readonly [string, ...string[]],
      more: {
        readonly rolePrefix?: string;
        readonly migratorRole?: string;
        readonly target?: "supabase";
      } = {},
      lookups: readonly string[] = [],
    ) =>
      defineAccess({
        schema: "shop",
        tenantColumn: "tenantId",
        personas,
        lookups: Object.fromEntries(lookups.map((name) => [name, ids("uuid")])),
        ...more,
      });

    it("that PostgreSQL would cut to one", () => {
      const message = refusal({
        tables: {},
        access: accessOf(["managed", "manager"], { rolePrefix: "p".repeat(58) }, [
          `${"ü".repeat(29)}_`,
          `${"ü".repeat(29)}__`,
        ]),
        objects: [
          pgFunction({
            schema: "shop",
            name: `${"f".repeat(63)}1`,
            returns: "void",
            language: "sql",
            volatility: "volatile",
            body: "SELECT",
          }),
        ],
      });
      expect(message).toContain(`has 5 faults`);
      for (const name of ["managed", "manager"])
        expect(message).toContain(
          `access "shop" has for the persona "${name}" a role of 66 bytes, of which PostgreSQL keeps 63: ${"p".repeat(58)}_${name}`,
        );
      expect(message).toContain(`for the reader a role of 65 bytes`);
      expect(message).toContain(`__" a function of 64 bytes`);
      expect(message).toContain(`has a name of 64 bytes, of which PostgreSQL keeps 63: fff`);
      const long = accessOf(["p".repeat(58)], { rolePrefix: "r" });
      const table = pgTable("t", { tenantId: uuid("tenant_id").primaryKey() }, (t) =>
        long.rules(t, { select: { ["p".repeat(58)]: tenant } }),
      );
      expect(refusal({ tables: { table }, access: long })).toContain(
        `public.t has a name of 65 bytes, of which PostgreSQL keeps 63: ${"p".repeat(58)}_select`,
      );
    });

    it("that are those of another", () => {
      expect(refusal({ tables: {}, access: accessOf(["reader"]) })).toContain(
        `access "shop" has the role shop_reader for the persona "reader" and for the reader`,
      );
      const migrators = { clerk: `the persona "clerk"`, reader: "the reader" };
      for (const [name, of] of Object.entries(migrators))
        expect(
          refusal({
            tables: {},
            access: accessOf(["clerk"], { migratorRole: `shop_${name}` }),
          }),
        ).toContain(`access "shop" has the role shop_${name} for ${of} and for the migrator`);
      const access = accessOf(["clerk", "boss"]);
      expect(
        refusal({ tables: {}, access: { ...access, roles: { clerk: "one", boss: "one" } } }),
      ).toContain(`has the role one for the persona "clerk" and for the persona "boss"`);
      const supabase = accessOf(["reader", "boss"], { target: "supabase" });
      expect(refusal({ tables: {}, access: supabase })).toBe("it was not refused");
    });

    it("also those of a domain that a team binds", () => {
      for (const bind of [
        () => observations({ rolePrefix: "p".repeat(60) }),
        () => progressCard({ rolePrefix: "p".repeat(60) }),
      ])
        expect(bind).toThrow(/a role of \d+ bytes, of which PostgreSQL keeps 63/);
    });

    it("and those of two definitions, unless it is the migrator of both", () => {
      const one = (schema: string, more: object) =>
        defineDatabase({
          name: schema,
          tables: {},
          access: defineAccess({ schema, tenantColumn: "x", personas: ["clerk"], ...more }),
        });
      const first = one("a", {});
      expect(() => combine(first, one("b", {}))).not.toThrow();
      for (const migratorRole of ["a_clerk", "a_reader"]) {
        const shared = `has the roles ${migratorRole} in common with schema`;
        expect(() => combine(first, one("b", { migratorRole }))).toThrow(`${shared} a`);
        expect(() => combine(one("b", { migratorRole }), first)).toThrow(`${shared} b`);
      }
    });
  });

  it("a parameter where DDL takes none", () => {
    const notes = pgTable("notes", { kind: text("kind") }, (t) => [
      index("notes_index")
        .on(t.kind)
        .where(sql`kind = ${"open"}`),
    ]);
    expect(refusal({ tables: { notes } })).toContain(
      "public.notes has a value in the predicate of index notes_index that drizzle-kit would print as $1",
    );
  });

  it("a policy that would hold nobody back, and one that would let nobody in", () => {
    const table = pgTable("open", { id: uuid("id") }, () => [
      pgPolicy("floor", { as: "restrictive" }),
      pgPolicy("insert", { for: "insert", using: sql`true` }),
    ]);
    const message = refusal({ tables: { table } });
    expect(message).toContain("the policy floor without USING: it would hold nobody back");
    expect(message).toContain("the policy insert without WITH CHECK: it would let nobody in");
  });

  it("a scheme whose keys lack a partition column, whose dimension may be NULL, or is no column", () => {
    const app = pgSchema("app");
    const events = app.table(
      "events",
      {
        id: uuid("id").notNull(),
        site: text("site"),
        at: timestamp("at", { withTimezone: true }).notNull(),
        code: text("code").notNull(),
      },
      (t) => [
        primaryKey({ name: "events_pk", columns: [t.id, t.site] }),
        unique("events_code_key").on(t.code, t.site, t.at),
      ],
    );
    const scheme = partitionBy(
      events,
      list(events.site as never),
      range(events.at, { every: "1 month" }),
    );
    const message = refusal({ tables: { events }, partitions: [scheme] });
    expect(message).toContain("app.events.site is a dimension and may be NULL");
    expect(message).toContain(
      "app.events.at is a dimension and missing in the primary key events_pk",
    );
    expect(message).not.toContain("events_code_key");
    expect(refusal({ tables: {}, partitions: [scheme] })).toContain(
      "app.events is partitioned by a scheme and is not among the tables",
    );
    expect(
      refusal({ tables: { events }, partitions: [partitionBy(events, list(users.name as never))] }),
    ).toContain("app.events.name is a dimension and no column of the table");
  });

  it("a seed without key, with an unknown property, or of a table of the host", () => {
    const seed = { table: users, key: ["id"], rows: [{ id: "1", nick: "x" }, { name: "y" }] };
    const message = refusal({ tables: { users }, seeds: [seed] });
    expect(message).toContain("public.users.nick is named by a seed and no property of the table");
    expect(message).toContain("public.users has seed row 2 without its key");
    expect(refusal({ tables: {}, seeds: [{ ...seed, rows: [] }] })).toContain(
      "public.users has seed rows and is not among the tables",
    );
  });

  it("two objects of one name", () => {
    const other = pgTable("users", { id: uuid("id") });
    expect(refusal({ tables: { users, other } })).toContain(
      'table "public"."users" is declared twice',
    );
  });

  it("an exclusion constraint that compares rows of two tenants, unless a reason is given", () => {
    const access = defineAccess({ schema: "s", tenantColumn: "tenantId", personas: ["clerk"] });
    const bookings = (globalKeys: Readonly<Record<string, string>>) =>
      pgTable(
        "bookings",
        { tenantId: uuid('ten"ant').notNull(), room: integer("room").notNull() },
        (t) => access.rules(t, { select: { clerk: tenant }, globalKeys }),
      );
    const tried = (
      on: readonly (string | { readonly expression: string })[],
      operator = "=",
      globalKeys: Readonly<Record<string, string>> = {},
    ) => {
      const table = bookings(globalKeys);
      const name = 'no "two" at once';
      const [first = "room", ...rest] = on;
      return refusal({
        tables: { table },
        access,
        objects: [
          pgExclusion({
            table,
            name,
            elements: [
              { on: first, operator },
              ...rest.map((each) => ({ on: each, operator: "=" })),
            ],
          }),
        ],
      });
    };
    const fault =
      'public.bookings has the exclusion constraint no "two" at once without its tenant';
    expect(tried(["room"])).toContain(fault);
    expect(tried([{ expression: 'length("ten""ant"::text)' }])).toContain(fault);
    expect(tried(['ten"ant'], "<>")).toContain(fault);
    expect(tried(['ten"ant', "room"])).toBe("it was not refused");
    expect(tried(["room", 'ten"ant'])).toBe("it was not refused");
    expect(tried(["room"], "=", { 'no "two" at once': "rooms are everybody's" })).toBe(
      "it was not refused",
    );
  });

  it("everything that is wrong at once", () => {
    const state = pgEnum("state", ["on"]);
    const both = pgTable("both", { state: state("state"), userId: integer("user_id") }, (t) => [
      foreignKey({ name: "both_user_fk", columns: [t.userId], foreignColumns: [users.id] }),
    ]);
    expect(refusal({ tables: { users, both } })).toContain('the definition "app" has 2 faults');
  });
});

describe("combine", () => {
  it("puts definitions side by side whose names clash in their own schemas", () => {
    const of = (name: string) => {
      const schema = pgSchema(name);
      return defineDatabase({
        name,
        tables: { schema, users: schema.table("users", { id: uuid("id").primaryKey() }) },
      });
    };
    const both = combine(of("left"), of("right"));
    expect(both.name).toBe("left+right");
    expect(objectsOf(both).map(({ id }) => id)).toEqual(
      expect.arrayContaining(['table "left"."users"', 'table "right"."users"']),
    );
  });

  it("refuses the same object with two contents", () => {
    const of = (name: string, column: string) =>
      defineDatabase({
        name,
        tables: { users: pgTable("users", { id: uuid(column).primaryKey() }) },
      });
    expect(() => combine(of("a", "id"), of("b", "key"))).toThrow(
      'table "public"."users" is declared twice',
    );
  });
});

describe("the order of objects", () => {
  it("is that of what needs what, whatever the names", () => {
    const app = pgSchema("app");
    const base = app.table("zebra", {
      id: uuid("id").primaryKey(),
      v: integer("v").default(sql`app.next()`),
    });
    const middle = app.view("beta").as((query) => query.select().from(base));
    const last = app.view("alpha").as((query) => query.select().from(middle));
    const next = pgFunction({
      schema: "app",
      name: "next",
      returns: "integer",
      language: "sql",
      volatility: "volatile",
      body: "SELECT 1",
    });
    const rows = pgFunction({
      schema: "app",
      name: "rows",
      returns: "setof app.zebra",
      language: "sql",
      volatility: "stable",
      body: "SELECT * FROM app.zebra",
    });
    const definition = defineDatabase({
      name: "order",
      tables: { last, middle, base },
      objects: [rows, next],
    });
    const ids = objectsOf(definition).map(({ id }) => id);
    const at = (id: string) => ids.indexOf(id);
    expect(at('function "app"."next"()')).toBeLessThan(at('table "app"."zebra"'));
    expect(at('table "app"."zebra"')).toBeLessThan(at('function "app"."rows"()'));
    expect(at('table "app"."zebra"')).toBeLessThan(at('view "app"."beta"'));
    expect(at('view "app"."beta"')).toBeLessThan(at('view "app"."alpha"'));
  });

  it("names the circle when objects need each other", () => {
    const one = databaseObject({ kind: "function", id: "one", create: "", dependsOn: ["two"] });
    const two = databaseObject({ kind: "function", id: "two", create: "", dependsOn: ["one"] });
    const definition = defineDatabase({ name: "circle", tables: {}, objects: [one, two] });
    expect(() => planInstall(definition)).toThrow("these objects need each other: one → two → one");
  });
});
