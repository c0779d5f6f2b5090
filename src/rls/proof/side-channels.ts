import type { AccessData } from "../../definition/access.ts";
import type { PlannedCell } from "./cell.ts";
import { classOf, isGranted, knownWithout, reaches, type Known } from "./expected.ts";
import { value, type ProofModel, type ProvenTable } from "./model.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { Question } from "./runner.ts";
import { removeRow } from "./statements.ts";
import { insertion, rowsOf, type World, type WorldRow } from "./world.ts";

/** What is known where the side channels of one persona are tried. */
export interface ChannelSources {
  readonly model: ProofModel;
  readonly world: World;
  readonly access: AccessData;
  readonly known: Known;
  readonly as: number;
  /** Every value of every row. */
  readonly taken: ReadonlySet<string | null>;
}

/**
 * Cells in pairs: the same row once with a key that another tenant has, and once with a key that nobody has. Row security is not asked by
 * unique keys and foreign keys, so that each answers for all tenants unless it holds the tenant itself.
 */
export function sideChannels(
  sources: ChannelSources,
  table: ProvenTable,
): readonly (readonly Choice[])[] {
  const { world, access, known } = sources;
  if (table.tenantColumn === null || !isGranted(table, access, known.persona, "insert")) return [];
  const insertClass = classOf(table, access, known.persona, "insert");
  const may = (row: Pick<WorldRow, "key" | "values">) =>
    reaches(table, insertClass, knownWithout(known, table, row), row);
  const base = rowsOf(world, table).filter(may);
  return [
    ...table.uniques.map(({ name, columns }) =>
      uniqueCells(sources, table, name, columns, base, may),
    ),
    ...foreignKeyCells(sources, table, base, may),
  ];
}

/** Cells of one key that are tried together, over one row. */
export type Choice = readonly PlannedCell[];

/** How many rows are looked at for one that can be written with either key. */
const CHOICES = 4;

/**
 * The questions whether the rows of a choice could be written at all: by who sees everything, with foreign keys asleep. A value that nobody has may be one that
 * a check refuses.
 */
export function channelControls(choice: Choice): readonly Question[] {
  // Its first two cells: those after them are the same rows with another ending.
  return choice.slice(0, 2).map(({ question: { sql, before } }) => ({
    sql,
    as: 0,
    kind: "count",
    ...(before === undefined ? {} : { before }),
  }));
}

type May = (row: Pick<WorldRow, "key" | "values">) => boolean;

function uniqueCells(
  sources: ChannelSources,
  table: ProvenTable,
  name: string,
  columns: readonly (string | null)[],
  base: readonly WorldRow[],
  may: May,
): readonly Choice[] {
  const own = columns.filter((column) => column !== null && column !== table.tenantColumn);
  if (own.length === 0 || own.length < columns.filter((each) => each !== table.tenantColumn).length)
    return [];
  const names = own.filter((column) => column !== null);
  const found: Choice[] = [];
  for (const row of base)
    for (const other of othersOf(sources, table)) {
      if (found.length >= CHOICES) break;
      const elsewhere = withColumns(row, names, other.values);
      const nowhere = withColumns(row, names, freshOf(sources, table, names, other.values));
      if (!may(elsewhere) || !may(nowhere)) continue;
      const before = [removeRow(table, row), removeOwn(sources, table, names, elsewhere.values)];
      const channel = channelOf(table, `unique key ${name}`, name, names);
      found.push(pair(sources, channel, before, elsewhere, nowhere, " ON CONFLICT DO NOTHING"));
    }
  return found.filter((cells) => cells.length > 0);
}

function foreignKeyCells(
  sources: ChannelSources,
  table: ProvenTable,
  base: readonly WorldRow[],
  may: May,
): readonly (readonly Choice[])[] {
  return table.constraints.flatMap(({ kind, isInherited, name, columns, references }) => {
    if (kind !== "foreignKey" || isInherited || references === null) return [];
    const target = sources.model.tables.find(
      ({ sql }) => sql === qualified(references.schema, references.name),
    );
    if (target === undefined || target.tenantColumn === null) return [];
    const own = columns.filter((column) => column !== table.tenantColumn);
    if (own.length === 0) return [];
    const found: Choice[] = [];
    for (const row of base)
      for (const other of othersOf(sources, target)) {
        if (found.length >= CHOICES) break;
        const pointed = Object.fromEntries(
          columns.map((column, at) => [column, other.values[references.columns[at] ?? ""] ?? null]),
        );
        const elsewhere = withColumns(row, own, pointed);
        const nowhere = withColumns(row, own, freshOf(sources, table, own, pointed));
        if (!may(elsewhere) || !may(nowhere)) continue;
        const keys = references.columns.filter((column) => column !== target.tenantColumn);
        const before = [removeRow(table, row), removeOwn(sources, target, keys, other.values)];
        const channel = channelOf(table, `foreign key ${name}`, name, own);
        found.push(pair(sources, channel, before, elsewhere, nowhere, ""));
      }
    return [found.filter((cells) => cells.length > 0)];
  });
}

