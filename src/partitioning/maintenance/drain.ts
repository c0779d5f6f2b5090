import { readJson } from "../../catalog/read-json.ts";
import type { Finding } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { isUnderpinError } from "../../errors.ts";
import type { Executor, Queryable } from "../../executor/executor.ts";
import { showAllRows } from "../../run/row-security.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { LEAVES_PER_COMMIT } from "../provision-body.ts";
import { namesOf } from "../provision-names.ts";
import { scaleOf, wordsOf } from "../range-scale.ts";
import { pathOf } from "../read-tree.ts";
import { typeOf } from "../scheme-columns.ts";
import { cadenceOf, rangeLevelOf } from "./calendar.ts";
import { parentOf } from "./leave-steps.ts";
import type { ForeignKey } from "./foreign-keys.ts";
import { nameOf, type MaintenanceState, type Member } from "./read-state.ts";

/** A default partition with rows for which partitions should be there, and all that their move needs to know. */
export interface Drain {
  readonly from: Member;
  readonly parent: Member;
  readonly column: string;
  readonly intervals: readonly DrainInterval[];
  readonly columns: readonly string[];
  readonly key: readonly { readonly name: string; readonly type: string }[];
  readonly foreignKeys: readonly (ForeignKey & { readonly definition: string })[];
  /** The condition that its parent puts on rows; null where the parent is the root. */
  readonly parentCondition: string | null;
}

/** An interval of rows that are in the default partition. */
export interface DrainInterval {
  /** The name of the partition that will hold them. */
  readonly name: string;
  /** Its edges as SQL literals; `MINVALUE` and `MAXVALUE` where it is open. */
  readonly lower: string;
  readonly upper: string;
  readonly rows: number;
}

/** What was read of the default partitions. */
export interface Drains {
  readonly drains: readonly Drain[];
  readonly findings: readonly Finding[];
}

/** Reads which default partitions hold rows that have a place elsewhere. Where all default partitions are empty, it asks nothing. */
export async function readDrains(db: Executor, state: MaintenanceState): Promise<Drains> {
  const drains: Drain[] = [];
  const findings: Finding[] = [];
  for (const member of state.partitions) {
    if (member.bound?.strategy !== "default" || member.holds !== true) continue;
    const refuse = (message: string) =>
      findings.push({
        check: "partition-default-rows",
        severity: "warning",
        object: namedPath("table", member.schema, member.name),
        message,
        repair: null,
      });
    const range = rangeLevelOf(state.scheme);
    if (range?.level !== member.level || state.scheme.dimensions.length !== member.level) {
      refuse(
        "it holds rows of values that have no partition: provision their values and move the rows by hand, since here the new partitions are more than one table",
      );
      continue;
    }
    try {
      const drain = await db.transaction((tx) => readDrain(tx, state, member, refuse));
      if (drain !== undefined) drains.push(drain);
    } catch (error) {
      if (!isUnderpinError(error) || error.code !== "rowSecurity") throw error;
      refuse(`its rows cannot be looked at: ${error.message}. ${error.hint}`);
    }
  }
  return { drains, findings };
}

interface Shape {
  readonly columns: Drain["columns"];
  readonly key: Drain["key"];
  readonly foreignKeys: Drain["foreignKeys"];
  readonly parentCondition: string | null;
  readonly incoming: boolean;
}

async function readDrain(
  tx: Queryable,
  state: MaintenanceState,
  from: Member,
  refuse: (message: string) => void,
): Promise<Drain | undefined> {
  const { scheme } = state;
  const parent = parentOf(state, from);
  await tx.query("SELECT pg_catalog.set_config('row_security', 'off', true)");
  await showAllRows(tx, [{ schema: from.schema, name: from.name, access: "read" }], "drain");
  const path = pathOf(state, parent) as readonly Member[];
  const values = path.flatMap(({ bound }) =>
    bound?.strategy === "list" ? bound.values.filter((value) => value !== null).slice(0, 1) : [],
  );
  const counted = await countIntervals(tx, state, from, parent, values);
  if (counted.length === 0) return undefined;
  const shape = await readShape(tx, from, parent, state.root);
  if (shape.key.length === 0) {
    refuse("it has no primary key: without one its rows cannot be moved while they change");
    return undefined;
  }
  if (shape.incoming) {
    refuse(
      "it holds rows of intervals that have no partition, and other tables refer to rows of it: it cannot be detached (23503). Move the rows by hand",
    );
    return undefined;
  }
  const overlapped = counted.filter(({ overlaps }) => overlaps);
  if (overlapped.length > 0)
    refuse(
      `it holds rows of an interval of which another partition holds a part: from ${overlapped[0]?.lower ?? ""}. Move them by hand`,
    );
  const free = counted.filter(({ overlaps }) => !overlaps);
  if (free.length === 0) return undefined;
  const intervals: DrainInterval[] = [];
  for (const { place, lower, upper, rows } of free)
    intervals.push({ name: await nameOfNew(tx, scheme, values, place), lower, upper, rows });
  const range = rangeLevelOf(scheme);
  return { from, parent, column: range?.dimension.column ?? "", intervals, ...shape };
}

interface Counted {
  readonly place: string;
  readonly lower: string;
  readonly upper: string;
  readonly rows: number;
  readonly overlaps: boolean;
}

