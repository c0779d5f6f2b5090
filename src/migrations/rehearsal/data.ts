import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";

/** What a table holds: its rows counted, and a sum over each column that does not depend on their order. */
export interface TableData {
  readonly rows: number;
  readonly columns: Readonly<Record<string, string>>;
}

/** What all tables of the application hold, by their names as SQL. */
export type Data = ReadonlyMap<string, TableData>;

/** Reads every table once, as who sees every row. */
export async function readData(db: Queryable, schemas: readonly string[]): Promise<Data> {
  const columns = await db.query<{ schema: string; table: string; column: string | null }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname IN (SELECT pg_catalog.json_array_elements_text($1::text::json))
     ORDER BY n.nspname, c.relname, a.attnum`,
    [JSON.stringify(schemas)],
  );
  const tables = new Map<string, string[]>();
  for (const { schema, table, column } of columns) {
    const sql = `${ident(schema)}.${ident(table)}`;
    tables.set(sql, [...(tables.get(sql) ?? []), ...(column === null ? [] : [column])]);
  }
  if (tables.size === 0) return new Map();
  const parts = [...tables].map(([sql, names], at) => {
    const sums = names.map(
      (name) =>
        `pg_catalog.sum(pg_catalog.hashtextextended(coalesce(${ident(name)}::text, ''), CASE WHEN ${ident(name)} IS NULL THEN 1 ELSE 0 END))::text`,
    );
    return `SELECT ${at} AS at, pg_catalog.count(*)::text AS rows, pg_catalog.array_to_json(ARRAY[${sums.join(", ")}]::text[])::text AS sums FROM ${sql}`;
  });
  const found = await db.query<{ at: number; rows: string; sums: string }>(
    parts.join("\nUNION ALL\n"),
  );
  const list = [...tables];
  return new Map(
    found.map(({ at, rows, sums }) => {
      const [sql = "", names = []] = list[at] ?? [];
      const values = JSON.parse(sums) as readonly (string | null)[];
      return [
        sql,
        {
          rows: Number(rows),
          columns: Object.fromEntries(names.map((name, index) => [name, values[index] ?? "0"])),
        },
      ];
    }),
  );
}

/** What is lost of one table. */
interface Loss {
  readonly table: string;
  readonly what: string;
}

/** What a way up and down has lost, in words by table. */
export function lostData(before: Data, after: Data): readonly Loss[] {
  return [...before].flatMap(([table, was]): Loss[] => {
    const is = after.get(table);
    if (is === undefined) return [];
    if (is.rows !== was.rows)
      return [{ table, what: `it had ${was.rows} rows and has ${is.rows}` }];
    const other = Object.keys(was.columns).filter(
      (name) => is.columns[name] !== undefined && is.columns[name] !== was.columns[name],
    );
    return other.length === 0
      ? []
      : [{ table, what: `other values in ${other.map(ident).join(", ")}` }];
  });
}
