import { ident, qualified } from "../sql/quote.ts";
import { extensionPath, functionPath, namedPath, partPath, schemaPath } from "./path.ts";
import type { Facts } from "./read-facts.ts";
import { words } from "./words.ts";

/** One object of the catalog as two catalogs can be compared by it. */
export interface CanonicalEntry {
  /** The path of the object that it comes and goes with. */
  readonly within: string | null;
  /** What can be said of it, as `references.onDelete`; what is null or empty is not there. */
  readonly aspects: Readonly<Record<string, string>>;
}

/** The canonical projection of a catalog: its objects by path, as `column "id" of table "app"."orders"`. */
export type Canonical = Readonly<Record<string, CanonicalEntry>>;

/** What the canonical projection leaves out beside what it always does. */
export interface CanonicalOptions {
  /** Schemas that do not count, as the one that holds the runs. @default [] */
  readonly leaveOut?: readonly string[];
}

/** Never part of it: what changes by mere use, and what names are not made of. */
const NEVER: ReadonlySet<string> = new Set([
  "oid",
  "number",
  "columnSlots",
  "rowEstimate",
  "bytes",
  "lastValue",
  // The definition holds the body.
  "bodyHash",
]);

/** Lists whose order says nothing. */
const UNORDERED: ReadonlySet<string> = new Set(["options", "config"]);

/**
 * The projection under which two catalogs count as equal.
 *
 * By name; columns by rank among the live; ACLs with their defaults written out; definitions printed without a search_path;
 * inheritance and validity flags; NOT NULL names where the server has them (18). Left out: oid, attnum, relfilenode,
 * statistics, freeze data, sizes, sequence positions, locks, dependencies (the definitions hold them), and roles, which
 * belong to the cluster. Everything else that is a fact is compared: a fact that is added to a reader
 * is compared by itself.
 */
export function canonical(facts: Facts, { leaveOut = [] }: CanonicalOptions = {}): Canonical {
  const left = new Set(leaveOut);
  const entries: Record<string, CanonicalEntry> = {};
  const put = (path: string, within: string | null, fact: object, names: readonly string[]) => {
    entries[path] = { within, aspects: aspectsOf(fact, names) };
  };
  const kept = <F extends { readonly schema: string | null }>(list: readonly F[]): readonly F[] =>
    list.filter(({ schema }) => schema === null || !left.has(schema));

  const relations = new Map<string, string>();
  const relationPath = (schema: string, name: string) =>
    relations.get(qualified(schema, name)) ?? `relation ${qualified(schema, name)}`;
  const named = (kind: string, { schema, name }: { schema: string; name: string }): string => {
    const path = namedPath(kind, schema, name);
    relations.set(qualified(schema, name), path);
    return path;
  };

  for (const fact of facts.schemas)
    if (!left.has(fact.name)) put(schemaPath(fact.name), null, fact, ["name"]);
  for (const fact of kept(facts.tables))
    put(named("table", fact), schemaPath(fact.schema), fact, NAME);
  for (const fact of kept(facts.views))
    put(named(words(fact.kind), fact), schemaPath(fact.schema), fact, NAME);
  for (const fact of kept(facts.sequences))
    put(named("sequence", fact), schemaPath(fact.schema), fact, NAME);
  const ofTable = (
    kind: string,
    list: readonly { readonly schema: string; readonly table: string; readonly name: string }[],
  ) => {
    for (const fact of kept(list)) {
      const table = relationPath(fact.schema, fact.table);
      put(partPath(kind, fact.name, table), table, fact, [...NAME, "table"]);
    }
  };
  ofTable("column", facts.columns);
  ofTable("constraint", facts.constraints);
  ofTable("index", facts.indexes);
  ofTable("trigger", facts.triggers);
  ofTable("rule", facts.rules);
  ofTable("policy", facts.policies);
  for (const fact of kept(facts.partitions)) {
    const table = relationPath(fact.schema, fact.name);
    // Its parent says where in the tree it is.
    put(`partitioning of ${table}`, table, fact, [...NAME, "level", "root"]);
  }
  for (const fact of kept(facts.inheritance)) {
    const table = relationPath(fact.schema, fact.name);
    const { schema, name } = fact.parent;
    put(`inheritance of ${table} from ${qualified(schema, name)}`, table, fact, [
      ...NAME,
      "parent",
    ]);
  }
  for (const fact of kept(facts.functions)) {
    const path = functionPath(fact.schema, fact.name, fact.signature);
    put(path, schemaPath(fact.schema), fact, [...NAME, "signature"]);
  }
  const typePath = (schema: string, name: string) => namedPath("type", schema, name);
  for (const fact of kept(facts.types))
    put(typePath(fact.schema, fact.name), schemaPath(fact.schema), fact, NAME);
  for (const { on, schema, name, detail, grantee, grantor, ...fact } of kept(facts.grants)) {
    const object = {
      schema: () => schemaPath(schema),
      relation: () => relationPath(schema, name),
      sequence: () => relationPath(schema, name),
      column: () => `column ${ident(detail ?? "")} of ${relationPath(schema, name)}`,
      function: () => functionPath(schema, name, detail),
      type: () => typePath(schema, name),
    }[on]();
    put(`privileges of ${ident(grantee)} from ${ident(grantor)} on ${object}`, object, fact, []);
  }
  for (const { role, schema, on, grantee, grantor, ...fact } of kept(facts.defaultPrivileges)) {
    const where = schema === null ? "" : ` in ${schemaPath(schema)}`;
    const path = `default privileges of ${ident(grantee)} from ${ident(grantor)} on each new ${words(on)} of ${ident(role)}${where}`;
    put(path, schema === null ? null : schemaPath(schema), fact, []);
  }
  for (const fact of facts.publications)
    put(`publication ${ident(fact.name)}`, null, fact, ["name"]);
  for (const fact of facts.extensions) put(extensionPath(fact.name), null, fact, ["name"]);
  for (const { kind, schema, name } of kept(facts.unread))
    put(`${kind} ${name}`, schema === null ? null : schemaPath(schema), {}, []);
  return entries;
}

const NAME = ["schema", "name"] as const;

/** Each value of a fact as text, nested ones by their whole way. */
function aspectsOf(fact: object, names: readonly string[]): Readonly<Record<string, string>> {
  const aspects: Record<string, string> = {};
  const say = (way: string, value: unknown): void => {
    if (typeof value === "boolean") aspects[way] = value ? "yes" : "no";
    else if (typeof value === "number") aspects[way] = String(value);
    else if (typeof value === "string") {
      if (value !== "") aspects[way] = value;
    } else if (!Array.isArray(value))
      for (const [key, inner] of Object.entries(value ?? {})) say(`${way}.${key}`, inner);
    else if (value.every((item) => typeof item === "string" || item === null)) {
      // A name may hold a comma: as JSON, two lists never look alike.
      if (value.length > 0) aspects[way] = JSON.stringify(value);
    } else value.forEach((item, index) => say(`${way}.${index + 1}`, item));
  };
  for (const [key, value] of Object.entries(fact) as [string, unknown][])
    if (!NEVER.has(key) && !names.includes(key))
      say(key, UNORDERED.has(key) ? [...(value as readonly string[])].sort() : value);
  return aspects;
}
