import { fillArrays, fillKeys } from "./draft-keys.ts";
import {
  fillValues,
  makerOf,
  shiftKey,
  type Draft,
  type DraftRow,
  type DraftSources,
  type Maker,
} from "./draft-values.ts";
import type { ProofModel, ProvenTable } from "./model.ts";

/** How often a row is tried with other keys. */
const TRIES = 12;

/** Drafts the rows of all tables: values by type and check, keys that meet, the same shapes for every tenant. */
export function draftRows(sources: DraftSources): Draft {
  const { model, options } = sources;
  const maker = makerOf(model, options);
  const rows = new Map<string, DraftRow[]>();
  for (const table of model.tables) rows.set(table.sql, firstDraft(table, maker, sources));
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
            rowsOf: (name) => drafted(model, rows, name, row.tenant),
          }),
        );
    dropDuplicates(table, rows);
  }
  return { tenants: maker.tenants, rows };
}

function drafted(
  { tables }: ProofModel,
  rows: ReadonlyMap<string, DraftRow[]>,
  name: string,
  tenant: number,
): readonly DraftRow["values"][] {
  const table = tables.find((each) => each.name === name);
  return (rows.get(table?.sql ?? "") ?? [])
    .filter((row) => table?.tenantColumn === null || row.tenant === tenant)
    .map(({ values }) => values);
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
      const shift = sources.shifts.get(shiftKey(table, tenant, row)) ?? 0;
      const draft = { tenant, row, values: {}, shift };
      fillValues(table, draft, maker, sources);
      return draft;
    }),
  ).flat();
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
