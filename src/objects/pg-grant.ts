import { functionPath, namedPath, schemaPath } from "../catalog/path.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** What may be granted on a table. TRUNCATE, REFERENCES and TRIGGER get around row security and are not among them. */
export type TablePrivilege = "select" | "insert" | "update" | "delete";

/** Privileges on one table or view, for one role. */
export interface TableGrantOptions extends TableTarget {
  readonly to: string;
  readonly privileges: readonly [TablePrivilege, ...TablePrivilege[]];
  /** Only these columns. */
  readonly columns?: readonly (string | DrizzleColumn)[];
  /** What it is on. @default "table" */
  readonly on?: "table" | "view" | "materialized view" | "sequence";
}

/** Privileges on one table or view. GRANT takes no lock that a reader or writer would wait for. */
export function pgGrant(options: TableGrantOptions): DatabaseObject {
  const { schema, name } = targetOf(options);
  const { to, columns, on = "table" } = options;
  const privileges = on === "sequence" ? ["usage"] : [...options.privileges];
  const of =
    columns === undefined
      ? ""
      : ` (${columns.map((column) => ident(columnName(column))).join(", ")})`;
  const list = privileges.map((privilege) => privilege.toUpperCase() + of).join(", ");
  const noun = on === "sequence" ? "SEQUENCE" : "TABLE";
  const path = namedPath(on, schema, name);
  return databaseObject({
    kind: "grant",
    id: `privileges of ${ident(to)} on ${path}${of}`,
    create: `GRANT ${list} ON ${noun} ${qualified(schema, name)} TO ${ident(to)}`,
    drop: `REVOKE ${list} ON ${noun} ${qualified(schema, name)} FROM ${ident(to)}`,
    dependsOn: [path, `role ${ident(to)}`],
    within: path,
  });
}

/** USAGE on a schema, for one role: without it nothing in it can be named. */
export function pgSchemaGrant(options: {
  readonly schema: string;
  readonly to: string;
}): DatabaseObject {
  const { schema, to } = options;
  return databaseObject({
    kind: "grant",
    id: `privileges of ${ident(to)} on ${schemaPath(schema)}`,
    create: `GRANT USAGE ON SCHEMA ${ident(schema)} TO ${ident(to)}`,
    drop: `REVOKE USAGE ON SCHEMA ${ident(schema)} FROM ${ident(to)}`,
    dependsOn: [schemaPath(schema), `role ${ident(to)}`],
    within: schemaPath(schema),
  });
}

/** EXECUTE on a function that is declared elsewhere, for one role. */
export function pgFunctionGrant(options: {
  readonly schema: string;
  readonly name: string;
  /** The argument types, as SQL. @default "" */
  readonly signature?: string;
  readonly to: string;
}): DatabaseObject {
  const { schema, name, signature = "", to } = options;
  const path = functionPath(schema, name, signature);
  const called = `FUNCTION ${qualified(schema, name)}(${signature})`;
  return databaseObject({
    kind: "grant",
    id: `privileges of ${ident(to)} on ${path}`,
    create: `GRANT EXECUTE ON ${called} TO ${ident(to)}`,
    drop: `REVOKE EXECUTE ON ${called} FROM ${ident(to)}`,
    dependsOn: [path, `role ${ident(to)}`],
    within: path,
  });
}
