import {
  createInsertSchema,
  createSelectSchema,
  createUpdateSchema,
  type BuildSchema,
} from "drizzle-zod";
import { getTableColumns, is, SQL } from "drizzle-orm";
import { getTableConfig, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import type { z } from "zod";
import { UnderpinError } from "../../errors.ts";
import { sqlText } from "../../sql/sql-text.ts";
import { checkType, checkValue } from "./check-value.ts";
import { columnSchema, type Direction } from "./column-schema.ts";
import { compileCheck, type Check } from "./compile-check.ts";

/** The schemas of one table. */
export interface Validation<T extends PgTable> {
  /** Of a row as it is read. */
  readonly select: BuildSchema<"select", T["_"]["columns"], undefined, undefined>;
  /** Of a row to insert: what has a default may be left out. */
  readonly insert: BuildSchema<"insert", T["_"]["columns"], undefined, undefined>;
  /** Of a change: a check is asked where all of its columns are given. */
  readonly update: BuildSchema<"update", T["_"]["columns"], undefined, undefined>;
}

/** Checks by the name of their constraint, for those that are not told from their text. */
export type ToldChecks = Readonly<Record<string, Check>>;

type Verb = "select" | "insert" | "update";

/**
 * zod schemas of a table by what PostgreSQL would accept: its types as they are stored, and each of its CHECKs, read from their SQL.
 *
 * A CHECK that cannot be read needs an entry in `told`, else this throws and names it. A check of one column is part of that
 * column's schema; one of several belongs to the whole row, so that zod refuses `pick` and `omit` of it: take `insert.shape` for a form.
 * Unique and foreign keys, triggers and row security need the database.
 */
export function validationOf<T extends PgTable>(table: T, told: ToldChecks = {}): Validation<T> {
  const columns = getTableColumns(table) as Readonly<Record<string, PgColumn>>;
  const checks = checksOf(table, told);
  const schema = (verb: Verb): z.ZodType => {
    const refined = BUILD[verb](table, refinements(columns, checks, verb)) as z.ZodObject;
    const ofRow = checks.filter((check) => columnOf(check, columns) === null);
    return ofRow.length === 0
      ? refined
      : refined.check((context) => {
          for (const { name, columns: about, holds } of ofRow) {
            const row = rowOf(context.value, about, columns, verb);
            if (row !== null && holds(row) === false)
              context.issues.push({
                code: "custom",
                input: context.value,
                path: [propertyOf(about[0], columns)],
                message: messageOf(name),
                params: { constraint: name },
              });
          }
        });
  };
  return { select: schema("select"), insert: schema("insert"), update: schema("update") } as never;
}

const BUILD = {
  select: createSelectSchema,
  insert: createInsertSchema,
  update: createUpdateSchema,
} as unknown as Readonly<Record<Verb, (table: PgTable, refine: object) => unknown>>;

type NamedCheck = Check & { readonly name: string };

function checksOf(table: PgTable, told: ToldChecks): readonly NamedCheck[] {
  const { name: of, columns, checks } = getTableConfig(table);
  const types = new Map(columns.map((column) => [column.name, checkType(column)]));
  return checks.map(({ name, value }) => {
    const sql = sqlText(value);
    const check = told[name] ?? compileCheck(sql, (column) => types.get(column));
    if (check !== null) return { ...check, name };
    throw new UnderpinError({
      code: "invalidDefinition",
      message: `the check "${name}" of the table "${of}" cannot be told without a database: ${sql}`,
      hint: 'Hand over its meaning: validationOf(table, { that_check: { columns: ["a"], holds: ({ a }) => … } }).',
    });
  });
}

function refinements(
  columns: Readonly<Record<string, PgColumn>>,
  checks: readonly NamedCheck[],
  verb: Verb,
): Readonly<Record<string, (schema: z.ZodType) => z.ZodType>> {
  const direction: Direction = verb === "select" ? "read" : "write";
  return Object.fromEntries(
    Object.entries(columns).map(([property, column]) => [
      property,
      (given: z.ZodType) =>
        checks
          .filter((check) => columnOf(check, columns) === column)
          .reduce<z.ZodType>(
            (schema, { name, holds }) =>
              schema.refine(
                (value) => holds({ [column.name]: checkValue(column, value) }) !== false,
                {
                  message: messageOf(name),
                  params: { constraint: name },
                },
              ),
            columnSchema(column, direction) ?? given,
          ),
    ]),
  );
}

function messageOf(name: string): string {
  return `breaks the check ${name}`;
}

/** The only column of a check; null where it has several, or where NULL breaks it, which a column's schema never sees. */
function columnOf(
  { columns: [name, ...others], holds }: Check,
  columns: Readonly<Record<string, PgColumn>>,
): PgColumn | null {
  if (name === undefined || others.length > 0 || holds({ [name]: null }) === false) return null;
  return columns[propertyOf(name, columns)] ?? null;
}

function propertyOf(name: string | undefined, columns: Readonly<Record<string, PgColumn>>): string {
  return Object.entries(columns).find(([, column]) => column.name === name)?.[0] ?? "";
}

/** The columns of a check as it will see them; null where one is not known: left out of a change, or given by the database. */
function rowOf(
  value: Readonly<Record<string, unknown>>,
  about: readonly string[],
  columns: Readonly<Record<string, PgColumn>>,
  verb: Verb,
): Readonly<Record<string, unknown>> | null {
  const row: Record<string, unknown> = {};
  for (const name of about) {
    const property = propertyOf(name, columns);
    const column = columns[property];
    const given = value[property] ?? (value[property] === null ? null : undefined);
    if (column === undefined) return null;
    if (given !== undefined) row[name] = checkValue(column, given);
    else if (verb !== "insert" || isMade(column)) return null;
    else row[name] = checkValue(column, column.default ?? null);
  }
  return row;
}

/** Whether the database, or Drizzle when it runs, makes the value. */
function isMade(column: PgColumn): boolean {
  const { hasDefault, default: value, generated, generatedIdentity } = column;
  if (generated !== undefined || generatedIdentity !== undefined) return true;
  return hasDefault && (value === undefined || is(value, SQL));
}
