import type { BackfillStep, RowTransform } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { keySql, type Key } from "./key-sql.ts";

/** Where the next page of keys begins and where it has to end, and how many rows it has at most. */
export interface Page {
  readonly reached: Key | null;
  readonly upper: Key | null;
  readonly size: number;
}

const relationOf = ({ table }: BackfillStep) => qualified(table.schema, table.name);

/** What a batch's own names begin with: `set` and `where` are of the host, and may use any name but these. */
const OWN = "underpin ";

/**
 * How many rows the next page has, and its last key. Nothing is locked: what a writer does to a row before the page is changed decides.
 *
 * A keyset page, never an OFFSET: rows that are done leave it, and an OFFSET over a shrinking set skips rows.
 */
export function pageSql(step: BackfillStep, { reached, upper, size }: Page): string {
  const { own, after, upTo, asJson } = keySql(step);
  const page = ident(`${OWN}page`);
  const order = (direction: string) =>
    step.key.map(({ name }) => `k.${ident(name)} ${direction}`).join(", ");
  return `WITH ${page} AS MATERIALIZED (
  SELECT ${own} FROM ${relationOf(step)} AS target
  WHERE (${step.where}\n) AND ${after(reached)} AND ${upTo(upper)}
  ORDER BY ${own} LIMIT ${Math.round(size)}
)
SELECT (SELECT pg_catalog.count(*) FROM ${page})::text AS seen,
  (SELECT ${asJson("k")} FROM (SELECT * FROM ${page} AS k ORDER BY ${order("DESC")} LIMIT 1) AS k)::text AS last`;
}

/**
 * Changes the rows of a page, as a data-modifying statement that returns whether each is as `rowCheck` wants it.
 *
 * An UPDATE that comes to a row which a writer is changing waits, reads the row again, and changes it only if it still
 * meets `where`: the writer's value stays. A row whose new key leads out of the page and that meets `where` still would come again.
 */
export function changeSql(
  step: BackfillStep,
  { reached, last }: { reached: Key | null; last: Key },
) {
  const { own, after, upTo } = keySql(step);
  const target = `${relationOf(step)} AS target`;
  const inPage = `${after(reached)} AND ${upTo(last)}`;
  const rows = `(${step.where}\n) AND ${inPage}`;
  const changed = ident(`${OWN}changed`);
  if ("set" in step)
    return `WITH ${changed} AS (UPDATE ${target} SET ${step.set}
  WHERE ${rows} RETURNING ${okSql(step)},
    CASE WHEN ${inPage} THEN false ELSE (${step.where}\n) IS TRUE END AS again)`;
  if ("sql" in step)
    // Locked and read in one: a copy of what the snapshot shows would lose the update that was waited for, unless a log has it.
    return `WITH batch AS MATERIALIZED (
  SELECT target.* FROM ${target} WHERE ${rows}${step.lockRows === false ? "" : ` ORDER BY ${own} FOR NO KEY UPDATE`}
), ${changed} AS (${step.sql}
  RETURNING true AS ok, false AS again)`;
  throw new Error("a transform has no statement of its own");
}

// What the host wrote may end in a comment: a new line ends that.
function okSql({ rowCheck = "true" }: BackfillStep): string {
  return `(${rowCheck}\n) IS TRUE AS ok`;
}

/** A step whose rows a handler of the host computes. */
export type TransformStep = BackfillStep & { readonly transform: RowTransform };

/** Whether a handler of the host computes the rows. */
export function isTransform(step: BackfillStep): step is TransformStep {
  return "transform" in step;
}

/** The rows of a page as a transform is given them, each with its version; `lock` keeps writers from them. */
export function readRowsSql(step: TransformStep, page: Page, lock: boolean): string {
  const { own, after, upTo } = keySql(step);
  const columns = new Set([...step.key.map(({ name }) => name), ...step.transform.reads]);
  const read = [...columns].map((name) => `target.${ident(name)}`).join(", ");
  return `SELECT ${read}, target.xmin::text AS ${ident(VERSION)} FROM ${relationOf(step)} AS target
WHERE (${step.where}\n) AND ${after(page.reached)} AND ${upTo(page.upper)}
ORDER BY ${own} LIMIT ${Math.round(page.size)}${lock ? " FOR NO KEY UPDATE" : ""}`;
}

/** The column that holds a row's version. */
export const VERSION = `${OWN}version`;

/** The columns in which a transform's rows are handed to {@link writeRowsSql}: names that `where` cannot mean. */
export function givenColumns({ key, transform }: TransformStep): readonly {
  readonly column: string;
  readonly as: string;
  readonly type: string;
}[] {
  return [...key, ...transform.writes].map(({ name, type }, at) => ({
    column: name,
    as: `${OWN}${at < key.length ? "key" : "value"} ${at + 1}`,
    type,
  }));
}

/** Writes what a transform returned to rows that are locked. `$1` is the rows as JSON, by {@link givenColumns}. */
export function writeRowsSql(step: TransformStep): string {
  const columns = givenColumns(step);
  const keys = columns.slice(0, step.key.length);
  const values = columns.slice(step.key.length);
  const given = ident(`${OWN}given`);
  const cast = ({ as, type }: { as: string; type: string }) => `CAST(g.${ident(as)} AS ${type})`;
  return `WITH ${given} AS MATERIALIZED (
  SELECT * FROM pg_catalog.json_to_recordset($1::text::json) AS g (${columns.map(({ as }) => `${ident(as)} text`).join(", ")})
), ${ident(`${OWN}changed`)} AS (
  UPDATE ${relationOf(step)} AS target
  SET ${values.map((value) => `${ident(value.column)} = ${cast(value)}`).join(", ")}
  FROM ${given} AS g
  WHERE ${keys.map((key) => `target.${ident(key.column)} = ${cast(key)}`).join(" AND ")} AND (${step.where}\n)
  RETURNING ${okSql(step)}, false AS again
)`;
}

/** What follows a change: how many rows it changed, kept with how far the range has come, in the same statement. */
export function keepSql(
  { ranges, ours }: { readonly ranges: string; readonly ours: (alias: string) => string },
  ordinal: number,
  kept: { readonly reached: Key | null; readonly done: boolean; readonly leaseUntil: string },
): string {
  const changed = ident(`${OWN}changed`);
  const reached =
    kept.reached === null ? "r.reached" : `${literal(JSON.stringify(kept.reached))}::jsonb`;
  const tookMs =
    "(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.now()))::float8";
  return `, ${ident(`${OWN}told`)} AS (
  SELECT pg_catalog.count(*) AS changed, pg_catalog.count(*) FILTER (WHERE NOT ok) AS refused,
    pg_catalog.count(*) FILTER (WHERE again) AS again FROM ${changed}
), ${ident(`${OWN}kept`)} AS (
  UPDATE ${ranges} AS r SET reached = ${reached}, done = ${kept.done},
    rows_changed = r.rows_changed + told.changed, batches = r.batches + 1, lease_until = ${kept.leaseUntil},
    busy_ms = r.busy_ms + ${tookMs}, slowest_ms = greatest(r.slowest_ms, ${tookMs}),
    changed_at = pg_catalog.clock_timestamp(), ended_at = ${kept.done ? "pg_catalog.clock_timestamp()" : "NULL"}
  FROM ${ident(`${OWN}told`)} AS told WHERE ${ours("r")} AND r.ordinal = ${Math.round(ordinal)} RETURNING 1
)
SELECT changed::text, refused::text, again::text FROM ${ident(`${OWN}told`)}`;
}
