import type { AccessData } from "../../definition/access.ts";
import type { PlannedCell } from "./cell.ts";
import { classOf, isGranted, knownWithout, reaches, type Known } from "./expected.ts";
import type { ProofModel, ProvenTable } from "./model.ts";
import { qualified } from "../../sql/quote.ts";
import { sample, typeNames } from "./samples.ts";
import { removeRow } from "./statements.ts";
import { insertion, rowsOf, type World, type WorldRow } from "./world.ts";

/** What is known where the side channels of one persona are tried. */
export interface ChannelSources {
  readonly model: ProofModel;
  readonly world: World;
  readonly access: AccessData;
  readonly known: Known;
  readonly as: number;
}

/**
 * Cells in pairs: the same row once with a key that another tenant has, and once with a key that nobody has. Row security is not asked by
 * unique keys and foreign keys, so that each answers for all tenants unless it holds the tenant itself.
 */
export function sideChannels(sources: ChannelSources, table: ProvenTable): readonly PlannedCell[] {
  const { world, access, known } = sources;
  if (table.tenantColumn === null || !isGranted(table, access, known.persona, "insert")) return [];
  const insertClass = classOf(table, access, known.persona, "insert");
  const may = (row: Pick<WorldRow, "key" | "values">) =>
    reaches(table, insertClass, knownWithout(known, table, row), row);
  const base = rowsOf(world, table).filter(may);
  return [
    ...table.uniques.flatMap(({ name, columns }) =>
      uniqueCells(sources, table, name, columns, base, may),
    ),
    ...foreignKeyCells(sources, table, base, may),
  ];
}

type May = (row: Pick<WorldRow, "key" | "values">) => boolean;

function uniqueCells(
  sources: ChannelSources,
  table: ProvenTable,
  name: string,
  columns: readonly (string | null)[],
  base: readonly WorldRow[],
  may: May,
): readonly PlannedCell[] {
  const own = columns.filter((column) => column !== null && column !== table.tenantColumn);
  if (own.length === 0 || own.length < columns.filter((each) => each !== table.tenantColumn).length)
    return [];
  const others = rowsOf(sources.world, table).filter(
    ({ values }) => values[table.tenantColumn ?? ""] !== sources.known.tenant,
  );
  const freshValues = freshFor(sources, table, own);
  for (const row of base)
    for (const other of others) {
      const elsewhere = withColumns(row, own, other.values);
      const nowhere = freshValues === null ? null : withColumns(row, own, freshValues);
      if (nowhere === null || !may(elsewhere) || !may(nowhere)) continue;
      return pair(
        sources,
        table,
        `unique key ${name}`,
        row,
        elsewhere.values,
        nowhere.values,
        " ON CONFLICT DO NOTHING",
      );
    }
  return [];
}

function foreignKeyCells(
  sources: ChannelSources,
  table: ProvenTable,
  base: readonly WorldRow[],
  may: May,
): readonly PlannedCell[] {
  const { model, world, known } = sources;
  return table.constraints.flatMap(({ kind, parent, name, columns, references }) => {
    if (kind !== "foreignKey" || parent !== null || references === null) return [];
    const target = model.tables.find(
      ({ sql }) => sql === qualified(references.schema, references.name),
    );
    if (target === undefined || target.tenantColumn === null) return [];
    const own = columns.filter((column) => column !== table.tenantColumn);
    const freshValues = freshFor(sources, table, own);
    const others = rowsOf(world, target).filter(
      ({ values }) => values[target.tenantColumn ?? ""] !== known.tenant,
    );
    for (const row of base)
      for (const other of others) {
        const pointed = Object.fromEntries(
          columns.map((column, at) => [column, other.values[references.columns[at] ?? ""] ?? null]),
        );
        const elsewhere = withColumns(row, own, pointed);
        const nowhere = freshValues === null ? null : withColumns(row, own, freshValues);
        if (own.length === 0 || nowhere === null || !may(elsewhere) || !may(nowhere)) continue;
        return pair(
          sources,
          table,
          `foreign key ${name}`,
          row,
          elsewhere.values,
          nowhere.values,
          "",
        );
      }
    return [];
  });
}

function withColumns(
  row: WorldRow,
  columns: readonly (string | null)[],
  values: Readonly<Record<string, string | null>>,
): WorldRow {
  const changed = Object.fromEntries(
    columns.flatMap((column) =>
      column === null ? [] : [[column, values[column] ?? null] as const],
    ),
  );
  return { ...row, values: { ...row.values, ...changed } };
}

/** Values that no row has; null where a type has none that can be told. */
function freshFor(
  { model }: ChannelSources,
  table: ProvenTable,
  columns: readonly (string | null)[],
): Readonly<Record<string, string>> | null {
  const types = typeNames(model.catalog.types);
  const found: Record<string, string> = {};
  for (const name of columns) {
    const column = table.columns.find((each) => each.name === name);
    if (column === undefined || name === null) return null;
    const made = sample({
      type: column.type,
      column: "fresh",
      row: 77,
      tenant: 9,
      global: false,
      types,
      uuid: () => "99999999-9999-4999-8999-999999999999",
    });
    if (made === undefined) return null;
    found[name] = made;
  }
  return found;
}

/** Two cells of one pair: both answers have to be the same. */
function pair(
  sources: ChannelSources,
  table: ProvenTable,
  what: string,
  row: WorldRow,
  elsewhere: WorldRow["values"],
  nowhere: WorldRow["values"],
  suffix: string,
): readonly PlannedCell[] {
  const { known, as } = sources;
  const cellOf = (command: string, values: WorldRow["values"], ending: string): PlannedCell => ({
    persona: known.persona,
    object: table.path,
    command,
    context: "right",
    expected: "the same as for a key that nobody has",
    judge: () => null,
    denies: false,
    pair: `${known.persona} ${table.sql} ${what}${ending}`,
    question: {
      sql: insertion(table, [values]) + ending,
      as,
      kind: "count",
      before: removeRow(table, row),
      live: true,
    },
  });
  const endings = suffix === "" ? [""] : ["", suffix];
  return endings.flatMap((ending) => [
    cellOf(`${what}: a key of another tenant`, elsewhere, ending),
    cellOf(`${what}: a key of nobody`, nowhere, ending),
  ]);
}
