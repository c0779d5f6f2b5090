import { is } from "drizzle-orm";
import { getTableConfig, isPgEnum, PgTable, type PgColumn } from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import { typeSql } from "../definition/emit/column.ts";
import { objectsOf } from "../install/objects-of.ts";
import type { DatabaseObject, ObjectKind } from "../objects/object.ts";

type TableConfig = ReturnType<typeof getTableConfig>;

/**
 * A definition as one page of Markdown: how much of what there is, its tables as a diagram (Mermaid) and one by one, its enums, views and functions.
 *
 * It is made from the definition alone, so that it is never out of date.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { defineDatabase } from "underpin";
 * import { reportSchema } from "underpin/report";
 *
 * const pages = pgTable("pages", { id: uuid("id").primaryKey() });
 * const page = reportSchema(defineDatabase({ name: "pages", tables: { pages } }));
 * page.includes("| tables | 1 |"); // true
 */
export function reportSchema(definition: Definition): string {
  const objects = objectsOf(definition);
  const entities = Object.values(definition.tables);
  const tables = entities.filter((entity) => is(entity, PgTable)).map(getTableConfig);
  const comments = commentsOf(objects);
  const enums = entities.filter(isPgEnum).map(({ enumName, enumValues }) => {
    return `- \`${enumName}\`: ${enumValues.join(", ")}`;
  });
  return [
    countTable(objects, tables),
    section("Diagram", diagram(tables)),
    section("Tables", tables.map((table) => tablePart(table, objects, comments)).join("\n\n")),
    section("Enums", enums.join("\n")),
    section("Views", listOf(objects, ["view", "materializedView"], comments)),
    section("Functions", functionList(objects)),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function section(title: string, text: string): string {
  return text === "" ? "" : `## ${title}\n\n${text}`;
}

const COUNTED: readonly (readonly [words: string, kinds: readonly ObjectKind[]])[] = [
  ["tables", ["table"]],
  ["enums and domains", ["type"]],
  ["views", ["view"]],
  ["materialized views", ["materializedView"]],
  ["functions and procedures", ["function"]],
  ["triggers", ["trigger"]],
  ["policies", ["policy"]],
];

function countTable(objects: readonly DatabaseObject[], tables: readonly TableConfig[]): string {
  const count = (kinds: readonly ObjectKind[]) =>
    objects.filter(({ kind }) => kinds.includes(kind)).length;
  const keys = tables.flatMap(({ columns, primaryKeys, uniqueConstraints }) => [
    ...primaryKeys,
    ...uniqueConstraints,
    ...columns.filter(({ primary, isUnique }) => primary || isUnique),
  ]).length;
  const rows = [
    ...COUNTED.map(([words, kinds]) => [words, count(kinds)] as const),
    ["indexes, those of keys among them", count(["index"]) + keys] as const,
    ["foreign keys", tables.flatMap(({ foreignKeys }) => foreignKeys).length] as const,
    ["checks", tables.flatMap(({ checks }) => checks).length] as const,
  ];
  return [
    "| what | how many |",
    "| --- | ---: |",
    ...rows.map(([words, n]) => `| ${words} | ${n} |`),
  ].join("\n");
}

/** Mermaid takes letters, digits and underscores only. */
function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]+/g, "_").replaceAll(/^_+|_+$/g, "");
}

function diagram(tables: readonly TableConfig[]): string {
  const boxes = tables.map((table) => {
    const lines = table.columns.map(
      (column) => `    ${plain(typeSql(column))} ${plain(column.name)}${marksOf(column, table)}`,
    );
    return [`  ${plain(table.name)} {`, ...lines, "  }"].join("\n");
  });
  const lines = new Map<string, string[]>();
  for (const table of tables)
    for (const key of table.foreignKeys) {
      const { columns, foreignTable } = key.reference();
      const end = columns.every(({ notNull }) => notNull) ? "||" : "|o";
      const line = `${plain(getTableConfig(foreignTable).name)} ${end}--o{ ${plain(table.name)}`;
      // The tenant is in every key: what is beside it tells the keys apart.
      const label = plain(columns.at(-1)?.name ?? "");
      lines.set(line, [...(lines.get(line) ?? []), label]);
    }
  const relations = [...lines].map(([line, labels]) => `  ${line} : "${labels.join(", ")}"`);
  return ["```mermaid", "erDiagram", ...relations, ...boxes, "```"].join("\n");
}

