import { eq, sql } from "drizzle-orm";
import {
  alias,
  customType,
  foreignKey,
  integer,
  pgSchema,
  pgTable,
  text,
  uniqueIndex,
  uuid,
  vector,
} from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { hostTables } from "../../src/install/host-tables.ts";
import { snapshot } from "../../src/install/snapshot.ts";
import { standIns } from "../../src/install/stand-in.ts";

const hostSchema = pgSchema('the ho"st');
const mood = hostSchema.enum("mood", ["it's", "fine"]);
const citext = customType<{ data: string }>({ dataType: () => "citext" });

const people = pgTable(
  "people",
  {
    id: uuid("id").primaryKey(),
    tenantId: uuid("tenant_id").notNull(),
    number: integer("number").notNull(),
    email: citext("email").notNull(),
    face: vector("face", { dimensions: 3 }),
    mood: mood("mood"),
    moods: mood("moods").array(),
    unused: citext("unused").unique(),
  },
  (t) => [
    uniqueIndex("people_number").on(t.tenantId, t.number),
    uniqueIndex("people_email").on(sql`lower(email)`),
    uniqueIndex("people_face")
      .on(t.number)
      .where(sql`face is not null`),
  ],
);
const teams = pgTable("teams", { id: uuid("id").primaryKey(), name: citext("name") });

const notes = pgTable(
  "notes",
  {
    id: uuid("id").primaryKey(),
    author: uuid("author").references(() => people.id),
    tenantId: uuid("tenant_id").notNull(),
    number: integer("number").notNull(),
    team: uuid("team"),
  },
  (t) => [
    foreignKey({
      name: "notes_person_fk",
      columns: [t.tenantId, t.number],
      foreignColumns: [people.tenantId, people.number],
    }),
  ],
);
const own = pgSchema("own");
const whole = own.view("whole").as((query) => query.select().from(people));
const chosen = own
  .view("chosen")
  .as((query) => query.select({ email: people.email, mood: people.mood }).from(people));
const other = alias(teams, "other");
const joined = own
  .view("joined")
  .as((query) =>
    query
      .select({ id: notes.id, name: other.name })
      .from(notes)
      .innerJoin(other, eq(other.id, notes.team)),
  );
const raw = own
  .view("raw", { email: text("email") })
  .as(sql`select p.email, p.moods[1] as first from ${people} as p`);
const all = own.view("all", { email: text("email") }).as(sql`select * from ${people}`);

it("makes tables of the host whose types, schemas of enums and unique indexes are not in a scratch database", async () => {
  const definition = defineDatabase({ name: "a", tables: { own, notes, whole, chosen, joined } });
  const { catalog } = await snapshot(definition);
  expect(catalog['constraint "notes_person_fk" of table "public"."notes"']).toBeDefined();
  expect(catalog['constraint "notes_author_people_id_fk" of table "public"."notes"']).toBeDefined();
  expect(catalog['column "unused" of view "own"."whole"']).toBeDefined();
  expect(catalog['column "name" of view "own"."joined"']).toBeDefined();
}, 30_000);

const made = (tables: Parameters<typeof defineDatabase>[0]["tables"]) =>
  standIns(hostTables(defineDatabase({ name: "a", tables })));

it("names only the columns that foreign keys and views name", () => {
  expect(made({ notes })).toBe(
    'CREATE SCHEMA IF NOT EXISTS "public";\n' +
      'CREATE TABLE "public"."people" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "number" integer NOT NULL, UNIQUE ("tenant_id", "number"));\n',
  );
  expect(made({ own, chosen })).toContain('("email" text NOT NULL, "mood" "the ho""st"."mood")');
  expect(made({ own, raw })).toContain('("email" text NOT NULL, "moods" "the ho""st"."mood"[])');
});

it("names all columns where a view takes whole rows", () => {
  for (const tables of [made({ own, whole }), made({ own, all })]) {
    expect(tables).toContain('"face" text');
    expect(tables).toContain('"unused" text UNIQUE');
  }
});

it("takes an alias and a joined table for the table that they are of", () => {
  const host = hostTables(defineDatabase({ name: "a", tables: { own, notes, joined } }));
  expect([...host]).toEqual([people, teams]);
});
