import type { Canonical, CanonicalEntry } from "../catalog/canonical.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { literal } from "../sql/quote.ts";
import type { CatalogDifference } from "./differences.ts";
import { needs, REMADE } from "./needs.ts";

/** What a repair may look at. */
export interface RepairContext {
  readonly expected: Canonical;
  readonly found: Canonical;
  readonly objects: ReadonlyMap<string, DatabaseObject>;
  /** Statements that make names without schema mean what they meant when it was declared. */
  readonly settings: string;
}

/** The SQL that mends one difference, for a person to read and run; null where a person has to decide. */
export function repairOf(difference: CatalogDifference, context: RepairContext): string | null {
  const { path, aspect, expected, found } = difference;
  const { name, table } = partsOf(path);
  if (path.startsWith("privileges of ")) return privilegeRepair(difference, context);
  if (expected === null && aspect === null) return dropUndeclared(path, name, table);
  const kind = path.slice(0, path.indexOf(' "'));
  if (aspect === null) return createMissing(path, context);
  switch (`${kind}.${aspect}`) {
    case "table.rowSecurity":
      return `ALTER TABLE ${name} ${expected === "yes" ? "ENABLE" : "DISABLE"} ROW LEVEL SECURITY`;
    case "table.forceRowSecurity":
      return `ALTER TABLE ${name} ${expected === "yes" ? "FORCE" : "NO FORCE"} ROW LEVEL SECURITY`;
    case "column.type":
      return retype(path, context);
    case "column.notNull":
      return `ALTER TABLE ${table} ALTER COLUMN ${name} ${expected === "yes" ? "SET" : "DROP"} NOT NULL`;
    case "column.default":
      return `ALTER TABLE ${table} ALTER COLUMN ${name} ${expected === null ? "DROP DEFAULT" : `SET DEFAULT ${expected}`}`;
    case "trigger.enabled":
      return `ALTER TABLE ${table} ${expected === "always" ? "ENABLE ALWAYS" : "ENABLE"} TRIGGER ${name}`;
    case "index.valid":
    case "index.ready":
      return `REINDEX INDEX CONCURRENTLY ${indexName(path)}`;
    case "constraint.validated":
      return `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`;
    case "constraint.triggerStates":
      return `ALTER TABLE ${table} ENABLE TRIGGER ALL`;
    case "materialized view.populated":
      return `REFRESH MATERIALIZED VIEW ${name}`;
    case "table.persistence":
      return `ALTER TABLE ${name} SET ${expected === "unlogged" ? "UNLOGGED" : "LOGGED"}`;
    case "type.labels":
      return enumRepair(name, expected, found);
  }
  if (aspect === "comment") return commentRepair(kind, path, expected, context);
  if (aspect === "owner") return context.objects.get(`owner of ${path}`)?.create ?? null;
  if (kind === "constraint") return replaceConstraint(path, context);
  return replaceDeclared(path, context);
}

/** `trigger "touch" of table "app"."orders"` as its name and its table, both quoted. */
function partsOf(path: string): { readonly name: string; readonly table: string } {
  const own = /^[a-z ]+ ((?:"(?:[^"]|"")+"\.?)+(?:\(.*\))?)/.exec(path)?.[1] ?? "";
  const table = / of (?:table|view|materialized view|relation) (.+)$/.exec(path)?.[1] ?? "";
  return { name: own, table };
}

/** An index lives in the schema of its table. */
function indexName(path: string): string {
  const { name, table } = partsOf(path);
  return `${table.slice(0, table.indexOf('".') + 1)}.${name}`;
}

/**
 * Casts, since what is not cast automatically needs USING (42804), and sets the default anew, which is not cast by USING.
 *
 * A length is left to assignment: an explicit cast would cut off in silence what is too long, where assignment refuses (22001).
 */
function retype(path: string, { expected, found }: RepairContext): string {
  const { name, table } = partsOf(path);
  const should = expected[path]?.aspects ?? {};
  const is = found[path]?.aspects ?? {};
  const type = should.type ?? "";
  const collation = should.collation === undefined ? "" : ` COLLATE ${should.collation}`;
  const isGenerated = "generated.kind" in should || "generated.kind" in is;
  const using = isGenerated || /^(?:character|bit)\b/.test(type) ? "" : ` USING (${name}::${type})`;
  return `ALTER TABLE ${table} ${[
    ...(is.default === undefined ? [] : [`ALTER COLUMN ${name} DROP DEFAULT`]),
    `ALTER COLUMN ${name} TYPE ${type}${collation}${using}`,
    ...(should.default === undefined ? [] : [`ALTER COLUMN ${name} SET DEFAULT ${should.default}`]),
  ].join(", ")}`;
}

