import type { Combinations } from "./combinations.ts";
import type { ProofModel, ProvenTable } from "./model.ts";
import { sample, sampleUuid, seeded, type TypeNames } from "./samples.ts";
import type { WorldOptions } from "./world-options.ts";

/** A row that is not in the database yet. A column that is missing takes its default. */
export interface DraftRow {
  readonly tenant: number;
  readonly row: number;
  readonly values: Record<string, string | null>;
  /** Raised until the row's unique keys are its own. */
  shift: number;
}

/** Rows for every table, isomorphic for each tenant. */
export interface Draft {
  readonly tenants: readonly string[];
  readonly rows: ReadonlyMap<string, DraftRow[]>;
}

/** The place of a row in {@link DraftSources.shifts}. */
export function shiftKey(table: ProvenTable, tenant: number, row: number): string {
  return `${table.sql} ${tenant} ${row}`;
}

/** What rows are drafted from. */
export interface DraftSources {
  readonly model: ProofModel;
  readonly combinations: ReadonlyMap<string, readonly Combinations[]>;
  /** Rows that are there before, by table: of tables without tenant, foreign keys point at them too. */
  readonly present: ReadonlyMap<string, readonly Readonly<Record<string, string | null>>[]>;
  readonly options: WorldOptions;
  /** How far the choices of a row are shifted, because those before failed. */
  readonly shifts: ReadonlyMap<string, number>;
}

/** The makers of values that a draft shares. */
export interface Maker {
  readonly types: TypeNames;
  readonly tenants: readonly string[];
  readonly perTenant: number;
  /** The id of a thing of the host, which is in no table of the definition. */
  hostValue(
    relation: string,
    column: string,
    type: string,
    tenant: number,
    row: number,
  ): string | null;
  uuid(place: string, tenant: number): string;
}

/** The makers of one draft. */
export function makerOf(model: ProofModel, options: WorldOptions): Maker {
  const random = seeded(options.seed ?? 1);
  const { types } = model;
  const made = new Map<string, string>();
  const uuid = (place: string, tenant: number) => {
    const known = made.get(place) ?? sampleUuid(random, tenant);
    made.set(place, known);
    return known;
  };
  const type = model.definition.access[0]?.tenant.type ?? "uuid";
  const tenants = Array.from({ length: options.tenants ?? 2 }, (_, index) =>
    type === "uuid"
      ? uuid(`tenant ${index}`, index)
      : type === "text"
        ? `tenant-${index + 1}`
        : String(9001 + index),
  );
  return {
    types,
    tenants,
    perTenant: options.rowsPerTenant ?? 4,
    uuid,
    hostValue: (relation, column, ofType, tenant, row) =>
      sample({
        type: ofType,
        column,
        row,
        tenant,
        global: true,
        types,
        uuid: () => uuid(`${relation} ${column} ${tenant} ${row}`, tenant),
      }) ?? null,
  };
}

/** Everything that is no key of another table. */
export function fillValues(
  table: ProvenTable,
  draft: DraftRow,
  maker: Maker,
  sources: DraftSources,
): void {
  const { tenant, row, values, shift } = draft;
  const checked = checkedValues(table, sources, draft, maker);
  for (const column of table.columns) {
    const { name, type } = column;
    if (column.generated !== null) continue;
    if (name === table.tenantColumn) {
      values[name] = maker.tenants[tenant] ?? null;
      continue;
    }
    const fromCheck = checked.get(name);
    if (fromCheck !== undefined) {
      values[name] = fromCheck;
      continue;
    }
    const global = isGlobalKey(table, name);
    const made = sample({
      type,
      column: name,
      row: row + shift * maker.perTenant,
      tenant,
      global,
      types: maker.types,
      uuid: () => maker.uuid(`${table.sql} ${name} ${tenant} ${row}`, tenant),
    });
    if (made !== undefined) values[name] = made;
    else if (column.default === null && column.identity === null) values[name] = null;
  }
}

/** Values that pass the checks; another choice for each tenant where the rows of all must differ. */
export function checkedValues(
  table: ProvenTable,
  { combinations }: DraftSources,
  { tenant, row, shift }: DraftRow,
  { perTenant }: Maker,
): ReadonlyMap<string, string | null> {
  return new Map(
    (combinations.get(table.sql) ?? []).flatMap(({ columns, passing }) => {
      const isGlobal = columns.some((column) => isGlobalKey(table, column));
      const index = row + shift + (isGlobal ? tenant * perTenant : 0);
      const chosen = passing[index % Math.max(passing.length, 1)];
      return chosen === undefined
        ? []
        : columns.map((column, at) => [column, chosen[at] ?? null] as const);
    }),
  );
}

/** Whether a column is in a unique key that does not hold the tenant. */
function isGlobalKey(table: ProvenTable, name: string): boolean {
  return table.uniques.some(
    ({ columns }) =>
      columns.includes(name) &&
      (table.tenantColumn === null || !columns.includes(table.tenantColumn)),
  );
}
