import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import { passingCombinations } from "./combinations.ts";
import type { Draft } from "./draft-values.ts";
import { value, type ProofModel, type ProvenTable } from "./model.ts";
import { passingDraft } from "./passing-draft.ts";
import { sample } from "./samples.ts";
import type { WorldOptions } from "./world-options.ts";

/** A row as it is in the database. */
export interface WorldRow {
  /** What {@link ProvenTable.key} says of it. */
  readonly key: string;
  /** Each column as text. */
  readonly values: Readonly<Record<string, string | null>>;
  /** Rank of its tenant; null in a table without tenant, -1 for a tenant that was there before. */
  readonly tenant: number | null;
}

/** Rows of two or three tenants, of the same shape. */
export interface World {
  readonly tenants: readonly string[];
  readonly rows: ReadonlyMap<string, readonly WorldRow[]>;
  /** What could not be made, and why. */
  readonly problems: readonly string[];
}

/**
 * Fills the tables, as a superuser with triggers and foreign keys asleep: what is proven are policies and grants, and no workflow stands
 * in the way of its rows.
 */
export async function makeWorld(
  db: Queryable,
  model: ProofModel,
  options: WorldOptions,
): Promise<World> {
  return fillWorld(db, model, options, () => db.query(defaultPartitions(model)));
}

/** The same, with what is done once the rows are drafted and before they are inserted. */
export async function fillWorld(
  db: Queryable,
  model: ProofModel,
  options: WorldOptions,
  beforeInsert: () => Promise<unknown> = async () => undefined,
): Promise<World> {
  const { types } = model;
  const present = await readRows(db, model.tables);
  const combinations = await passingCombinations(
    db,
    model.tables,
    types,
    (column) =>
      [0, 1, 2].map((row) =>
        sample({
          type: column.type,
          column: column.name,
          row,
          tenant: 0,
          global: false,
          types,
          uuid: () => `00000000-0000-4000-8000-00000000000${row}`,
        }),
      ),
    givenColumns(model, options),
  );
  const draft = await passingDraft(db, {
    model,
    combinations,
    present: new Map([...present].map(([sql, rows]) => [sql, rows.map(({ values }) => values)])),
    options,
    shifts: new Map(),
  });
  await beforeInsert();
  const failures = await insertRows(db, model, draft, present);
  return {
    tenants: draft.tenants,
    rows: await readWorldRows(db, model, draft.tenants),
    problems: [...new Set(failures)],
  };
}

/** The rows of the tables as they are now, with the ranks of their tenants. */
export async function readWorldRows(
  db: Queryable,
  { tables }: ProofModel,
  tenants: World["tenants"],
): Promise<World["rows"]> {
  const read = await readRows(db, tables);
  return new Map(
    tables.map((table) => [
      table.sql,
      (read.get(table.sql) ?? []).map((row) => ({ ...row, tenant: tenantOf(table, row, tenants) })),
    ]),
  );
}

/** The columns that {@link WorldOptions.generate} gives. */
function givenColumns(
  model: ProofModel,
  { generate }: WorldOptions,
): ReadonlyMap<string, ReadonlySet<string>> {
  const example = { tenant: null, tenantIndex: 0, row: 0, values: {}, rowsOf: () => [] };
  return new Map(
    model.tables.map(({ sql, name }) => [
      sql,
      new Set(Object.keys(generate?.[name]?.(example) ?? {})),
    ]),
  );
}

function tenantOf(
  table: ProvenTable,
  { values }: PlainRow,
  tenants: World["tenants"],
): number | null {
  return table.tenantColumn === null ? null : tenants.indexOf(values[table.tenantColumn] ?? "");
}

type PlainRow = Omit<WorldRow, "tenant">;

/** All rows of all tables, as one statement. */
async function readRows(
  db: Queryable,
  tables: readonly ProvenTable[],
): Promise<ReadonlyMap<string, readonly PlainRow[]>> {
  if (tables.length === 0) return new Map();
  const texts = tables.map(
    ({ sql, key, columns }, at) =>
      `SELECT ${at} AS at, (SELECT pg_catalog.json_agg(ARRAY[${[key, ...columns.map(({ name }) => `${ident(name)}::text`)].join(", ")}])::text FROM ${sql}) AS rows`,
  );
  const found = await db.query<{ at: number; rows: string | null }>(texts.join("\nUNION ALL\n"));
  return new Map(
    found.map(({ at, rows }) => {
      const table = tables[at];
      const list = JSON.parse(rows ?? "[]") as (string | null)[][];
      return [
        table?.sql ?? "",
        list.map(([key, ...values]) => ({
          key: key ?? "",
          values: Object.fromEntries(
            (table?.columns ?? []).map(({ name }, index) => [name, values[index] ?? null]),
          ),
        })),
      ];
    }),
  );
}

