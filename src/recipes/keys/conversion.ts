import type { ColumnFact } from "../../catalog/columns.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { isOf, isSame, refuse } from "../own-column.ts";
import { homeOf, INTEGERS, type KeyClass, type KeyFacts, type Phase } from "./graph.ts";

/** How a key gets its UUID: from its integer, or by chance. */
export type KeyStrategy = "derived" | "random";

/** A key that is converted, as its functions know it. */
export interface ConvertedKey {
  readonly root: RelationName;
  readonly column: string;
  /** What the mapping calls it. */
  readonly mapped: string;
  /** What its UUIDs are derived in: the first argument of `uuidOf`. */
  readonly namespace: string;
  /** An SQL expression that draws the next integer; null where the application assigns them. */
  readonly next: string | null;
  /** GENERATED ALWAYS: an INSERT cannot bring an integer along. */
  readonly alwaysDrawn: boolean;
}

/** A column of integers and the one beside it that takes its place. */
export interface Twin {
  readonly table: RelationName;
  readonly column: ColumnFact;
  readonly name: string;
  readonly key: ConvertedKey;
  /** It is the key itself, and refers to nothing. */
  readonly isRoot: boolean;
  /** What the column was called when its trigger was made. */
  readonly called: string;
  /** Which row it means in which rows of the table, where nothing but the application knows; else it is that of `key`. */
  readonly cases?: readonly TwinCase[];
  /** From 0. */
  readonly phase: number;
}

/** A table whose key of several columns gives place to one of its own. */
export interface Surrogate {
  readonly table: RelationName;
  readonly column: string;
  readonly index: string;
  readonly phase: number;
}

/** The rows in which a column refers to a key, as an SQL condition over the row. */
export interface TwinCase {
  readonly key: ConvertedKey;
  readonly when: string;
}

/** An integer inside a column of jsonb, and the place beside it for its UUID. */
export interface JsonReference {
  readonly table: RelationName;
  readonly column: string;
  /** From the top of the value to the integer. */
  readonly path: readonly string[];
  readonly beside: readonly string[];
  readonly key: ConvertedKey;
  readonly phase: number;
  readonly when: string;
}

/** All that is converted by one plan, and how. */
export interface Conversion {
  readonly facts: KeyFacts;
  /** Where the mapping and its functions are. */
  readonly schema: string;
  readonly strategy: KeyStrategy;
  readonly phases: readonly string[];
  readonly keys: readonly ConvertedKey[];
  readonly twins: readonly Twin[];
  readonly surrogates: readonly Surrogate[];
  readonly json: readonly JsonReference[];
  /** Indexes and constraints that are not carried over, and functions that may name legacy columns. */
  readonly leave: readonly string[];
}

/** What of the options a conversion is resolved from. */
export interface ConversionOptions {
  readonly schema: string;
  readonly strategy: KeyStrategy;
  readonly namespace: string;
  /** By table, by column. */
  readonly names: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly leave: readonly string[];
  readonly references: readonly NamedReference[];
}

/** A column that refers to the rows of a table, in some rows of its own, without a foreign key. */
export interface NamedReference {
  readonly table: RelationName;
  readonly column: string;
  readonly to: RelationName;
  readonly when: string;
}

/** The mapping of keys that are not derived from their integer. */
export const MAPPING = "uuid_migration_mapping";

/** Names everything that a conversion makes. */
export function conversionOf(
  facts: KeyFacts,
  phases: readonly Phase[],
  options: ConversionOptions,
): Conversion {
  const { schema, strategy, leave } = options;
  const keyed = phases.flatMap(({ classes }, phase) =>
    classes.map((each) => ({ each, phase, key: keyOf(facts, each, options) })),
  );
  const twins = keyed.flatMap(({ each, phase, key }) =>
    each.members.map(({ table, column }, at): Twin => {
      const isRoot = at === 0;
      const name = options.names[table.name]?.[column.name] ?? twinName(column.name);
      return { table, column, name, key, isRoot, phase, called: column.name };
    }),
  );
  twins.push(...namedTwins(facts, twins, options));
  for (const { table, name } of twins) refuseTaken(facts, twins, table, name);
  return {
    facts,
    schema,
    strategy,
    phases: phases.map(({ name }) => name),
    keys: keyed.map(({ key }) => key),
    twins,
    surrogates: [],
    json: [],
    leave,
  };
}

