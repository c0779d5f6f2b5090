import type { Node, RangeVar } from "libpg-query";
import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { PartitionFact } from "../../catalog/partitions.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { TableFact } from "../../catalog/tables.ts";
import type { RelationName } from "../../plan/step.ts";
import { qualified } from "../../sql/quote.ts";
import type { RuleName } from "./rules.ts";

/** What is known where a statement stands: the database as it was read, and what the statements before it have changed. */
export interface Scene {
  /** Of names that are given without one. */
  readonly schema: string;
  /** The database as it was read; undefined where nobody has. */
  readonly facts: Facts | undefined;
  /** What the script itself has made, by path: nobody uses it yet. */
  readonly made: ReadonlySet<string>;
  /** Columns that the script has added to tables that were there. */
  readonly columns: readonly ColumnFact[];
  /** The constraints that the script has added, by path; with their column, where they say that it is NOT NULL. */
  readonly added: ReadonlyMap<string, string | undefined>;
  /** Columns of which the script has shown that no row is NULL, by path. */
  readonly proven: ReadonlySet<string>;
  /** The rules that are switched off for this statement, with a reason. */
  readonly allowed: ReadonlySet<RuleName>;
}

/** The name of a relation as a statement says it. */
export function nameOf(scene: Scene, range: RangeVar | undefined): RelationName {
  return named(scene, range?.schemaname, range?.relname ?? "");
}

/** A name without a schema is looked for where the facts have one only. */
export function named(scene: Scene, schema: string | undefined, name: string): RelationName {
  if (schema !== undefined && schema !== "") return { schema, name };
  const own = { schema: scene.schema, name };
  if (isMade(scene, own) || scene.facts === undefined) return own;
  const { tables, views, indexes, sequences } = scene.facts;
  const found = [...tables, ...views, ...indexes, ...sequences].filter(
    (each) => each.name === name,
  );
  const [first, ...others] = found;
  if (first === undefined || found.some((each) => each.schema === scene.schema)) return own;
  return others.length === 0 ? { schema: first.schema, name } : own;
}

/** The name in a list of words of a name, `["app", "users"]`. */
export function nameIn(scene: Scene, words: readonly string[]): RelationName {
  const name = words[words.length - 1] ?? "";
  return named(scene, words.length > 1 ? words[words.length - 2] : undefined, name);
}

/** Whether the script has made it, so that nobody waits for it. */
export function isMade({ made }: Scene, { schema, name }: RelationName): boolean {
  return made.has(qualified(schema, name));
}

/** A heap of less is read or written anew in a few milliseconds. */
const TINY_BYTES = 1024 * 1024;

/** Whether the facts say that the table is so small that a scan or a rewrite is over at once. */
export function isTiny({ facts }: Scene, { schema, name }: RelationName): boolean {
  const table = facts?.tables.find((each) => each.schema === schema && each.name === name);
  return table?.kind === "table" && table.bytes < TINY_BYTES;
}

/** Whether a scan, build or rewrite of the relation makes nobody wait for long, or a person has allowed it. */
export function isCalm(scene: Scene, relation: RelationName, rule: RuleName): boolean {
  return isMade(scene, relation) || scene.allowed.has(rule) || isTiny(scene, relation);
}

/** What the facts say of a table. */
export function tableOf(scene: Scene, { schema, name }: RelationName): TableFact | undefined {
  return scene.facts?.tables.find((each) => each.schema === schema && each.name === name);
}

/** What the facts say of a column, or the script before. */
export function columnOf(
  scene: Scene,
  { schema, name }: RelationName,
  column: string,
): ColumnFact | undefined {
  return [...scene.columns, ...(scene.facts?.columns ?? [])].find(
    (each) => each.schema === schema && each.table === name && each.name === column,
  );
}

/** What the facts say of a constraint. */
export function constraintOf(
  scene: Scene,
  { schema, name }: RelationName,
  constraint: string,
): ConstraintFact | undefined {
  return scene.facts?.constraints.find(
    (each) => each.schema === schema && each.table === name && each.name === constraint,
  );
}

/** What the facts say of a partitioned table or partition. */
export function partitionOf(
  scene: Scene,
  { schema, name }: RelationName,
): PartitionFact | undefined {
  return scene.facts?.partitions.find((each) => each.schema === schema && each.name === name);
}

/**
 * Facts in which the named tables are, also those that the script has made; without facts the tables alone, as plain ones.
 */
export function factsAbout(scene: Scene, names: readonly RelationName[]): Facts {
  const base = scene.facts ?? NO_FACTS;
  const missing = names.filter(
    ({ schema, name }) => !base.tables.some((each) => each.schema === schema && each.name === name),
  );
  return {
    ...base,
    tables: [...base.tables, ...missing.map(plainTable)],
    columns: [...base.columns, ...scene.columns],
  };
}

/** A column as ADD COLUMN has just made it. */
export function newColumn(
  { schema, name: table }: RelationName,
  name: string,
  type: string,
  notNull: boolean,
): ColumnFact {
  return {
    schema,
    table,
    name,
    number: 0,
    position: 0,
    type,
    notNull,
    default: null,
    generated: null,
    identity: null,
    collation: null,
    storage: "plain",
    compression: null,
    statisticsTarget: null,
    options: [],
    local: true,
    inheritCount: 0,
    comment: null,
  };
}

function plainTable({ schema, name }: RelationName): TableFact {
  return {
    schema,
    name,
    oid: 0,
    kind: "table",
    owner: "",
    persistence: "permanent",
    rowSecurity: false,
    forceRowSecurity: false,
    replicaIdentity: "default",
    options: [],
    tablespace: null,
    accessMethod: null,
    ofType: null,
    rowEstimate: null,
    bytes: 0,
    columnSlots: 0,
    comment: null,
    extension: null,
  };
}

const NO_FACTS = {
  schemas: [],
  tables: [],
  columns: [],
  constraints: [],
  indexes: [],
  sequences: [],
  triggers: [],
  rules: [],
  functions: [],
  views: [],
  dependencies: [],
  policies: [],
  grants: [],
  defaultPrivileges: [],
  roles: [],
  partitions: [],
  inheritance: [],
  publications: [],
  extensions: [],
  types: [],
  locks: [],
  unread: [],
} as unknown as Facts;

/** Every relation that a tree of nodes names, once, without the names of its WITH queries. */
export function relationsIn(scene: Scene, node: unknown): readonly RelationName[] {
  const found = new Map<string, RelationName>();
  const ctes = new Set<string>();
  walkNodes(node, (key, value) => {
    if (key === "CommonTableExpr") ctes.add(String((value as { ctename?: unknown }).ctename));
  });
  walkNodes(node, (key, value) => {
    if (key !== "RangeVar") return;
    const range = value as RangeVar;
    if (range.schemaname === undefined && ctes.has(range.relname ?? "")) return;
    const name = nameOf(scene, range);
    if (["pg_catalog", "information_schema"].includes(name.schema)) return;
    found.set(qualified(name.schema, name.name), name);
  });
  return [...found.values()];
}

/** Calls back for every object of a tree, with the key that it stands at. */
export function walkNodes(node: unknown, visit: (key: string, value: object) => void): void {
  if (typeof node !== "object" || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (typeof value !== "object" || value === null) continue;
    if (!Array.isArray(value)) visit(key, value as object);
    walkNodes(value, visit);
  }
}

/** The text of a list of String nodes. */
export function stringsOf(nodes: readonly Node[] | undefined): readonly string[] {
  return (nodes ?? []).map((node) => ("String" in node ? (node.String.sval ?? "") : ""));
}