/** A partition for what no other takes, protected as every partition is. */
function defaultPartitions(model: ProofModel): string {
  const statements = model.catalog.partitions
    .filter(({ level, key }) => level === 0 && key !== null && key.strategy !== "hash")
    .filter(
      ({ schema, name }) =>
        !model.catalog.partitions.some(
          ({ parent, isDefault }) => isDefault && parent?.schema === schema && parent.name === name,
        ),
    )
    .flatMap(({ schema, name }, index) => {
      const leaf = `${ident(schema)}.${ident(`underpin_proof_${index}`)}`;
      return [
        `CREATE TABLE ${leaf} PARTITION OF ${ident(schema)}.${ident(name)} DEFAULT`,
        `ALTER TABLE ${leaf} ENABLE ROW LEVEL SECURITY`,
        `ALTER TABLE ${leaf} FORCE ROW LEVEL SECURITY`,
      ];
    });
  return statements.length === 0 ? "SELECT 1" : statements.join(";\n");
}

/** Statements that insert, with the columns that hold something. */
export function insertion(
  table: ProvenTable,
  rows: readonly Readonly<Record<string, string | null>>[],
): string {
  const columns = table.columns.filter(
    ({ name, generated }) => generated === null && rows.some((row) => row[name] !== undefined),
  );
  const always = columns.some(({ identity }) => identity === "always")
    ? " OVERRIDING SYSTEM VALUE"
    : "";
  const lists = rows.map(
    (row) =>
      `(${columns.map(({ name }) => (row[name] === undefined ? "DEFAULT" : value(row[name] ?? null))).join(", ")})`,
  );
  return `INSERT INTO ${table.sql} (${columns.map(({ name }) => ident(name)).join(", ")})${always} VALUES ${lists.join(", ")}`;
}

/** Inserts all rows of a table at once, and where that fails one by one; returns what could not be inserted. */
async function insertRows(
  db: Queryable,
  model: ProofModel,
  draft: Draft,
  present: ReadonlyMap<string, readonly PlainRow[]>,
): Promise<readonly string[]> {
  const lists = model.tables
    .map((table) => ({ table, rows: draft.rows.get(table.sql) ?? [] }))
    .filter(({ rows }) => rows.length > 0);
  const [row] = await db.query<{ failed: readonly (readonly [number, string])[] }>(
    "SELECT pg_temp.underpin_insert($1::jsonb) AS failed",
    [
      JSON.stringify(
        lists.map(({ table, rows }) => ({
          all: insertion(
            table,
            rows.map(({ values }) => values),
          ),
          each: rows.map(({ values }) => insertion(table, [values])),
        })),
      ),
    ],
  );
  return (row?.failed ?? []).flatMap(([at, why]) => {
    const table = lists[at]?.table;
    // What is there already is a row too.
    if (
      table === undefined ||
      (table.tenantColumn === null && (present.get(table.sql) ?? []).length > 0)
    )
      return [];
    return [`${table.path}: ${why}; give its values by generate`];
  });
}

/** SQL of the function that {@link insertRows} calls. */
export const INSERT = `CREATE FUNCTION pg_temp.underpin_insert(lists jsonb) RETURNS jsonb LANGUAGE plpgsql AS $insert$
DECLARE
  failed jsonb := '[]'; item jsonb; one text; at int := -1;
BEGIN
  FOR item IN SELECT * FROM pg_catalog.jsonb_array_elements(lists) LOOP
    at := at + 1;
    BEGIN
      EXECUTE item ->> 'all';
    EXCEPTION WHEN OTHERS THEN
      FOR one IN SELECT * FROM pg_catalog.jsonb_array_elements_text(item -> 'each') LOOP
        BEGIN
          EXECUTE one;
        EXCEPTION WHEN OTHERS THEN
          failed := failed || pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_array(at, SQLSTATE || ' ' || SQLERRM));
        END;
      END LOOP;
    END;
  END LOOP;
  RETURN failed;
END $insert$`;

/** Rows with a tenant's rank, of a table. */
export function rowsOf(world: World, { sql }: ProvenTable): readonly WorldRow[] {
  return world.rows.get(sql) ?? [];
}