/** Rows by interval, as the provision function cuts them: between what is retained and what is kept ready. */
async function countIntervals(
  tx: Queryable,
  { scheme, calendars, now }: MaintenanceState,
  from: Member,
  parent: Member,
  values: readonly string[],
): Promise<readonly Counted[]> {
  const range = rangeLevelOf(scheme);
  if (range === undefined) return [];
  const { dimension } = range;
  const cadence = cadenceOf(scheme, values) ?? dimension;
  const scale = scaleOf(scheme, dimension);
  const { unit, length } = wordsOf(cadence.every);
  const typed = `${literal(length)}::${scale.lengthType}`;
  const type = typeOf(scheme, dimension);
  const value = `d.${ident(dimension.column)}`;
  const zone = literal(scheme.timeZone);
  const place =
    type === "uuid"
      ? scale.read(`${value}::text`)
      : scale.type === "numeric"
        ? `${value}::numeric`
        : type.startsWith("timestamp with time zone")
          ? value
          : `${value}::timestamp AT TIME ZONE ${zone}`;
  const floor = (at: string) => scale.floor(at, literal(unit), typed);
  const after = (at: string, count: number) => scale.after(at, String(count), typed);
  const moment = `${literal(now)}::timestamptz`;
  const wanted =
    calendars.length === 0
      ? "true"
      : `a.at <= ${after(`(${floor(moment)})`, cadence.premake)}${
          dimension.retain === null
            ? ""
            : ` AND a.at >= ${floor(`(${moment} - ${literal(dimension.retain)}::interval)`)}`
        }`;
  const edge = (pattern: string) =>
    `pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal(pattern).trim()})`;
  await tx.query(
    "SELECT pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('DateStyle', 'ISO, YMD', true)",
  );
  const rows = await tx.query<{ json: string }>(
    `SELECT coalesce(pg_catalog.json_agg(f), '[]'::json)::text AS json FROM (
      SELECT ${scale.print("a.at")} AS place, ${scale.write("a.at")} AS lower, ${scale.write(`(${after("a.at", 1)})`)} AS upper, a.rows,
        EXISTS (
          SELECT FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
          CROSS JOIN LATERAL (SELECT ${edge("FROM \\((.*)\\) TO \\(")} AS lower, ${edge("TO \\((.*)\\)$")} AS upper) AS t
          WHERE i.inhparent = ${Number(parent.oid)} AND t.lower IS NOT NULL
            AND ${scale.read("t.upper")} > a.at AND ${scale.read("t.lower")} < ${after("a.at", 1)}) AS overlaps
      FROM (
        SELECT ${floor(`(${place})`)} AS at, pg_catalog.count(*) AS rows FROM ONLY ${nameOf(from)} AS d
        WHERE ${scale.isFinite(`(${place})`)} GROUP BY 1
      ) AS a
      WHERE ${wanted} ORDER BY a.at LIMIT ${LEAVES_PER_COMMIT}) AS f`,
  );
  return JSON.parse(rows[0]?.json ?? "[]") as readonly Counted[];
}

/** The name that the provision function would give. */
async function nameOfNew(
  tx: Queryable,
  scheme: Scheme,
  values: readonly string[],
  place: string,
): Promise<string> {
  const { schema, survey } = namesOf(scheme);
  const call = [...values.map(literal), literal(place), literal(place)].join(", ");
  const [row] = await tx.query<{ name: string | null }>(
    `SELECT s.made_as AS name FROM ${qualified(schema, survey)}(${call}) AS s
     WHERE s.leaf AND s.starts = ${literal(place)} AND s.made_as IS NOT NULL AND s.part IS NULL ORDER BY s.level DESC LIMIT 1`,
  );
  return row?.name ?? `${namesOf(scheme).table}_drained`;
}

async function readShape(
  tx: Queryable,
  from: Member,
  parent: Member,
  root: Member,
): Promise<Shape> {
  const oid = Number(from.oid);
  const { shape = [] } = await readJson(
    tx,
    {
      shape: `select
        (select pg_catalog.json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute as a
         where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
        coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) order by k.n)
         from pg_catalog.pg_index as x cross join lateral pg_catalog.unnest(x.indkey::int2[]) with ordinality as k (num, n)
         join pg_catalog.pg_attribute as a on a.attrelid = x.indrelid and a.attnum = k.num
         where x.indrelid = ${oid} and x.indisprimary and k.n <= x.indnkeyatts), '[]'::json) as key,
        coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'schema', rn.nspname, 'table', rc.relname,
            'definition', pg_catalog.pg_get_constraintdef(k.oid)) order by k.conname)
         from pg_catalog.pg_constraint as k join pg_catalog.pg_class as rc on rc.oid = k.confrelid
         join pg_catalog.pg_namespace as rn on rn.oid = rc.relnamespace
         where k.conrelid = ${oid} and k.contype = 'f'
           and not exists (select from pg_catalog.pg_constraint as up where up.oid = k.conparentid and up.conrelid = k.conrelid)), '[]'::json) as "foreignKeys",
        pg_catalog.pg_get_partition_constraintdef(${Number(parent.oid)}) as "parentCondition",
        exists (select from pg_catalog.pg_constraint as k where k.contype = 'f' and k.confrelid = ${Number(root.oid)}) as incoming`,
    },
    { schemas: [from.schema] },
  );
  return shape[0] as Shape;
}