function createMissing(path: string, context: RepairContext): string | null {
  const object = context.objects.get(path);
  const { name, table } = partsOf(path);
  const aspects = context.expected[path]?.aspects ?? {};
  if (aspects.kind === "foreignKey" && !isPartitioned(path, context))
    return addForeignKey(path, object, context);
  if (object !== undefined) {
    const statements = withParts(object, context);
    return statements.length === 1 && isPlainIndex(object) && !isPartitioned(path, context)
      ? object.create.replace(/^CREATE (UNIQUE )?INDEX/, "$& CONCURRENTLY")
      : inSettings(statements, context);
  }
  if (path.startsWith("constraint "))
    return `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${aspects.definition ?? ""}`;
  // What is generated, an identity or collated is more than a type and a default.
  const isMore = ["generated.kind", "identity", "collation"].some((aspect) => aspect in aspects);
  // In a table with rows such a column is filled before it may be NOT NULL: with what, a person knows.
  const isFilled = aspects.notNull !== "yes" || aspects.default !== undefined;
  if (path.startsWith("column ") && isFilled && !isMore)
    return [
      `ALTER TABLE ${table} ADD COLUMN ${name} ${aspects.type ?? ""}`,
      ...(aspects.default === undefined ? [] : [`DEFAULT ${aspects.default}`]),
      ...(aspects.notNull === "yes" ? ["NOT NULL"] : []),
    ].join(" ");
  // The index of a constraint comes with it; a sequence or a partition key with its table.
  return null;
}

function isPartitioned(path: string, { expected }: RepairContext): boolean {
  return `partitioning of table ${partsOf(path).table}` in expected;
}

const QUOTED = '"(?:[^"]|"")+"';
const INDEXED = `${QUOTED}(?: DESC NULLS (?:FIRST|LAST)| NULLS FIRST)?`;
const PLAIN_INDEX = new RegExp(
  `^CREATE (?:UNIQUE )?INDEX ${QUOTED} ON ${QUOTED}\\.${QUOTED}(?: USING \\w+)? \\(${INDEXED}(?:, ${INDEXED})*\\)$`,
);

/** Of columns alone: no name in it is looked for in a search_path, so that it may stand outside of a transaction and let writers go on. */
function isPlainIndex({ kind, create }: DatabaseObject): boolean {
  return kind === "index" && PLAIN_INDEX.test(create);
}

/** Rows are read after the lock that keeps writers out is gone: VALIDATE takes SHARE UPDATE EXCLUSIVE. */
function addForeignKey(
  path: string,
  object: DatabaseObject | undefined,
  context: RepairContext,
): string {
  const { name, table } = partsOf(path);
  const definition = context.expected[path]?.aspects.definition ?? "";
  const [, ...parts] = object === undefined ? [] : withParts(object, context);
  const add = `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition} NOT VALID`;
  const first = parts.length === 0 ? add : inSettings([add, ...parts], context);
  return `${first};\nALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`;
}

function dropUndeclared(path: string, name: string, table: string): string | null {
  const noun = /^(?:policy|trigger|rule)/.exec(path)?.[0];
  return noun === undefined ? null : `DROP ${noun.toUpperCase()} ${name} ON ${table}`;
}

function replaceConstraint(path: string, { expected }: RepairContext): string {
  const { name, table } = partsOf(path);
  const definition = expected[path]?.aspects.definition ?? "";
  return `ALTER TABLE ${table} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} ${definition}`;
}

/** Drops and makes again, with the privileges and comments that go along and with what is declared upon it. */
function replaceDeclared(path: string, context: RepairContext): string | null {
  const object = context.objects.get(path);
  if (object === undefined || object.kind === "table" || object.kind === "type") return null;
  if (object.drop === null || (object.kind === "function" && !hasOtherSignature(path, context)))
    return inSettings([object.create], context);
  const upon = dependentsOf(object, context);
  if (upon === null) return null;
  return inSettings(
    [
      ...upon.toReversed().flatMap(({ drop }) => drop ?? []),
      object.drop,
      ...[object, ...upon].flatMap((each) => withParts(each, context)),
    ],
    context,
  );
}

/** CREATE OR REPLACE changes neither the result nor the names or defaults of arguments (42P13). */
function hasOtherSignature(path: string, { expected, found }: RepairContext): boolean {
  return ["kind", "returns", "arguments"].some(
    (aspect) => expected[path]?.aspects[aspect] !== found[path]?.aspects[aspect],
  );
}

