import { namedPath, partPath } from "../catalog/path.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** A comment on a table, a view, or one of their columns. */
export interface CommentOptions extends TableTarget {
  /** @default "table" */
  readonly on?: "table" | "view" | "materialized view";
  readonly column?: string | DrizzleColumn;
  readonly text: string;
}

/** A comment. COMMENT takes SHARE UPDATE EXCLUSIVE: reads and writes go on. */
export function pgComment(options: CommentOptions): DatabaseObject {
  const { schema, name } = targetOf(options);
  const { on = "table", column, text } = options;
  const relation = qualified(schema, name);
  const path = namedPath(on, schema, name);
  const target =
    column === undefined
      ? `${on.toUpperCase()} ${relation}`
      : `COLUMN ${relation}.${ident(columnName(column))}`;
  const of = column === undefined ? path : partPath("column", columnName(column), path);
  const locks = [{ schema, name, mode: "shareUpdateExclusive" as const }];
  return databaseObject({
    kind: "comment",
    id: `comment on ${of}`,
    create: `COMMENT ON ${target} IS ${literal(text)}`,
    drop: `COMMENT ON ${target} IS NULL`,
    dependsOn: [path],
    within: path,
    locks,
    dropLocks: locks,
  });
}