function namedTwins(
  facts: KeyFacts,
  twins: readonly Twin[],
  { references, names }: ConversionOptions,
): readonly Twin[] {
  const made: Twin[] = [];
  for (const { table, column: called, to, when } of references) {
    const path = `${qualified(table.schema, table.name)}.${called}`;
    const column = facts.columns.find((each) => isOf(each, table) && each.name === called);
    const target = twins.find((each) => each.isRoot && isSame(each.table, to));
    if (column === undefined || !INTEGERS.includes(column.type))
      return refuse(`${path} is no column of integers`, "Mend its name in references.");
    if (target === undefined)
      return refuse(
        `${path} refers to ${qualified(to.schema, to.name)}, whose key is not converted`,
        "Name that table in tables too, or leave the reference out.",
      );
    if (twins.some((each) => isSame(each.table, table) && each.column.name === called))
      return refuse(
        `${path} is converted by its foreign key`,
        "Leave it out of references: it follows by itself.",
      );
    const { key, phase } = target;
    const before = made.find((each) => isSame(each.table, table) && each.called === called);
    if (before !== undefined) {
      made[made.indexOf(before)] = {
        ...before,
        phase: Math.max(before.phase, phase),
        cases: [...(before.cases ?? []), { key, when }],
      };
      continue;
    }
    const name = names[table.name]?.[called] ?? twinName(called);
    made.push({ table, column, name, key, isRoot: false, phase, called, cases: [{ key, when }] });
  }
  return made;
}

function keyOf(
  facts: KeyFacts,
  { root, column }: KeyClass,
  { schema, namespace }: ConversionOptions,
): ConvertedKey {
  const fact = facts.columns.find((each) => isOf(each, root) && each.name === column);
  const sequence = facts.sequences.find(
    ({ ownedBy }) => ownedBy !== null && isOf(ownedBy, root) && ownedBy.column === column,
  );
  const isDrawn = fact?.default?.includes("nextval(") === true;
  const next =
    fact?.identity != null && sequence !== undefined
      ? `pg_catalog.nextval(${literal(qualified(sequence.schema, sequence.name))}::regclass)`
      : isDrawn
        ? (fact?.default ?? null)
        : null;
  const whole = `${root.schema}.${root.name}`;
  return {
    root,
    column,
    mapped: root.schema === schema && !root.name.includes(".") ? root.name : whole,
    namespace: `${namespace}${whole}`,
    next,
    alwaysDrawn: fact?.identity === "always",
  };
}

/** `user_id` becomes `user_uuid`, `id` becomes `uuid`, `userId` becomes `userUuid`. */
export function twinName(column: string): string {
  if (column === "id") return "uuid";
  if (column.endsWith("_id")) return `${column.slice(0, -2)}uuid`;
  if (/[a-z0-9]Id$/.test(column)) return `${column.slice(0, -2)}Uuid`;
  return `${column}_uuid`;
}

function refuseTaken(
  { columns }: KeyFacts,
  twins: readonly Twin[],
  table: RelationName,
  name: string,
): void {
  const same = twins.filter((each) => isSame(each.table, table) && each.name === name);
  const isThere = columns.some((each) => isOf(each, table) && each.name === name);
  if (same.length < 2 && !isThere) return;
  refuse(
    `${qualified(table.schema, table.name)} ${isThere ? `has a column ${name} already` : `would get two columns ${name}`}`,
    `Choose another name: names: { ${JSON.stringify(table.name)}: { ${JSON.stringify(same[0]?.column.name ?? "id")}: "…" } }.`,
  );
}

/** The twins of a table's columns, also where it is a partition. */
export function twinsOf(
  { facts, twins }: Pick<Conversion, "facts" | "twins">,
  table: RelationName,
): readonly Twin[] {
  const home = homeOf(facts, table);
  return twins.filter((each) => isSame(each.table, home));
}

/** Columns and what takes their place, for one table. */
export function namesOf(
  conversion: Pick<Conversion, "facts" | "twins">,
  table: RelationName,
): ReadonlyMap<string, string> {
  return new Map(twinsOf(conversion, table).map(({ column, name }) => [column.name, name]));
}

/** The phase by which all of these columns of a table have their twins; undefined where none is converted. */
export function phaseOfColumns(
  conversion: Pick<Conversion, "facts" | "twins">,
  table: RelationName,
  columns: readonly string[],
): number | undefined {
  const phases = twinsOf(conversion, table)
    .filter(({ column }) => columns.includes(column.name))
    .map(({ phase }) => phase);
  return phases.length === 0 ? undefined : Math.max(...phases);
}

/** The tables that get columns in a phase, by name. */
export function tablesOf(
  { twins }: Pick<Conversion, "twins">,
  phase: number,
): readonly RelationName[] {
  const tables: RelationName[] = [];
  for (const { table } of twins.filter((each) => each.phase === phase))
    if (!tables.some((each) => isSame(each, table))) tables.push(table);
  return tables;
}

/** The SQL that yields the UUID of an integer, as a backfill and the trigger ask for it. */
export function uuidSql(
  { schema, strategy }: Pick<Conversion, "schema" | "strategy">,
  { mapped, namespace }: ConvertedKey,
  id: string,
): string {
  return strategy === "random"
    ? `${qualified(schema, "underpin_make_key")}(${literal(mapped)}, ${id})`
    : `${qualified(schema, "underpin_key_of")}(${literal(mapped)}, ${literal(namespace)}, ${id})`;
}

/** A table or index in the id of a step: its name, with the schema where that is another than the mapping's. */
export function placeOf({ schema }: Pick<Conversion, "schema">, of: RelationName): string {
  return of.schema === schema ? of.name : `${of.schema}.${of.name}`;
}

/** A list of columns. */
export function listOf(columns: readonly string[]): string {
  return columns.map(ident).join(", ");
}
