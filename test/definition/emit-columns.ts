import { sql } from "drizzle-orm";
import {
  bigint,
  bigserial,
  bit,
  boolean,
  char,
  cidr,
  customType,
  date,
  decimal,
  doublePrecision,
  geometry,
  halfvec,
  inet,
  integer,
  interval,
  json,
  jsonb,
  line,
  macaddr,
  macaddr8,
  numeric,
  pgEnum,
  point,
  real,
  serial,
  smallint,
  smallserial,
  sparsevec,
  text,
  time,
  timestamp,
  uuid,
  varchar,
  vector,
} from "drizzle-orm/pg-core";
import { namespaceOf } from "../../src/schema/namespace.ts";

/** A type of its own name, in capital letters as PostgreSQL keeps them only between quotes. */
const loud = customType<{ data: string }>({ dataType: () => "Loud" });
const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });

/** Tables that use every column type, modifier and form of a default that Drizzle 0.45 has and drizzle-kit 0.31 writes rightly. */
export function everyColumn(schema: string) {
  const space = namespaceOf(schema);
  const mood = space.enum("mood", ["sad", "it's fine", "so-so"]);
  const plainMood = pgEnum("plain_mood", ["low", "high"]);
  const plainLevel = pgEnum("plain_level", { Low: "low", High: "high" });

  const types = space.table("types", {
    bigintNumber: bigint("bigint_number", { mode: "number" }),
    bigintBig: bigint("bigint_big", { mode: "bigint" }),
    bit: bit("bit_3", { dimensions: 3 }),
    boolean: boolean("boolean"),
    char: char("char_7", { length: 7 }),
    charOne: char("char_one"),
    cidr: cidr("cidr"),
    dateDate: date("date_date", { mode: "date" }),
    dateString: date("date_string"),
    decimal: decimal("decimal", { precision: 7, scale: 3 }),
    double: doublePrecision("double"),
    geometry: geometry("geometry", { type: "point", mode: "tuple" }),
    geometryXy: geometry("geometry_xy", { type: "point", mode: "xy", srid: 4326 }),
    halfvec: halfvec("halfvec", { dimensions: 3 }),
    inet: inet("inet"),
    integer: integer("integer"),
    interval: interval("interval"),
    intervalFields: interval("interval_fields", { fields: "day to second", precision: 3 }),
    json: json("json"),
    jsonb: jsonb("jsonb"),
    line: line("line_tuple"),
    lineAbc: line("line_abc", { mode: "abc" }),
    loud: loud("loud"),
    macaddr: macaddr("macaddr"),
    macaddr8: macaddr8("macaddr8"),
    mood: mood("mood"),
    numeric: numeric("numeric"),
    numericPrecision: numeric("numeric_precision", { precision: 5 }),
    numericScale: numeric("numeric_scale", { precision: 5, scale: 2, mode: "number" }),
    numericBig: numeric("numeric_big", { mode: "bigint" }),
    plainLevel: plainLevel("plain_level"),
    plainMood: plainMood("plain_mood"),
    pointTuple: point("point_tuple"),
    pointXy: point("point_xy", { mode: "xy" }),
    real: real("real"),
    smallint: smallint("smallint"),
    sparsevec: sparsevec("sparsevec", { dimensions: 3 }),
    text: text("text"),
    textEnum: text("text_enum", { enum: ["a", "b"] }),
    time: time("time"),
    timeZone: time("time_zone", { withTimezone: true, precision: 2 }),
    timestamp: timestamp("timestamp"),
    timestampString: timestamp("timestamp_string", { mode: "string", precision: 3 }),
    timestampZone: timestamp("timestamp_zone", { withTimezone: true, precision: 6 }),
    tsvector: tsvector("tsvector"),
    uuid: uuid("uuid"),
    varchar: varchar("varchar"),
    varcharLength: varchar("varchar_length", { length: 20 }),
    varcharEnum: varchar("varchar_enum", { length: 5, enum: ["x", "y"] }),
    vector: vector("vector", { dimensions: 3 }),
  });

  const arrays = space.table("arrays", {
    texts: text("texts").array(),
    three: integer("three").array(3),
    nested: varchar("nested", { length: 4 }).array().array(2),
    moods: mood("moods").array().notNull(),
    plainMoods: plainMood("plain_moods").array().array(),
    stamps: timestamp("stamps", { withTimezone: true }).array(),
    numbers: numeric("numbers", { precision: 4, scale: 1 }).array(),
  });

  const defaults = space.table("defaults", {
    text: text("text").default('it\'s "so"'),
    empty: text("empty").default(""),
    number: integer("number").notNull().default(-7),
    float: doublePrecision("float").default(1.5e-9),
    big: bigint("big", { mode: "number" }).default(9007199254740991),
    numeric: numeric("numeric", { precision: 9, scale: 3 }).default("12.5"),
    yes: boolean("yes").default(true),
    mood: mood("mood").notNull().default("it's fine"),
    plainMood: plainMood("plain_mood").default("low"),
    date: date("date").default("2024-02-29"),
    dateDate: date("date_date", { mode: "date" }).default(new Date("2024-02-29T00:00:00Z")),
    dateNow: date("date_now").defaultNow(),
    time: time("time").default("12:30"),
    timeNow: time("time_now").defaultNow(),
    stamp: timestamp("stamp").default(new Date("2024-02-29T11:22:33.444Z")),
    stampZone: timestamp("stamp_zone", { withTimezone: true }).default(
      new Date("2024-02-29T11:22:33.444Z"),
    ),
    stampText: timestamp("stamp_text", { mode: "string" }).default("2024-02-29 01:02:03"),
    stampNow: timestamp("stamp_now", { withTimezone: true }).notNull().defaultNow(),
    interval: interval("interval").default("1 day"),
    id: uuid("id").defaultRandom(),
    fixedId: uuid("fixed_id").default("00000000-0000-4000-8000-000000000000"),
    object: jsonb("object").default({ a: [1, "two", null], b: { c: true } }),
    list: json("list").default([1, 2]),
    expression: text("expression").default(sql`upper('x')`),
    computed: integer("computed").default(sql`1 + 2`),
    stepped: timestamp("stepped", { withTimezone: true }).default(sql`now() + interval '1 day'`),
    inApplication: text("in_application").$defaultFn(() => "never here"),
    atUpdate: text("at_update").$onUpdateFn(() => "never here"),
    noTexts: text("no_texts").array().default([]),
    someTexts: text("some_texts").array().default(["a", "b c", "d,e", "{f}"]),
    someNumbers: integer("some_numbers").array().default([1, -2]),
    nestedNumbers: integer("nested_numbers")
      .array()
      .array()
      .default([
        [1, 2],
        [3, 4],
      ]),
    someBooleans: boolean("some_booleans").array().default([true, false]),
    someMoods: mood("some_moods").array().default(["sad", "so-so"]),
    someStamps: timestamp("some_stamps")
      .array()
      .default([new Date("2024-02-29T11:22:33.444Z")]),
    someDates: date("some_dates", { mode: "date" })
      .array()
      .default([new Date("2024-02-29T00:00:00Z")]),
    sqlTexts: text("sql_texts")
      .array()
      .default(sql`'{}'::text[]`),
    sqlArray: text("sql_array")
      .array()
      .default(sql`ARRAY['a', 'b']`),
    bits: bit("bits", { dimensions: 3 }).default("101"),
    address: inet("address").default("10.0.0.1"),
    sparse: sparsevec("sparse", { dimensions: 3 }).default("{1:1}/3"),
  });

  const identities = space.table("identities", {
    always: integer("always").generatedAlwaysAsIdentity(),
    byDefault: bigint("by_default", { mode: "number" }).generatedByDefaultAsIdentity({
      name: "by_default_numbers",
      startWith: 100,
      increment: 5,
      minValue: 10,
      maxValue: 1000000,
      cache: 7,
      cycle: true,
    }),
    falling: bigint("falling", { mode: "bigint" }).generatedAlwaysAsIdentity({
      increment: -1,
      minValue: -1000,
    }),
    small: smallint("small").primaryKey().generatedByDefaultAsIdentity({ startWith: 3 }),
  });

  const serials = space.table("serials", {
    id: serial("id").primaryKey(),
    big: bigserial("big", { mode: "number" }),
    bigBig: bigserial("big_big", { mode: "bigint" }),
    small: smallserial("small").notNull(),
  });

  const generated = space.table("generated", {
    name: text("name").notNull(),
    lower: text("lower").generatedAlwaysAs(sql`lower(name)`),
    length: integer("length")
      .notNull()
      .generatedAlwaysAs(() => sql`length(name)`),
    words: tsvector("words").generatedAlwaysAs("to_tsvector('simple'::regconfig, name)"),
  });

  return {
    ...(schema === "public" ? {} : { space }),
    mood,
    plainMood,
    plainLevel,
    types,
    arrays,
    defaults,
    identities,
    serials,
    generated,
  };
}