/** What is declared upon a view or function and there, in the order in which it is made; null where that holds rows or is enforced. */
function dependentsOf(
  object: DatabaseObject,
  { objects, found }: RepairContext,
): readonly DatabaseObject[] | null {
  const needed: DatabaseObject[] = [object];
  if (!/^(?:function|view|materializedView)$/.test(object.kind)) return [];
  for (const each of objects.values())
    if (each.id in found && needed.some((other) => needs(each, other))) needed.push(each);
  const upon = needed.slice(1);
  return upon.every(({ kind }) => REMADE.has(kind)) ? upon : null;
}

/** As one transaction, since psql sends statement by statement and SET LOCAL lasts until its end. */
function inSettings(statements: readonly string[], { settings }: RepairContext): string {
  return `BEGIN;\n${settings}${statements.join(";\n")};\nCOMMIT`;
}

/** What makes an object and everything that goes with it: of what is gone, nothing that belonged to it is told. */
function withParts({ id, create }: DatabaseObject, { objects }: RepairContext): readonly string[] {
  const gone = new Set([id]);
  const parts = [...objects.values()].filter((object) => {
    const isPart = object.within !== null && gone.has(object.within);
    if (isPart) gone.add(object.id);
    return isPart;
  });
  return [create, ...parts.map((part) => part.create)];
}

function enumRepair(name: string, expected: string | null, found: string | null): string | null {
  const labels = JSON.parse(expected ?? "[]") as readonly string[];
  const there = new Set(JSON.parse(found ?? "[]") as readonly string[]);
  const missing = labels.filter((label) => !there.has(label));
  if (missing.length === 0) return null;
  return missing
    .map((label) => {
      const before = labels.slice(0, labels.indexOf(label)).findLast((other) => there.has(other));
      return `ALTER TYPE ${name} ADD VALUE ${literal(label)}${before === undefined ? "" : ` AFTER ${literal(before)}`}`;
    })
    .join(";\n");
}

function commentRepair(
  kind: string,
  path: string,
  expected: string | null,
  context: RepairContext,
): string | null {
  const object = context.objects.get(`comment on ${path}`);
  if (object !== undefined) return object.create;
  const { name, table } = partsOf(path);
  const target =
    table === "" ? name : kind === "column" ? `${table}.${name}` : `${name} ON ${table}`;
  return `COMMENT ON ${kind.toUpperCase()} ${target} IS ${expected === null ? "NULL" : literal(expected)}`;
}

/** GRANT what is missing and REVOKE what is not declared. */
function privilegeRepair(
  { path, aspect }: CatalogDifference,
  { expected, found }: RepairContext,
): string | null {
  const [, grantee = "", on = ""] =
    /^privileges of ("(?:[^"]|"")+") from "(?:[^"]|"")+" on (.+)$/.exec(path) ?? [];
  if (aspect !== null && aspect !== "privileges") return null;
  const target = grantTarget(on);
  if (target === null || grantee === '"owner"') return null;
  const role = grantee === '"public"' ? "PUBLIC" : grantee;
  const should = privilegesIn(expected[path]);
  const is = privilegesIn(found[path]);
  const list = (privileges: readonly string[]) =>
    privileges.map((privilege) => privilege + target.columns).join(", ");
  const missing = should.filter((privilege) => !is.includes(privilege));
  const extra = is.filter((privilege) => !should.includes(privilege));
  return [
    ...(missing.length === 0 ? [] : [`GRANT ${list(missing)} ON ${target.on} TO ${role}`]),
    ...(extra.length === 0 ? [] : [`REVOKE ${list(extra)} ON ${target.on} FROM ${role}`]),
  ].join(";\n");
}

function privilegesIn(entry: CanonicalEntry | undefined): readonly string[] {
  return JSON.parse(entry?.aspects.privileges ?? "[]") as readonly string[];
}

/** `function "app"."f"(uuid)` as what stands after ON, and the columns that stand after a privilege. */
function grantTarget(path: string): { readonly on: string; readonly columns: string } | null {
  const [, kind = "", name = "", owner] =
    /^(column|table|view|materialized view|sequence|schema|function|type) (.+?)(?: of (?:table|view) (.+))?$/.exec(
      path,
    ) ?? [];
  if (kind === "") return null;
  if (kind === "column") return { on: `TABLE ${owner ?? ""}`, columns: ` (${name})` };
  return { on: `${kind.endsWith("view") ? "TABLE" : kind.toUpperCase()} ${name}`, columns: "" };
}
