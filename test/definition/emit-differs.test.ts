import { sql } from "drizzle-orm";
import {
  check,
  customType,
  doublePrecision,
  index,
  integer,
  json,
  jsonb,
  line,
  numeric,
  pgEnum,
  pgPolicy,
  pgSchema,
  pgTable,
  pgView,
  point,
  text,
  timestamp,
  uniqueIndex,
  vector,
} from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { kitStatements, ourStatements, STAND_INS, type Exports } from "./emit-catalog.ts";

/** Where drizzle-kit 0.31 writes what PostgreSQL refuses, or what was not meant: its error or answer, and ours. */
interface Case {
  readonly exports: Exports;
  /** A query of one text, asked of both databases. */
  readonly ask: string;
  readonly theirs: RegExp;
  readonly ours: string;
}

const space = pgSchema("app");
const money = customType<{ data: { cents: number }; driverData: string }>({
  dataType: () => "numeric(9, 2)",
  toDriver: ({ cents }) => (cents / 100).toFixed(2),
});
const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
const row = "INSERT INTO public.t DEFAULT VALUES RETURNING v::text";
const definition = (name: string) =>
  `SELECT pg_catalog.pg_get_indexdef('public.${name}'::pg_catalog.regclass)`;

const CASES: Readonly<Record<string, Case>> = {
  "an apostrophe in the default of a list": {
    exports: { t: pgTable("t", { v: text("v").array().default(["it's"]) }) },
    ask: row,
    theirs: /syntax error|unterminated/,
    ours: `{it's}`,
  },
  "a quotation mark in the default of a list": {
    exports: { t: pgTable("t", { v: text("v").array().default(['a"b', "c\\d"]) }) },
    ask: row,
    theirs: /malformed array literal/,
    ours: String.raw`{"a\"b","c\\d"}`,
  },
  "NULL in the default of a list": {
    exports: {
      t: pgTable("t", {
        v: text("v")
          .array()
          .default([null as never, "NULL"]),
      }),
    },
    ask: row,
    theirs: /^\{"null","NULL"\}$/i,
    ours: `{NULL,"NULL"}`,
  },
  "an apostrophe in the default of a document": {
    exports: { t: pgTable("t", { v: jsonb("v").default({ a: "it's" }) }) },
    ask: row,
    theirs: /syntax error|unterminated/,
    ours: `{"a": "it's"}`,
  },
  "a backslash in the default of a document": {
    exports: { t: pgTable("t", { v: json("v").default({ a: "\\\n" }) }) },
    ask: row,
    theirs: /^\{"a":"\\\\\\n"\}$/,
    ours: String.raw`{"a":"\\\n"}`,
  },
  "a list of documents as default": {
    exports: {
      t: pgTable("t", {
        v: jsonb("v")
          .array()
          .default([{ a: 'b"c' }]),
      }),
    },
    ask: row,
    theirs: /invalid input syntax for type json|malformed array literal/,
    ours: String.raw`{"{\"a\": \"b\\\"c\"}"}`,
  },
  "a point as default": {
    exports: { t: pgTable("t", { v: point("v").default([1, 2]) }) },
    ask: row,
    theirs: /syntax error/,
    ours: "(1,2)",
  },
  "a point with names as default": {
    exports: { t: pgTable("t", { v: point("v", { mode: "xy" }).default({ x: 1, y: 2 }) }) },
    ask: row,
    theirs: /syntax error/,
    ours: "(1,2)",
  },
  "a list of points as default": {
    exports: {
      t: pgTable("t", {
        v: point("v")
          .array()
          .default([
            [1, 2],
            [3, 4],
          ]),
      }),
    },
    ask: row,
    theirs: /invalid input syntax for type point|malformed/,
    ours: `{"(1,2)","(3,4)"}`,
  },
  "a line as default": {
    exports: { t: pgTable("t", { v: line("v", { mode: "abc" }).default({ a: 1, b: 2, c: 3 }) }) },
    ask: row,
    theirs: /syntax error/,
    ours: "{1,2,3}",
  },
  "a vector as default": {
    exports: { t: pgTable("t", { v: vector("v", { dimensions: 9 }).default([1, 2, 3]) }) },
    ask: "INSERT INTO public.t DEFAULT VALUES RETURNING pg_catalog.btrim(v::text)",
    theirs: /syntax error/,
    ours: "[1,2,3]",
  },
  "a number that is none as default": {
    exports: { t: pgTable("t", { v: doublePrecision("v").default(-Infinity) }) },
    ask: row,
    theirs: /^null$/,
    ours: "-Infinity",
  },
  "a large number as default": {
    exports: { t: pgTable("t", { v: numeric("v", { mode: "bigint" }).default(10n ** 30n) }) },
    ask: row,
    theirs: /serialize a BigInt/,
    ours: "1000000000000000000000000000000",
  },
  "a value of a custom type as default": {
    exports: { t: pgTable("t", { v: money("v").default({ cents: 1250 }) }) },
    ask: row,
    theirs: /syntax error/,
    ours: "12.50",
  },
  "bytes as default": {
    exports: { t: pgTable("t", { v: bytes("v").default(new Uint8Array([1, 255])) }) },
    ask: row,
    theirs: /cannot cast|syntax error|default expression is of type|invalid input/,
    ours: String.raw`\x01ff`,
  },
  "a parameter in a default": {
    exports: { t: pgTable("t", { v: text("v").default(sql`upper(${"it's"})`) }) },
    ask: row,
    theirs: /don't support params/,
    ours: "IT'S",
  },
  "a parameter in a check": {
    exports: { t: pgTable("t", { v: text("v") }, (t) => [check("c", sql`${t.v} <> ${"it's"}`)]) },
    ask: "INSERT INTO public.t VALUES ('fine') RETURNING v",
    theirs: /no parameter/,
    ours: "fine",
  },
  "a parameter in a policy": {
    exports: {
      t: pgTable("t", { v: integer("v") }, (t) => [pgPolicy("p", { using: sql`${t.v} > ${5}` })]),
    },
    ask: "SELECT qual FROM pg_catalog.pg_policies WHERE policyname = 'p'",
    theirs: /no parameter/,
    ours: "(v > 5)",
  },
  "a semicolon in a check": {
    exports: { t: pgTable("t", { v: text("v") }, () => [check("c", sql`v <> 'a;b'`)]) },
    ask: "INSERT INTO public.t VALUES ('fine') RETURNING v",
    theirs: /unterminated|syntax error/,
    ours: "fine",
  },
  "two hyphens in a policy": {
    exports: {
      t: pgTable("t", { v: text("v") }, () => [pgPolicy("p", { using: sql`v <> 'a--b'` })]),
    },
    ask: "SELECT qual FROM pg_catalog.pg_policies WHERE policyname = 'p'",
    theirs: /^\(v <> 'a\) WITH CHECK \(b'::text\)$/,
    ours: "(v <> 'a--b'::text)",
  },
  "a semicolon in the predicate of an index": {
    exports: {
      t: pgTable("t", { v: text("v") }, (t) => [
        uniqueIndex("i")
          .on(t.v)
          .where(sql`v <> 'a;b'`),
      ]),
    },
    ask: definition("i"),
    theirs: /unterminated|syntax error|JSON/,
    ours: "CREATE UNIQUE INDEX i ON public.t USING btree (v) WHERE (v <> 'a;b'::text)",
  },
  "an order beside an operator class": {
    exports: {
      t: pgTable("t", { v: text("v") }, (t) => [
        index("i").on(t.v.op("text_pattern_ops").desc().nullsFirst()),
      ]),
    },
    ask: definition("i"),
    theirs: /\(v text_pattern_ops\)$/,
    ours: "CREATE INDEX i ON public.t USING btree (v text_pattern_ops DESC)",
  },
  "an enum that is given as an object, in a schema of its own": {
    exports: (() => {
      const level = space.enum("level", { Low: "low" });
      return { space, level, t: pgTable("t", { v: level("v").default("low") }) };
    })(),
    ask: row,
    theirs: /type "level" does not exist/,
    ours: "low",
  },
  "an enum in a schema of its own that is named like a type": {
    exports: (() => {
      const kind = space.enum("text_kind", ["low"]);
      return { space, kind, t: pgTable("t", { v: kind("v").default("low") }) };
    })(),
    ask: row,
    theirs: /type "text_kind" does not exist/,
    ours: "low",
  },
  "a type with its schema": {
    exports: {
      t: pgTable("t", {
        v: customType<{ data: string }>({ dataType: () => "pg_catalog.name" })("v").default("a"),
      }),
    },
    ask: row,
    theirs: /type "pg_catalog.name" does not exist/,
    ours: "a",
  },
  "an identity that falls": {
    exports: { t: pgTable("t", { v: integer("v").generatedAlwaysAsIdentity({ increment: -1 }) }) },
    ask: "SELECT min_value::text FROM pg_catalog.pg_sequences WHERE sequencename = 't_v_seq'",
    theirs: /^-32768$/,
    ours: "-2147483648",
  },
  "a view that sorts before what it reads": {
    exports: {
      a: pgView("a", { v: integer("v") }).as(sql`select v from public.b`),
      b: pgView("b", { v: integer("v") }).as(sql`select 1 as v`),
    },
    ask: "SELECT v::text FROM public.a",
    theirs: /relation "public.b" does not exist/,
    ours: "1",
  },
  "quotation marks in names": {
    exports: {
      t: pgTable('t"', { v: timestamp('v"').array() }, (t) => [index('i"').on(t.v)]),
      e: pgEnum('e"', ['x"y']),
    },
    ask: `SELECT pg_catalog.pg_get_indexdef('public."i"""'::pg_catalog.regclass)`,
    theirs: /syntax error|unterminated/,
    ours: `CREATE INDEX "i""" ON public."t""" USING btree ("v""")`,
  },
};

describe("what drizzle-kit 0.31 does not write rightly is right in our own statements", () => {
  let sandbox: Sandbox | undefined;
  beforeAll(async () => {
    sandbox = await bootSandbox();
    await sandbox.client.exec(STAND_INS);
  });
  afterAll(() => sandbox?.close());

  /** The answer in a database with the statements, or the error. */
  async function answer(statements: () => Promise<readonly string[]>, ask: string) {
    const client = sandbox?.client;
    await client?.exec("BEGIN");
    try {
      for (const statement of await statements()) await client?.exec(statement);
      const found = await client?.query<unknown[]>(ask, [], { rowMode: "array" });
      return String(found?.rows[0]?.[0]);
    } catch (error) {
      return String(error);
    } finally {
      await client?.exec("ROLLBACK");
    }
  }

  for (const [what, { exports, ask, theirs, ours }] of Object.entries(CASES))
    it(what, async () => {
      expect(await answer(() => kitStatements(exports), ask)).toMatch(theirs);
      expect(await answer(() => Promise.resolve(ourStatements(exports)), ask)).toBe(ours);
    });
});
