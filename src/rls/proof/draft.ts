import type { ConstraintFact } from "../../catalog/constraints.ts";
import { qualified } from "../../sql/quote.ts";
import type { Combinations } from "./combinations.ts";
import { partsOf, type ProofModel, type ProvenTable } from "./model.ts";
import { sample, sampleUuid, seeded, typeNames, type TypeNames } from "./samples.ts";
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
  readonly problems: readonly string[];
}

/** What rows are drafted from. */
export interface DraftSources {
  readonly model: ProofModel;
  readonly combinations: ReadonlyMap<string, readonly Combinations[]>;
  /** Rows that are there before, by table: of tables without tenant, foreign keys point at them too. */
  readonly present: ReadonlyMap<string, readonly Readonly<Record<string, string | null>>[]>;
  readonly options: WorldOptions;
}

/** How often a row is tried with other keys. */
const TRIES = 12;

/** The makers of values that a draft shares. */
interface Maker {
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

/** Drafts the rows of all tables: values by type and check, keys that meet, the same shapes for every tenant. */
export function draftRows(sources: DraftSources): Draft {
  const { model, options } = sources;
  const maker = makerOf(model, options);
  const rows = new Map<string, DraftRow[]>();
  const problems: string[] = [];
  for (const table of model.tables) {
    problems.push(...problemsOf(table, sources));
    rows.set(table.sql, firstDraft(table, maker, sources));
  }
  // Keys that are made of other keys need as many rounds as the chain is long.
  for (let round = 0; round < 5; round += 1)
    for (const table of model.tables)
      for (const row of rows.get(table.sql) ?? []) fillKeys(table, row, maker, sources, rows);
  for (const table of model.tables) makeUnique(table, maker, sources, rows);
  for (let round = 0; round < 3; round += 1)
    for (const table of model.tables)
      for (const row of rows.get(table.sql) ?? []) fillKeys(table, row, maker, sources, rows);
  for (const table of model.tables) {
    fillArrays(table, model, maker, rows);
    const generate = options.generate?.[table.name];
    if (generate !== undefined)
      for (const row of rows.get(table.sql) ?? [])
        Object.assign(
          row.values,
          generate({
            tenant: table.tenantColumn === null ? null : (maker.tenants[row.tenant] ?? null),
            tenantIndex: row.tenant,
            row: row.row,
            values: { ...row.values },
          }),
        );
    dropDuplicates(table, rows);
  }
  return { tenants: maker.tenants, rows, problems };
}

function makerOf(model: ProofModel, options: WorldOptions): Maker {
  const random = seeded(options.seed ?? 1);
  const types = typeNames(model.catalog.types);
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

function problemsOf(
  table: ProvenTable,
  { combinations, options }: DraftSources,
): readonly string[] {
  if (options.generate?.[table.name] !== undefined) return [];
  return (combinations.get(table.sql) ?? [])
    .filter(({ passing }) => passing.length === 0)
    .map(
      ({ checks, columns }) =>
        `${table.path}: no values were found that pass ${checks.join(", ")} of ${columns.join(", ")}; give them by generate`,
    );
}

function firstDraft(table: ProvenTable, maker: Maker, sources: DraftSources): DraftRow[] {
  const { tenantColumn } = table;
  const isTenants =
    tenantColumn !== null &&
    table.uniques.some(
      ({ columns, partial }) => !partial && columns.length === 1 && columns[0] === tenantColumn,
    );
  const perTenant = isTenants ? 1 : maker.perTenant;
  const tenants = tenantColumn === null ? 1 : maker.tenants.length;
  return Array.from({ length: tenants }, (_, tenant) =>
    Array.from({ length: perTenant }, (__, row): DraftRow => {
      const draft = { tenant, row, values: {}, shift: 0 };
      fillValues(table, draft, maker, sources);
      return draft;
    }),
  ).flat();
}

/** Everything that is no key of another table. */
function fillValues(
  table: ProvenTable,
  draft: DraftRow,
  maker: Maker,
  sources: DraftSources,
): void {
  const { tenant, row, values, shift } = draft;
  const checked = checkedValues(table, sources, row + shift);
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
    const global = table.uniques.some(
      ({ columns }) =>
        columns.includes(name) &&
        (table.tenantColumn === null || !columns.includes(table.tenantColumn)),
    );
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

function checkedValues(
  table: ProvenTable,
  { combinations }: DraftSources,
  index: number,
): ReadonlyMap<string, string | null> {
  return new Map(
    (combinations.get(table.sql) ?? []).flatMap(({ columns, passing }) => {
      const chosen = passing[index % Math.max(passing.length, 1)];
      return chosen === undefined
        ? []
        : columns.map((column, at) => [column, chosen[at] ?? null] as const);
    }),
  );
}

/** Where columns point, and at which rows they may. */
interface Pointer {
  readonly columns: readonly string[];
  readonly targets: readonly Readonly<Record<string, string | null>>[];
  readonly targetColumns: readonly string[];
}

function fillKeys(
  table: ProvenTable,
  draft: DraftRow,
  maker: Maker,
  sources: DraftSources,
  rows: ReadonlyMap<string, DraftRow[]>,
): void {
  const { values, row, shift } = draft;
  const checked = checkedValues(table, sources, row + shift);
  const fixed = new Set(table.tenantColumn === null ? [] : [table.tenantColumn]);
  const isLast = row === maker.perTenant - 1;
  pointersOf(table, draft, maker, sources, rows).forEach(
    ({ columns, targets, targetColumns }, at) => {
      const open = columns.filter((column) => !fixed.has(column));
      if (open.length === 0) return;
      const nullable = open.filter(
        (name) => !table.columns.some((column) => column.name === name && column.notNull),
      );
      const saidNull = nullable.some((name) => checked.has(name) && checked.get(name) === null);
      const leftNull =
        isLast && nullable.length > 0 && nullable.every((name) => !checked.has(name));
      const fitting = targets.filter((target) =>
        columns.every(
          (column, index) =>
            !fixed.has(column) || values[column] === target[targetColumns[index] ?? ""],
        ),
      );
      const target = fitting[(row + at * (1 + shift)) % Math.max(fitting.length, 1)];
      if (saidNull || leftNull || target === undefined) {
        for (const name of nullable) values[name] = null;
        return;
      }
      columns.forEach((column, index) => {
        if (fixed.has(column)) return;
        values[column] = target[targetColumns[index] ?? ""] ?? null;
        fixed.add(column);
      });
    },
  );
}

/** The foreign keys, the widest first, and then the columns that hold a user's id without one. */
function pointersOf(
  table: ProvenTable,
  draft: DraftRow,
  maker: Maker,
  { model, present }: DraftSources,
  rows: ReadonlyMap<string, DraftRow[]>,
): readonly Pointer[] {
  const keys = table.constraints
    .filter(({ kind, parent }) => kind === "foreignKey" && parent === null)
    .sort((a, b) => b.columns.length - a.columns.length || (a.name < b.name ? -1 : 1));
  const pointed = new Set(keys.flatMap(({ columns }) => columns));
  const free = Object.values(table.rules?.rules ?? {})
    .flatMap((byPersona) => Object.values(byPersona))
    .flatMap(partsOf)
    .flatMap((part) => (part.kind === "own" ? [part.column] : []))
    .filter((column) => !pointed.has(column) && !table.keyColumns.includes(column));
  const typeOf = (name: string) =>
    table.columns.find((column) => column.name === name)?.type ?? "uuid";
  const host = (relation: string, columns: readonly string[], types: readonly string[]) =>
    Array.from({ length: maker.perTenant }, (_, row) =>
      Object.fromEntries(
        columns.map((column, index) => [
          column,
          maker.hostValue(relation, column, types[index] ?? "uuid", draft.tenant, row),
        ]),
      ),
    );
  return [
    ...keys.map((key) => pointerOf(key)),
    ...[...new Set(free)].map((column) => ({
      columns: [column],
      targets: host("users", ["id"], [typeOf(column)]),
      targetColumns: ["id"],
    })),
  ];

  function pointerOf({ columns, references }: ConstraintFact): Pointer {
    const relation = qualified(references?.schema ?? "", references?.name ?? "");
    const targetColumns = references?.columns ?? [];
    const target = model.tables.find(({ sql }) => sql === relation);
    if (target === undefined)
      return {
        columns,
        targetColumns,
        targets: host(relation, targetColumns, columns.map(typeOf)),
      };
    const drafted = (rows.get(relation) ?? [])
      .filter((each) => target.tenantColumn === null || each.tenant === draft.tenant)
      .map(({ values }) => values);
    const there = target.tenantColumn === null ? (present.get(relation) ?? []) : [];
    return { columns, targetColumns, targets: [...there, ...drafted] };
  }
}

/** Changes what rows point at until no two of them have the same unique key. */
function makeUnique(
  table: ProvenTable,
  maker: Maker,
  sources: DraftSources,
  rows: ReadonlyMap<string, DraftRow[]>,
): void {
  const seen = new Set<string>();
  for (const draft of rows.get(table.sql) ?? []) {
    for (
      let tries = 0;
      tries < TRIES && keysOf(table, draft).some((key) => seen.has(key));
      tries += 1
    ) {
      draft.shift += 1;
      fillValues(table, draft, maker, sources);
      fillKeys(table, draft, maker, sources, rows);
    }
    for (const key of keysOf(table, draft)) seen.add(key);
  }
}

function keysOf(table: ProvenTable, { values }: DraftRow): readonly string[] {
  return table.uniques
    .filter(({ columns }) => columns.every((column) => column !== null && values[column] != null))
    .map(({ name, columns }) =>
      JSON.stringify([name, ...columns.map((column) => values[column ?? ""])]),
    );
}

function dropDuplicates(table: ProvenTable, rows: ReadonlyMap<string, DraftRow[]>): void {
  const list = rows.get(table.sql) ?? [];
  const seen = new Set<string>();
  for (const draft of [...list]) {
    const keys = keysOf(table, draft);
    if (keys.some((key) => seen.has(key))) list.splice(list.indexOf(draft), 1);
    for (const key of keys) seen.add(key);
  }
}

/** Arrays of ids get one of their own tenant and, against the rules, one of the next tenant. */
function fillArrays(
  table: ProvenTable,
  model: ProofModel,
  maker: Maker,
  rows: ReadonlyMap<string, DraftRow[]>,
): void {
  const checked = new Set(
    table.constraints.filter(({ kind }) => kind === "check").flatMap(({ columns }) => columns),
  );
  const arrays = table.columns.filter(
    ({ name, type, generated }) =>
      /^(?:uuid|integer|bigint)\[\]$/.test(type) && generated === null && !checked.has(name),
  );
  for (const { name, type } of arrays) {
    const target = idHolder(model, table, type.slice(0, -2));
    if (target === undefined) continue;
    const ids = (tenant: number) =>
      (rows.get(target.table.sql) ?? [])
        .filter((each) => each.tenant === tenant)
        .map(({ values }) => values[target.column]);
    for (const { tenant, row, values } of rows.get(table.sql) ?? []) {
      const own = ids(tenant);
      const others = ids((tenant + 1) % maker.tenants.length);
      const chosen = [own[(row + 1) % own.length], others[(row + 1) % others.length]];
      values[name] = `{${chosen.filter((id) => id != null).join(",")}}`;
    }
  }
}

/** The table itself, or the one that most foreign keys point at, with its column of ids. */
function idHolder(model: ProofModel, table: ProvenTable, type: string) {
  const counts = (candidate: ProvenTable) =>
    model.catalog.constraints.filter(
      ({ references }) =>
        references?.schema === candidate.schema && references.name === candidate.name,
    ).length;
  const others = [...model.tables].sort((a, b) => counts(b) - counts(a));
  for (const candidate of [table, ...others]) {
    const column = candidate.keyColumns.find(
      (name) =>
        name !== candidate.tenantColumn &&
        candidate.columns.some((each) => each.name === name && each.type === type),
    );
    if (column !== undefined && candidate.tenantColumn !== null)
      return { table: candidate, column };
  }
  return undefined;
}
