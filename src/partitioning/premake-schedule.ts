import { namedPath, partPath } from "../catalog/path.ts";
import type { RangeDimension, Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { cronOf, whereCron, type CronEvery } from "../objects/cron.ts";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { pgFunction } from "../objects/pg-function.ts";
import { doBlock } from "../sql/dollar-quoted.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { LEAVES_PER_COMMIT } from "./provision-body.ts";
import { namesOf } from "./provision-names.ts";
import { scaleOf, wordsOf } from "./range-scale.ts";
import { firstRange, typeOf } from "./scheme-columns.ts";

/** When the next partitions of a scheme are made by the server itself. */
export interface PremakeScheduleOptions {
  /** @default "1 hour" */
  readonly every?: CronEvery;
}

/**
 * Makes the partitions that are about to be needed from within the server, where the extension `pg_cron` is: for `objects` of a definition.
 *
 * It brings `premake_<table>(p_now)`, which makes those of at most 20 intervals for values that have partitions, and a job that calls it until it
 * makes none, with a COMMIT each time. Where `pg_cron` is not, the host's scheduler calls the same function, or `maintain`, which alone
 * drains, archives and detaches.
 *
 * @example
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 * import { list, partitionBy, premakeSchedule, range } from "underpin/partitioning";
 *
 * const readings = pgTable(
 *   "readings",
 *   { siteId: text("site_id").notNull(), at: timestamp({ withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at] })],
 * );
 * const scheme = partitionBy(
 *   readings,
 *   list(readings.siteId),
 *   range(readings.at, { every: "1 month" }),
 * );
 * const objects = premakeSchedule(scheme, { every: "15 minutes" });
 * objects.length; // 2
 */
export function premakeSchedule(
  scheme: Scheme,
  { every = "1 hour" }: PremakeScheduleOptions = {},
): readonly DatabaseObject[] {
  const { schema, table, provision } = namesOf(scheme);
  const range = firstRange(scheme);
  if (range === undefined || typeof range.every === "number")
    throw new UnderpinError({
      code: "invalidInput",
      message: `no clock says which partitions of ${qualified(schema, table)} are needed next: it is cut along no time`,
      hint: "Call maintain, which makes those after the newest that holds rows.",
    });
  const path = namedPath("table", schema, table);
  const name = shorten(`premake_${table}`);
  const premake = pgFunction({
    schema,
    name,
    arguments: [{ name: "p_now", type: "timestamptz", default: "now()" }],
    returns: "integer",
    language: "plpgsql",
    volatility: "volatile",
    settings: { datestyle: "ISO, YMD", timezone: "UTC" },
    comment: `Makes the partitions of ${table} that are about to be needed, those of at most ${LEAVES_PER_COMMIT} intervals, and returns how many it made.`,
    body: bodyOf(scheme, range),
    dependsOn: [path],
  });
  const job = literal(`premake ${schema}.${table}`);
  const work = doBlock(
    `BEGIN FOR v_round IN 1 .. 1000 LOOP EXIT WHEN ${qualified(schema, name)}() = 0; COMMIT; END LOOP; END`,
  );
  const schedule = databaseObject({
    kind: "schedule",
    id: partPath("premake schedule", provision, path),
    create: whereCron(`PERFORM cron.schedule(${job}, ${literal(cronOf(every))}, ${literal(work)})`),
    drop: whereCron(
      `PERFORM cron.unschedule(jobid) FROM cron.job WHERE jobname = ${job} AND database = pg_catalog.current_database()`,
    ),
    dependsOn: [premake.id],
    within: path,
  });
  return [premake, schedule];
}

/**
 * For each set of values that has partitions, unless as many are ahead as are to be, a call of the provision function. Values whose
 * partitions ended over a year ago are left: nobody writes them, or the clock is wrong.
 *
 * What cannot be made for one is a warning, and keeps no other from its own.
 */
function bodyOf(scheme: Scheme, range: RangeDimension): string {
  const { schema, table, provision } = namesOf(scheme);
  const scale = scaleOf(scheme, range);
  const { unit, length } = wordsOf(range.every);
  const step = `${literal(length)}::interval`;
  const begins = scale.floor("p_now", literal(unit), step);
  const lists = scheme.dimensions.flatMap((dimension, index) =>
    dimension.strategy === "list"
      ? [`WHEN ${index + 1} THEN ${literal(typeOf(scheme, dimension))}`]
      : [],
  );
  const edge = (pattern: string) => `pg_catalog.substring(b.bound, ${literal(pattern).trim()})`;
  const level = scheme.dimensions.indexOf(range) + 1;
  const enough = leavesAhead(scheme, range);
  return `
DECLARE
  v record;
  v_made integer := 0;
  v_of integer;
BEGIN
  FOR v IN
    WITH RECURSIVE tree (oid, level, taken, lower, upper) AS (
      SELECT ${literal(qualified(schema, table))}::regclass::oid, 0, '{}'::text[], NULL::timestamptz, NULL::timestamptz
      UNION ALL
      SELECT i.inhrelid, t.level + 1,
        CASE WHEN b.accepted IS NULL THEN t.taken ELSE t.taken || pg_catalog.format('(pg_catalog.array_remove(ARRAY[%s]::%s[], NULL))[1]',
          b.accepted, CASE t.level + 1 ${lists.length === 0 ? "WHEN 0 THEN ''" : lists.join(" ")} END) END,
        CASE WHEN b.is_cut THEN ${scale.read(edge("FROM \\((.*)\\) TO \\("))} ELSE t.lower END,
        CASE WHEN b.is_cut THEN ${scale.read(edge("TO \\((.*)\\)$"))} ELSE t.upper END
      FROM tree AS t
      JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid AND NOT i.inhdetachpending
      JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
      CROSS JOIN LATERAL (SELECT p.bound, pg_catalog.substring(p.bound, '^FOR VALUES IN \\((.*)\\)$') AS accepted,
          t.level + 1 = ${level} AND EXISTS (
            SELECT FROM pg_catalog.pg_partitioned_table AS k
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.partrelid AND a.attnum = k.partattrs[0]
            WHERE k.partrelid = t.oid AND k.partnatts = 1 AND k.partstrat = 'r' AND a.attname = ${literal(range.column)}) AS is_cut
        FROM (SELECT pg_catalog.pg_get_expr(c.relpartbound, 0) COLLATE pg_catalog."default" AS bound) AS p) AS b
      WHERE b.bound <> 'DEFAULT' AND b.bound <> 'FOR VALUES IN (NULL)'
    )
    SELECT pg_catalog.array_to_string(t.taken, ', ') AS taken, pg_catalog.max(t.upper) AS newest
    FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid AND c.relkind = 'r'
    WHERE pg_catalog.cardinality(t.taken) = ${lists.length}
    GROUP BY t.taken
    HAVING pg_catalog.max(t.upper) > p_now - interval '1 year' ${
      enough === null
        ? ""
        : `
      AND pg_catalog.count(*) FILTER (WHERE t.upper > ${begins} AND t.lower <= ${scale.after(`(${begins})`, String(range.premake), step)}) < ${enough}`
    }
    ORDER BY newest
  LOOP
    EXIT WHEN v_made > 0 AND v_made + ${enough ?? LEAVES_PER_COMMIT} > ${LEAVES_PER_COMMIT};
    BEGIN
      IF v.newest < ${begins} THEN
        EXECUTE pg_catalog.format('SELECT %s(%s)', ${literal(qualified(schema, provision))}, pg_catalog.concat_ws(', ', nullif(v.taken, ''), '$1', '$2'))
          INTO v_of USING v.newest, p_now;
        v_made := v_made + v_of;
        CONTINUE WHEN v_of > 0;
      END IF;
      EXECUTE pg_catalog.format('SELECT %s(%s)', ${literal(qualified(schema, provision))}, pg_catalog.concat_ws(', ', nullif(v.taken, ''), '$1'))
        INTO v_of USING p_now;
      v_made := v_made + v_of;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'the next partitions of % for % were not made: %', ${literal(table)}, v.taken, SQLERRM;
    END;
  END LOOP;
  RETURN v_made;
END`;
}

/** How many leaves of one set of values are there from the present interval on; null where values are cut differently. */
function leavesAhead({ dimensions, overrides = [] }: Scheme, range: RangeDimension): number | null {
  if (overrides.length > 0) return null;
  if (dimensions.some((other) => other.strategy === "range" && other !== range)) return null;
  return dimensions.reduce(
    (count, each) => (each.strategy === "hash" ? count * each.modulus : count),
    range.premake + 1,
  );
}
