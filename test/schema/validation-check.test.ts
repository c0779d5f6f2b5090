import { sql } from "drizzle-orm";
import {
  check,
  integer,
  jsonb,
  numeric,
  pgTable,
  text,
  timestamp,
  varchar,
} from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { compileCheck } from "../../src/schema/validation/compile-check.ts";
import type { ValueType } from "../../src/schema/validation/expression.ts";
import { transitionOf } from "../../src/schema/validation/transition-of.ts";
import { validationOf } from "../../src/schema/validation/validation-of.ts";
import { literal } from "../../src/sql/quote.ts";

const TYPES: Readonly<Record<string, ValueType>> = {
  n: "number",
  m: "number",
  t: "text",
  u: "text",
  b: "boolean",
  j: "json",
  l: "array",
};
const SQL_TYPES = {
  n: "numeric",
  m: "numeric",
  t: "text",
  u: "text",
  b: "boolean",
  j: "jsonb",
  l: "text[]",
};

/** Each with rows on both sides and with NULL. */
const CHECKS = [
  "n > 0",
  "n between 1 and 10 or m is null",
  "not n between 1 and 10",
  "n not in (1, 2, 3)",
  "t in ('a', 'b') and n > 1",
  "NOT (n > 1 AND m > 1)",
  "n > 1 or m > 1 and t = 'a'",
  "(t is null) = (n is null)",
  "b = (n > m)",
  "b is not true",
  "num_nonnulls(n, m, t) <= 1",
  "num_nulls(n, m) = 1",
  "coalesce(n, m, 5) < 5",
  "n + m * 2 - 1 <= 10",
  "n <> m",
  "-n < m",
  "t ~ '^[a-z]+$'",
  "t ~* '^[a-z]+$'",
  "t !~ '[[:space:]]'",
  "t !~* 'B'",
  "t ~ '^.{1,2}$'",
  "t ~ '^[^@\\s]+@[^@\\s]+$'",
  "char_length(btrim(t)) between 1 and 3",
  "octet_length(t) <= 4",
  "length(t) = octet_length(t)",
  "t = lower(t)",
  "t <> upper(t)",
  "t || u = 'ab'",
  "starts_with(t, u)",
  "btrim(t) <> ''",
  "jsonb_typeof(j) = 'object'",
  "jsonb_typeof(j) in ('array', 'null')",
  "case when jsonb_typeof(j) = 'array' then jsonb_array_length(j) between 1 and 2 else false end",
  "case when b then n > 0 when n = 5 then false end",
  "cardinality(l) > 0",
  "array_length(l, 1) <= 2",
  "l = '{}' or b",
  "array_position(l, 'a') is not null",
  "array_position(l, NULL) is null",
  '"n" >= 1.5',
  "n >= 0 and n <> 'NaN'",
  "n < 'NaN'",
  "'NaN' = n",
] as const;

const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  n: [null, 0, 1, 1.5, 5, 10, 11, Number.NaN],
  m: [null, 0, 1, 2, 12],
  t: [null, "", " ", "a", "b", "B", "ab", "abc", "a\n", "ä", "😀", "a@b", "a b@c", "K"],
  u: [null, "", "a", "b"],
  b: [null, true, false],
  j: [null, {}, [], [1], [1, 2, 3], "x", 5, false],
  l: [null, [], ["a"], ["b", "c"], ["a", "b", "c"], ["b", null]],
};

describe("a check that is read from its SQL", () => {
  let sandbox: Sandbox | undefined;
  beforeAll(async () => {
    sandbox = await bootSandbox();
  });
  afterAll(() => sandbox?.close());

  for (const text of CHECKS)
    it(`says what PostgreSQL says: ${text}`, async () => {
      const compiled = compileCheck(text, (column) => TYPES[column]);
      if (compiled === null) throw new Error("is not read");
      const rows = combinations(compiled.columns);
      const names = Object.keys(SQL_TYPES) as (keyof typeof SQL_TYPES)[];
      const lines = rows.map(
        (row) =>
          `(${names.map((name) => `${sqlOf(row[name], name)}::${SQL_TYPES[name]}`).join(", ")})`,
      );
      const answers = await sandbox?.client.query<[boolean | null]>(
        `SELECT (${text}) FROM (VALUES ${lines.join(", ")}) AS v(${names.join(", ")})`,
        [],
        { rowMode: "array" },
      );
      expect(rows.map((row) => compiled.holds(row))).toEqual(
        answers?.rows.map(([answer]) => answer),
      );
      expect(new Set(answers?.rows.map(([answer]) => answer)).size).toBeGreaterThan(1);
    });

  it("is not read where the row alone does not tell", () => {
    for (const text of [
      "n > now()",
      "t < 'b'",
      "app.is_fine(t)",
      "other > 1",
      "n",
      "n >",
      "t ~ '(?i)a'",
      "t ~ '\\w'",
      "n::int > 1",
      "t = E'\\n'",
      "n > 1 -- so",
      "j ->> 'a' = 'b'",
      "(select true)",
      "n = 'x'",
      "t = n",
      "t like 'a%'",
    ])
      expect(
        compileCheck(text, (column) => TYPES[column]),
        text,
      ).toBeNull();
  });
});

