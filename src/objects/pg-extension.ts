import { extensionPath, schemaPath } from "../catalog/path.ts";
import { ident } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** An extension as it is declared. */
export interface ExtensionOptions {
  readonly name: string;
  /** Where its objects live; it is made when it is not there. @default "extensions" */
  readonly schema?: string;
}

/**
 * An extension. One that is there already is used as it is, and no uninstall drops it: others may use it too.
 *
 * A trusted extension (`pg_trgm`, `citext`, `btree_gist`, `pgcrypto`, …) needs CREATE on the database only.
 *
 * @example
 * import { pgExtension } from "underpin";
 *
 * pgExtension({ name: "pg_trgm" }).id; // 'extension "pg_trgm"'
 */
export function pgExtension({ name, schema = "extensions" }: ExtensionOptions): DatabaseObject {
  return databaseObject({
    kind: "extension",
    id: extensionPath(name),
    create: `CREATE SCHEMA IF NOT EXISTS ${ident(schema)};\nCREATE EXTENSION IF NOT EXISTS ${ident(name)} WITH SCHEMA ${ident(schema)}`,
    dependsOn: [schemaPath(schema)],
  });
}
