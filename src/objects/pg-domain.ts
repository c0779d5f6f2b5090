import { namedPath, schemaPath } from "../catalog/path.ts";
import { ident, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** A domain: a type with a check. */
export interface DomainOptions {
  /** @default "public" */
  readonly schema?: string;
  readonly name: string;
  /** The type below, as SQL. */
  readonly type: string;
  readonly collation?: string;
  /** As SQL about VALUE, each under its name. A check that is NULL passes. */
  readonly checks?: Readonly<Record<string, string>>;
}

/**
 * A domain. NOT NULL belongs on the column: a NOT NULL domain is still NULL in an outer join.
 *
 * @example
 * import { pgDomain } from "underpin";
 *
 * pgDomain({ schema: "app", name: "slug", type: "text", checks: { slug_form: "VALUE ~ '^[a-z]+$'" } });
 */
export function pgDomain(options: DomainOptions): DatabaseObject {
  const { schema = "public", name, type, collation, checks = {} } = options;
  const create = [
    `CREATE DOMAIN ${qualified(schema, name)} AS ${type}`,
    ...(collation === undefined ? [] : [`COLLATE ${collation}`]),
    ...Object.entries(checks).map(([check, sql]) => `CONSTRAINT ${ident(check)} CHECK (${sql})`),
  ].join(" ");
  return databaseObject({
    kind: "type",
    id: namedPath("type", schema, name),
    create,
    drop: `DROP DOMAIN IF EXISTS ${qualified(schema, name)}`,
    dependsOn: [schemaPath(schema)],
    mentions: [type, ...Object.values(checks)],
  });
}