describe("the schemas of a table", () => {
  const reports = pgTable(
    "reports",
    {
      name: varchar("name", { length: 3 }).notNull(),
      score: numeric("score", { precision: 5, scale: 2 }),
      data: jsonb("data").$type<Readonly<Record<string, string>>>().notNull().default({}),
      state: text("state", { enum: ["open", "done"] })
        .notNull()
        .default("open"),
      doneAt: timestamp("done_at", { withTimezone: true }),
      tries: integer("tries").notNull().default(0),
    },
    () => [
      check("score_range", sql`score between 0 and 100`),
      check("name_filled", sql`btrim(name) <> ''`),
      check("done_dated", sql`(state = 'done') = (done_at is not null)`),
    ],
  );
  const { insert, update, select } = validationOf(reports);

  it("name the check that is broken", () => {
    const { error } = insert.safeParse({ name: " " });
    expect(error?.issues).toMatchObject([
      {
        path: ["name"],
        message: "breaks the check name_filled",
        params: { constraint: "name_filled" },
      },
    ]);
    expect(insert.safeParse({ name: "a", state: "done" }).error?.issues).toMatchObject([
      { path: ["state"], params: { constraint: "done_dated" } },
    ]);
  });

  it("know the constant default of what is left out", () => {
    expect(insert.safeParse({ name: "a" }).success).toBe(true);
    expect(insert.safeParse({ name: "a", doneAt: new Date() }).success).toBe(false);
  });

  it("round before they look at a range, as storing does", () => {
    expect(insert.safeParse({ name: "a", score: "100.004" }).success).toBe(true);
    expect(insert.safeParse({ name: "a", score: "100.005" }).success).toBe(false);
    expect(insert.safeParse({ name: "a", score: "-0.004" }).success).toBe(true);
  });

  it("count characters, and cut spaces beyond the length", () => {
    for (const name of ["😀😀😀", "abc   "]) expect(insert.safeParse({ name }).success).toBe(true);
    for (const name of ["abcd", "abc  d", "a\0"])
      expect(insert.safeParse({ name }).success).toBe(false);
  });

  it("leave a check alone in a change that does not give all of its columns", () => {
    expect(update.safeParse({ state: "done" }).success).toBe(true);
    expect(update.safeParse({ state: "done", doneAt: null }).success).toBe(false);
    expect(update.safeParse({ score: "101" }).success).toBe(false);
  });

  it("take a row as it is read", () => {
    const row = { name: "a", score: null, data: {}, state: "open", doneAt: null, tries: 0 };
    expect(select.safeParse(row).success).toBe(true);
    expect(select.safeParse({ ...row, doneAt: new Date() }).success).toBe(false);
    expect(select.safeParse({ ...row, name: undefined }).success).toBe(false);
  });

  it("are refused for a check that needs a database, until its meaning is told", () => {
    const odd = pgTable("odd", { n: integer("n") }, () => [check("odd_fresh", sql`n > random()`)]);
    expect(() => validationOf(odd)).toThrow(
      /"odd_fresh" of the table "odd" cannot be told.*random/s,
    );
    const told = validationOf(odd, {
      odd_fresh: { columns: ["n"], holds: ({ n }) => n === null || Number(n) > 1 },
    });
    expect(told.insert.safeParse({ n: 1 }).success).toBe(false);
    expect(told.insert.safeParse({ n: 2 }).success).toBe(true);
  });

  it("let a row go only where a transition leads", () => {
    const transition = transitionOf({ open: ["done"], done: [] });
    expect(transition.safeParse({ from: "open", to: "done" }).success).toBe(true);
    expect(transition.safeParse({ from: "done", to: "done" }).success).toBe(true);
    const { error } = transition.safeParse({ from: "done", to: "open" });
    expect(error?.issues).toMatchObject([
      { path: ["to"], message: "no row goes from done to open" },
    ]);
    expect(transition.safeParse({ from: "open", to: "lost" }).success).toBe(false);
  });
});

/** All rows of the values of some columns; the others are NULL. */
function combinations(columns: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
  return columns.reduce<readonly Readonly<Record<string, unknown>>[]>(
    (rows, column) =>
      rows.flatMap((row) => (VALUES[column] ?? []).map((value) => ({ ...row, [column]: value }))),
    [{}],
  );
}

function sqlOf(value: unknown, column: string): string {
  if (value === null || value === undefined) return "NULL";
  if (column === "j") return literal(JSON.stringify(value));
  if (typeof value === "number" || typeof value === "boolean") return `'${value}'`;
  if (typeof value === "string") return literal(value);
  const items = value as readonly (string | null)[];
  return literal(`{${items.map((item) => item ?? "NULL").join(",")}}`);
}
