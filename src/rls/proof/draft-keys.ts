import { checkedValues, type DraftRow, type DraftSources, type Maker } from "./draft-values.ts";
import type { ForeignKey, ProofModel, ProvenTable } from "./model.ts";

/** Where columns point, and at which rows they may. */
interface Pointer {
  readonly columns: readonly string[];
  readonly targets: readonly Readonly<Record<string, string | null>>[];
  readonly targetColumns: readonly string[];
}

/** Points the columns of a row's foreign keys at rows, each key at another. */
export function fillKeys(
  table: ProvenTable,
  draft: DraftRow,
  maker: Maker,
  sources: DraftSources,
  rows: ReadonlyMap<string, DraftRow[]>,
): void {
  const { values, row, shift } = draft;
  const checked = checkedValues(table, sources, draft, maker);
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
      const target = fitting[(row + shift + at * (1 + shift)) % Math.max(fitting.length, 1)];
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
    ...table.foreignKeys.map((key) => pointerOf(key)),
    ...table.userColumns.map((column) => ({
      columns: [column],
      targets: host("users", ["id"], [typeOf(column)]),
      targetColumns: ["id"],
    })),
  ];

  function pointerOf({ columns, target: relation, targetColumns }: ForeignKey): Pointer {
    const target = model.tables.find(({ sql }) => sql === relation);
    if (target === undefined)
      return {
        columns,
        targetColumns,
        targets: host(relation, targetColumns, columns.map(typeOf)),
      };
    const drafted = (rows.get(relation) ?? [])
      .filter((each) => target.tenantColumn === null || each.tenant === draft.tenant)
      // To itself no row points: many a check forbids it.
      .filter((each) => each !== draft)
      .map(({ values }) => values);
    const there = target.tenantColumn === null ? (present.get(relation) ?? []) : [];
    return { columns, targetColumns, targets: [...there, ...drafted] };
  }
}

/** Arrays of ids get one of their own tenant and, against the rules, one of the next tenant. */
export function fillArrays(
  table: ProvenTable,
  model: ProofModel,
  maker: Maker,
  rows: ReadonlyMap<string, DraftRow[]>,
): void {
  const checked = new Set(
    table.constraints.filter(({ kind }) => kind === "check").flatMap(({ columns }) => columns),
  );
  const arrays = table.columns.filter(
    ({ type, generated }) => /^(?:uuid|integer|bigint)\[\]$/.test(type) && generated === null,
  );
  for (const { name, type } of arrays) {
    const target = idHolder(model, table, type.slice(0, -2));
    if (target === undefined) continue;
    const ids = (tenant: number) =>
      (rows.get(target.table.sql) ?? [])
        .filter((each) => each.tenant === tenant)
        .map(({ values }) => values[target.column]);
    for (const { tenant, row, values } of rows.get(table.sql) ?? []) {
      // Where a check wants it empty it stays so.
      if (checked.has(name) && (values[name] ?? "{}") === "{}") continue;
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