function othersOf({ world, known }: ChannelSources, table: ProvenTable): readonly WorldRow[] {
  return rowsOf(world, table).filter(
    ({ values }) => values[table.tenantColumn ?? ""] !== known.tenant,
  );
}

/** Tenants have the same natural keys: what the other has must not be the own tenant's too. */
function removeOwn(
  { known }: ChannelSources,
  table: ProvenTable,
  columns: readonly string[],
  values: WorldRow["values"],
): string {
  const same = columns.map(
    (column) => `${ident(column)} IS NOT DISTINCT FROM ${value(values[column] ?? null)}`,
  );
  return `DELETE FROM ${table.sql} WHERE ${[`${ident(table.tenantColumn ?? "")} = ${value(known.tenant)}`, ...same].join(" AND ")}`;
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

/** Values like the given ones, which pass the same checks as a rule, and that no row has. */
function freshOf(
  { model, taken }: ChannelSources,
  table: ProvenTable,
  columns: readonly string[],
  like: WorldRow["values"],
): Readonly<Record<string, string | null>> {
  // One column that differs is enough, and the fewer the better: another may be held by a check.
  const found: Record<string, string | null> = {};
  for (const name of columns) {
    const type = table.columns.find((column) => column.name === name)?.type ?? "";
    const given = like[name] ?? null;
    found[name] = given;
    if (given === null || model.types.has(type)) continue;
    const fresh = freshLike(type, given, taken);
    if (fresh === null) continue;
    found[name] = fresh;
    break;
  }
  return { ...like, ...found };
}

function freshLike(type: string, given: string, taken: ReadonlySet<string | null>): string | null {
  if (type === "uuid") return "99999999-9999-4999-8999-999999999999";
  if (/^(?:integer|bigint|numeric)/.test(type)) return String(Number(given) + 100_000);
  if (type === "smallint") return String(Number(given) + 1_000);
  if (!/^(?:text|character|citext)/.test(type)) return null;
  for (const letter of "zyxwvutsrqp9876543210fedcba") {
    const isDigit = /\d/.test(letter);
    const made = given.replace(/[a-z0-9](?=[^a-z0-9]*$)/i, (last) =>
      /\d/.test(last) === isDigit ? (/[A-Z]/.test(last) ? letter.toUpperCase() : letter) : last,
    );
    if (made !== given && !taken.has(made)) return made;
  }
  return null;
}

/** A key that may tell what other tenants have. */
interface Channel {
  readonly table: ProvenTable;
  readonly what: string;
  /** Why it may, by the table's rules: the key itself, or another within the columns that are tried. */
  readonly accepted: string | undefined;
}

function channelOf(
  table: ProvenTable,
  what: string,
  name: string,
  columns: readonly string[],
): Channel {
  const reasons = table.rules?.globalKeys ?? {};
  const within = table.uniques.find(
    (unique) =>
      unique.name in reasons &&
      unique.columns.every((column) => column !== null && columns.includes(column)),
  );
  return { table, what, accepted: reasons[name] ?? reasons[within?.name ?? ""] };
}

/** Two cells of one pair: both answers have to be the same. */
function pair(
  sources: ChannelSources,
  { table, what, accepted }: Channel,
  before: readonly string[],
  elsewhere: WorldRow,
  nowhere: WorldRow,
  suffix: string,
): readonly PlannedCell[] {
  const { known, as } = sources;
  // A unique key answers with triggers and foreign keys asleep too, and then nothing else can.
  const live = suffix === "";
  const cellOf = (command: string, values: WorldRow["values"], ending: string): PlannedCell => ({
    persona: known.persona,
    object: table.path,
    command,
    context: "right",
    expected: "the same as for a key that nobody has",
    judge: () => null,
    denies: false,
    pair: `${known.persona} ${table.sql} ${what}${ending}`,
    ...(accepted === undefined ? {} : { accepted }),
    question: {
      sql: insertion(table, [values]) + ending,
      as,
      kind: "count",
      before: before.join(";\n"),
      ...(live ? { live } : {}),
    },
  });
  if (same(elsewhere.values, nowhere.values)) return [];
  const endings = suffix === "" ? [""] : ["", suffix];
  return endings.flatMap((ending) => [
    cellOf(`${what}: a key of another tenant`, elsewhere.values, ending),
    cellOf(`${what}: a key of nobody`, nowhere.values, ending),
  ]);
}

function same(a: WorldRow["values"], b: WorldRow["values"]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