function marksOf(column: PgColumn, { primaryKeys, foreignKeys }: TableConfig): string {
  const has = (columns: readonly PgColumn[]) => columns.some(({ name }) => name === column.name);
  const isPrimary = column.primary || primaryKeys.some((key) => has(key.columns));
  const isForeign = foreignKeys.some((key) => has(key.reference().columns));
  const marks = [...(isPrimary ? ["PK"] : []), ...(isForeign ? ["FK"] : [])].join(", ");
  return marks === "" ? "" : ` ${marks}`;
}

function tablePart(
  table: TableConfig,
  objects: readonly DatabaseObject[],
  comments: ReadonlyMap<string, string>,
): string {
  const id = `table "${table.schema ?? "public"}"."${table.name}"`;
  const parts = objects.filter(({ within }) => within === id);
  const names = (kind: ObjectKind) =>
    parts
      .filter((part) => part.kind === kind)
      .map((part) => `\`${/ "((?:[^"]|"")+)" of /.exec(` ${part.id}`)?.[1] ?? part.id}\``)
      .join(", ");
  const columns = table.columns.map(
    (column) =>
      `| \`${column.name}\` | ${cell(typeSql(column).replaceAll('"', ""))}${column.notNull ? "" : ", or NULL"} | ${cell(comments.get(`column "${column.name}" of ${id}`) ?? "")} |`,
  );
  const lists = [
    ["Indexes", names("index")],
    ["Triggers", names("trigger")],
    ["Policies", names("policy")],
  ].filter(([, list]) => list !== "");
  return [
    `### ${table.name}`,
    ...(comments.has(id) ? [comments.get(id) ?? ""] : []),
    ["| column | type | |", "| --- | --- | --- |", ...columns].join("\n"),
    ...lists.map(([title, list]) => `${title}: ${list}.`),
  ].join("\n\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** The comments of a definition by the id of what they are about. */
function commentsOf(objects: readonly DatabaseObject[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { kind, id, create } of objects) {
    if (kind !== "comment") continue;
    const text = / IS \s*E?'((?:[^']|'')*)'$/s.exec(create)?.[1] ?? "";
    found.set(id.slice("comment on ".length), text.replaceAll("''", "'").replaceAll("\\\\", "\\"));
  }
  return found;
}

function listOf(
  objects: readonly DatabaseObject[],
  kinds: readonly ObjectKind[],
  comments: ReadonlyMap<string, string>,
): string {
  return objects
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ id, kind }) => {
      const name = /"\."(.+)"$/.exec(id)?.[1] ?? id;
      const text = comments.get(id);
      const refreshed = kind === "materializedView" ? " (materialized)" : "";
      return `- \`${name}\`${refreshed}${text === undefined ? "" : `: ${text}`}`;
    })
    .join("\n");
}

function functionList(objects: readonly DatabaseObject[]): string {
  return objects
    .filter(({ kind }) => kind === "function")
    .map(({ id, create }) => {
      const [, name = "", signature = ""] = /"\."(.+)"(\(.*\))$/s.exec(id) ?? [];
      const text = /COMMENT ON (?:FUNCTION|PROCEDURE) .+? IS \s*E?'((?:[^']|'')*)'/s.exec(
        create,
      )?.[1];
      return `- \`${name}${signature}\`${text === undefined ? "" : `: ${text.replaceAll("''", "'")}`}`;
    })
    .join("\n");
}
