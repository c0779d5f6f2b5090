import type { Sql } from "postgres";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { keyNameOf, PLACES, type Kind, type Version } from "./application-tables.ts";

/** A row as the worker that owns it left it. */
export interface ModelRow {
  readonly kind: Kind;
  readonly marker: string;
  value: string;
  /** The marker of the row that it refers to. */
  parent: string | null;
  /** How many rows of the same worker refer to it. */
  children: number;
  /** Others may refer to it, so that it stays. */
  anchor: boolean;
}

/** A row with what goes round: a line of business and its owner, or a cycle and its present report. */
export interface ModelCircle {
  readonly of: "lob" | "cycle";
  readonly marker: string;
  /** The marker of the owner, or the name of the report. */
  readonly points: string;
}

/** What the application has written, by markers. */
export interface KeyModel {
  readonly rows: Map<string, ModelRow>;
  readonly circles: Map<string, ModelCircle>;
}

/** An empty model. */
export function newModel(): KeyModel {
  return { rows: new Map(), circles: new Map() };
}

/** What every marker of the application ends with; what is there before it has another end. */
export const MARK = "@app.example";
const WRITTEN: readonly Kind[] = ["users", "samples", "executions", "observations"];

/**
 * Where the rows are not as the model says, told of by the keys of the given versions: lost, doubled, never written, changed by
 * nobody, or with another parent. At most ten lines.
 */
export async function faultsOf(
  sql: Sql,
  schema: string,
  model: KeyModel,
  versions: readonly Version[],
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const version of versions) {
    for (const kind of WRITTEN)
      faults.push(...(await faultsOfKind(sql, schema, model, version, kind)));
    faults.push(...(await faultsOfCircles(sql, schema, model, version)));
  }
  if (versions.includes("new")) faults.push(...(await keysThatDiffer(sql, schema)));
  return faults.slice(0, 10);
}

interface Found {
  readonly marker: string;
  readonly value: string;
  readonly parent: string | null;
}

async function faultsOfKind(
  sql: Sql,
  schema: string,
  { rows }: KeyModel,
  version: Version,
  kind: Kind,
): Promise<readonly string[]> {
  const own = PLACES[kind];
  const above = PLACES[own.parentKind];
  const key = (of: string, column: string) => `${of}.${ident(keyNameOf(version, column))}`;
  const found = await sql.unsafe<Found[]>(
    `SELECT t.${ident(own.marker)} AS marker, t.${ident(own.value)} AS value,
       CASE WHEN ${key("t", own.parent)} IS NOT NULL THEN coalesce(p.${ident(above.marker)}, 'no such row') END AS parent
     FROM ${qualified(schema, own.table)} AS t
     LEFT JOIN ${qualified(schema, above.table)} AS p
       ON ${key("p", "lob_id")} = ${key("t", "lob_id")} AND ${key("p", above.id)} = ${key("t", own.parent)}
     WHERE t.${ident(own.marker)} LIKE ${literal(`%${MARK}`)}`,
  );
  const faults: string[] = [];
  const seen = new Set<string>();
  const told = (marker: string, what: string) =>
    faults.push(`${kind} ${marker} by the keys of the ${version} version: ${what}`);
  for (const { marker, value, parent } of found) {
    const row = rows.get(marker);
    if (seen.has(marker)) told(marker, "is there twice");
    seen.add(marker);
    if (row === undefined) told(marker, "is there, and was deleted or never written");
    else if (row.value !== value) told(marker, `has ${value} where ${row.value} was written`);
    else if (row.parent !== parent) told(marker, `refers to ${parent} and not to ${row.parent}`);
  }
  for (const row of rows.values())
    if (row.kind === kind && !seen.has(row.marker)) told(row.marker, "is lost");
  return faults;
}

async function faultsOfCircles(
  sql: Sql,
  schema: string,
  { circles }: KeyModel,
  version: Version,
): Promise<readonly string[]> {
  const key = (of: string, column: string) => `${of}.${ident(keyNameOf(version, column))}`;
  const joined = (a: string, b: string, columns: readonly string[], others = columns) =>
    columns
      .map((column, at) => `${key(a, column)} = ${key(b, others[at] ?? column)}`)
      .join(" AND ");
  const found = await sql.unsafe<{ marker: string; points: string }[]>(
    `SELECT l.name AS marker, u.email AS points FROM ${qualified(schema, "lobs")} AS l
       LEFT JOIN ${qualified(schema, "users")} AS u ON ${joined("u", "l", ["lob_id", "user_id"], ["lob_id", "owner_user_id"])}
       WHERE l.name LIKE ${literal(`%${MARK}`)}
     UNION ALL
     SELECT c.name, r.name FROM ${qualified(schema, "test_cycles")} AS c
       LEFT JOIN ${qualified(schema, "cycle_reports")} AS cr
         ON ${joined("cr", "c", ["lob_id", "cycle_id", "report_id"], ["lob_id", "cycle_id", "current_report_id"])}
       LEFT JOIN ${qualified(schema, "reports")} AS r ON ${joined("r", "cr", ["lob_id", "report_id"])}
       WHERE c.name LIKE ${literal(`%${MARK}`)}`,
  );
  const faults = found.flatMap(({ marker, points }) => {
    const circle = circles.get(marker);
    if (circle?.points === points) return [];
    return [
      `${marker} by the keys of the ${version} version: points to ${points}, not to ${circle?.points}`,
    ];
  });
  const lost = [...circles.keys()].filter(
    (marker) => !found.some((each) => each.marker === marker),
  );
  const twice = found.length - new Set(found.map(({ marker }) => marker)).size;
  return [
    ...faults,
    ...lost.map((marker) => `${marker} by the keys of the ${version} version: is lost`),
    ...(twice > 0 ? [`${twice} circles are there twice`] : []),
  ];
}

/** Rows of any table that have a key in one form and not in the other, or two rows one key. */
async function keysThatDiffer(sql: Sql, schema: string): Promise<readonly string[]> {
  const pairs = await sql<{ table: string; integer: string; uuid: string }[]>`
    select c.relname as table, i.attname as integer, u.attname as uuid
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as i on i.attrelid = c.oid and i.atttypid = 'int4'::regtype and not i.attisdropped
    join pg_catalog.pg_attribute as u on u.attrelid = c.oid and u.atttypid = 'uuid'::regtype and not u.attisdropped
      and u.attname = case i.attname when 'id' then 'uuid' else regexp_replace(i.attname, '_id$', '') || '_uuid' end
    where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${schema}) and c.relkind in ('r', 'p')
    order by 1, 2`;
  if (pairs.length === 0) return ["no table has a key in both forms"];
  const faults: string[] = [];
  for (const { table, integer, uuid } of pairs) {
    const [row] = await sql.unsafe<{ halves: number; mixed: number }[]>(
      `SELECT count(*) FILTER (WHERE (${ident(integer)} IS NULL) <> (${ident(uuid)} IS NULL))::int AS halves,
         abs(count(DISTINCT ${ident(integer)}) - count(DISTINCT ${ident(uuid)}))::int AS mixed
       FROM ${qualified(schema, table)}`,
    );
    if (row?.halves !== 0)
      faults.push(`${table}.${integer}: ${row?.halves} rows have one key of two`);
    if (row?.mixed !== 0) faults.push(`${table}.${integer}: not as many uuids as integers`);
  }
  return faults;
}
