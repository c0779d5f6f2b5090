import type { Canonical, CanonicalEntry } from "../catalog/canonical.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { literal } from "../sql/quote.ts";
import type { CatalogDifference } from "./differences.ts";

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
      return `ALTER TABLE ${table} ALTER COLUMN ${name} TYPE ${expected}`;
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

function createMissing(path: string, context: RepairContext): string | null {
  const object = context.objects.get(path);
  if (object !== undefined) return inSettings(withParts(object, context), context);
  const { name, table } = partsOf(path);
  const aspects = context.expected[path]?.aspects ?? {};
  if (path.startsWith("constraint "))
    return `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${aspects.definition ?? ""}`;
  // In a table with rows such a column is filled before it may be NOT NULL: with what, a person knows.
  if (path.startsWith("column ") && (aspects.notNull !== "yes" || aspects.default !== undefined))
    return [
      `ALTER TABLE ${table} ADD COLUMN ${name} ${aspects.type ?? ""}`,
      ...(aspects.default === undefined ? [] : [`DEFAULT ${aspects.default}`]),
      ...(aspects.notNull === "yes" ? ["NOT NULL"] : []),
    ].join(" ");
  // The index of a constraint comes with it; a sequence or a partition key with its table.
  return null;
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

/** Drops and makes again, with the privileges and comments that go along. */
function replaceDeclared(path: string, context: RepairContext): string | null {
  const object = context.objects.get(path);
  if (object === undefined || object.kind === "table" || object.kind === "type") return null;
  if (object.kind === "function" || object.drop === null)
    return inSettings([object.create], context);
  return inSettings([object.drop, ...withParts(object, context)], context);
}

/** As one transaction, since psql sends statement by statement and SET LOCAL lasts until its end. */
function inSettings(statements: readonly string[], { settings }: RepairContext): string {
  return `BEGIN;\n${settings}${statements.join(";\n")};\nCOMMIT`;
}

/** What makes an object and everything that goes with it: of what is gone, nothing that belonged to it is told. */
function withParts({ id, create }: DatabaseObject, { objects }: RepairContext): readonly string[] {
  const parts = [...objects.values()].filter(({ within }) => within === id);
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
