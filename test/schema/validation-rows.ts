import { is, SQL } from "drizzle-orm";
import { getTableColumns, type Table } from "drizzle-orm";
import { getTableConfig, PgArray, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import fc from "fast-check";
import { checkType, scaleOf } from "../../src/schema/validation/check-value.ts";
import { patternOf } from "../../src/schema/validation/pattern.ts";
import { tokensOf, type Token } from "../../src/schema/validation/tokens.ts";
import { sqlText } from "../../src/sql/sql-text.ts";

/** A row as an application would insert it. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows for a table: most of a row is likely to be accepted, and now and then something of it nearly is. */
export function rowsOf(table: PgTable, fit: (row: Row) => Row = (row) => row): fc.Arbitrary<Row> {
  const columns = getTableColumns(table as Table) as Readonly<Record<string, PgColumn>>;
  const checks = getTableConfig(table).checks.map(({ value }) => tokensOf(sqlText(value)) ?? []);
  const given = Object.entries(columns).filter(
    ([, { generated, generatedIdentity }]) =>
      generated === undefined && generatedIdentity?.type !== "always",
  );
  const rows = fc
    .tuple(...given.map(([name, column]) => fc.tuple(fc.constant(name), cell(column, checks))))
    .map((cells) => Object.fromEntries(cells.filter(([, value]) => value !== ABSENT)) as Row);
  return fc.tuple(rows, fc.nat(9)).map(([row, chance]) => (chance === 0 ? row : fit(row)));
}

const ABSENT = Symbol("left out");

function cell(column: PgColumn, checks: readonly (readonly Token[])[]): fc.Arbitrary<unknown> {
  const { likely, unlikely } = values(column, checks);
  // What the database makes, a time or a number, is not known here: where a check looks at it, it is given.
  const isMade =
    is(column.default, SQL) ||
    column.generatedIdentity !== undefined ||
    (column.hasDefault && column.default === undefined);
  const isAsked = isMade && checks.some((tokens) => mentions(tokens, column));
  return fc.oneof(
    { weight: 40, arbitrary: likely },
    { weight: 1, arbitrary: unlikely },
    ...(column.notNull && isAsked
      ? []
      : [
          {
            weight: column.notNull ? 1 : 12,
            arbitrary: fc.constant(column.notNull ? ABSENT : null),
          },
        ]),
    ...((column.hasDefault || !column.notNull) && !isAsked
      ? [{ weight: 12, arbitrary: fc.constant(ABSENT) }]
      : []),
    ...(column.notNull ? [{ weight: 1, arbitrary: fc.constant(null) }] : []),
  );
}

function mentions(tokens: readonly Token[], { name }: PgColumn): boolean {
  return tokens.some(({ value }) => value === name);
}

/** Values that a column is likely to take, and some at the edge of what it does. */
interface Values {
  readonly likely: fc.Arbitrary<unknown>;
  readonly unlikely: fc.Arbitrary<unknown>;
}

function values(column: PgColumn, checks: readonly (readonly Token[])[]): Values {
  const own = checks.filter((tokens) => mentions(tokens, column));
  if (is(column, PgArray)) {
    const { baseColumn } = column as unknown as { readonly baseColumn: PgColumn };
    const { likely, unlikely } = values(baseColumn, own);
    return {
      likely: fc.array(likely, { maxLength: 3 }),
      unlikely: fc.array(unlikely, { minLength: 1, maxLength: 2 }),
    };
  }
  if (column.enumValues !== undefined) {
    const likely = fc.constantFrom(...column.enumValues);
    // Words of a text that no check holds are held by its type in TypeScript, and by zod.
    const isHeld = own.length > 0 || !/^(?:text|varchar)/.test(column.getSQLType());
    return { likely, unlikely: isHeld ? fc.constantFrom("nope", "") : likely };
  }
  const type = column.getSQLType().replace(/[ (].*/, "");
  if (type === "uuid") return UUIDS;
  if (type === "inet") return ADDRESSES;
  if (type === "boolean")
    return { likely: fc.boolean(), unlikely: fc.constantFrom("perhaps", "neither") };
  if (type === "date") return column.dataType === "date" ? MOMENTS : DAYS;
  const byKind = { number: numbers, text: texts, json: documents } as const;
  const kind = checkType(column);
  if (kind === "time") return MOMENTS;
  if (kind in byKind) return byKind[kind as keyof typeof byKind](column, own);
  throw new Error(`no values are known for ${column.name} of type ${column.getSQLType()}`);
}

const UUIDS: Values = {
  likely: fc.oneof(
    fc.uuid(),
    // Often the same, for checks that two columns differ.
    fc.constantFrom(
      "00000000-0000-0000-0000-000000000001",
      "AAAAAAAA-0000-F000-0000-00000000000b",
      "aaaaaaaa0000f00000000000000000 0b".replace(" ", "0").slice(0, 32),
      "{00000000-0000-0000-0000-000000000001}",
    ),
  ),
  unlikely: fc.constantFrom(
    "",
    "x",
    "00000000-0000-0000-0000-00000000000",
    "00000000-0000-0000-0000-0000000000011",
    "{00000000-0000-0000-0000-000000000001",
    "0-0000000-0000-0000-0000-000000000001",
    " 00000000-0000-0000-0000-000000000001",
    "g0000000-0000-0000-0000-000000000001",
  ),
};

const ADDRESSES: Values = {
  likely: fc.constantFrom("10.0.0.1", "192.168.0.0/24", "::1", "2001:db8::/32"),
  unlikely: fc.constantFrom("", "10.0.0.256", "10.0.0.1/33", "::g", "host"),
};

const MOMENTS: Values = {
  likely: fc.constantFrom(
    new Date("2024-01-01T00:00:00Z"),
    new Date("2024-02-29T12:30:00.123Z"),
    new Date("2031-12-31T23:59:59.999Z"),
    new Date("0001-01-02T00:00:00Z"),
  ),
  unlikely: fc.constantFrom(
    new Date(Number.NaN),
    new Date("+010000-01-01T00:00:00Z"),
    new Date("0000-06-01T00:00:00Z"),
    new Date("-000044-03-15T00:00:00Z"),
  ),
};

const DAYS: Values = {
  likely: fc.constantFrom("2024-01-01", "2024-02-01", "2024-02-29", "2025-06-15", "9999-12-31"),
  unlikely: fc.constantFrom("", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "soon"),
};

function numbers(column: PgColumn, own: readonly (readonly Token[])[]): Values {
  const edges = own.flat().flatMap(({ kind, value }) => (kind === "number" ? [Number(value)] : []));
  const scale = scaleOf(column)?.scale ?? 0;
  const smallest = 10 ** -scale;
  const near = edges.flatMap((edge) => [edge, edge + smallest, edge - smallest]);
  const isWhole = /int|serial/.test(column.getSQLType());
  const beyond = isWhole
    ? [0.5, -1, 2 ** 31, -(2 ** 31) - 1, 32768]
    : [
        -1,
        1e12,
        -1e12,
        0.5,
        1e-9,
        ...edges.flatMap((edge) => [
          edge + smallest * 0.4,
          edge + smallest * 0.5,
          edge - smallest * 0.6,
        ]),
      ];
  const likely = fc.oneof(
    fc.integer({ min: 0, max: 12 }),
    ...(near.length === 0 ? [] : [fc.constantFrom(...near)]),
    ...(isWhole ? [] : [fc.integer({ min: 0, max: 9999 }).map((n) => n * smallest)]),
  );
  if (column.dataType === "number") return { likely, unlikely: fc.constantFrom(...beyond) };
  if (column.dataType === "bigint")
    return {
      likely: likely.map((n) => BigInt(Math.trunc(n))),
      unlikely: fc.constantFrom(2n ** 63n, -(2n ** 63n) - 1n),
    };
  return {
    likely: likely.map((n) => n.toFixed(scale)),
    unlikely: fc.constantFrom(
      ...beyond.map((n) => n.toFixed(scale + 2)),
      "",
      "x",
      "1e2",
      " 1.5 ",
      "+.5",
      "5.",
      ".",
      "NaN",
      "1,5",
      "--1",
    ),
  };
}

function texts(column: PgColumn, own: readonly (readonly Token[])[]): Values {
  const { length } = column as PgColumn & { readonly length?: number };
  const patterns = own.flatMap((tokens) =>
    tokens.flatMap(({ value }, i) => {
      const next = tokens[i + 1];
      const pattern = next?.kind === "text" ? patternOf(next.value, value.endsWith("*")) : null;
      return /^!?~/.test(value) && pattern !== null ? [pattern.source] : [];
    }),
  );
  const words = own.flat().flatMap(({ kind, value }) => (kind === "text" ? [value] : []));
  const most = Math.min(length ?? 40, 40);
  const plain = fc.string({ unit: fc.constantFrom(..."abcxyz09 -_.@äß😀"), maxLength: most });
  const shaped = patterns.map((source) => fc.stringMatching(new RegExp(source, "u")));
  return {
    likely: fc.oneof(
      { weight: shaped.length > 0 ? 1 : 6, arbitrary: plain },
      ...shaped.map((arbitrary) => ({ weight: 8, arbitrary })),
      ...(words.length > 0 ? [{ weight: 4, arbitrary: fc.constantFrom(...words) }] : []),
    ),
    unlikely: fc.oneof(
      fc.constantFrom("", " ", "\t", "\n", "a\0b", " a ", "A@B.CD", "a@b", "😀"),
      ...shaped.flatMap((arbitrary) => [
        arbitrary.map((text) => `${text}\n`),
        arbitrary.map((text) => text.toUpperCase()),
        arbitrary.map((text) => ` ${text}`),
      ]),
      ...(length === undefined
        ? []
        : [
            fc.constantFrom(
              "😀".repeat(length),
              "ä".repeat(length + 1),
              `${"x".repeat(length)}   `,
              `${"x".repeat(length)}  y`,
            ),
          ]),
    ),
  };
}

function documents(column: PgColumn, own: readonly (readonly Token[])[]): Values {
  const words = own.flat().flatMap(({ kind, value }) => (kind === "text" ? [value] : []));
  const fallback = is(column.default, SQL) ? undefined : column.default;
  const asked = words.includes("array") ? [] : words.includes("object") ? {} : fallback;
  return {
    likely: fc.oneof(
      fc.constantFrom<unknown>({}, { a: 1 }, [], [{ id: "a" }], { a: 0.5 }, { a: 0, b: 1 }),
      ...(asked === undefined ? [] : [{ weight: 5, arbitrary: fc.constant<unknown>(asked) }]),
    ),
    unlikely: fc.oneof(
      fc.constantFrom<unknown>(
        [1, "a"],
        "text",
        "",
        7,
        false,
        { a: "b\0" },
        ["\ud800"],
        { "\0": 1 },
        { a: "\\u0000" },
        { a: 1.5 },
        { a: "0.5" },
        { a: [0.5] },
        [{ id: 5 }],
        [{ id: null }],
        [[{ id: "a" }]],
        [{ id: "a" }, {}],
      ),
      fc.jsonValue(),
    ),
  };
}
