import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { typeSql } from "../definition/emit/column.ts";
import { partitionSql } from "../definition/emit/table.ts";
import type { Dimension, Interval, Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/** The most intervals that one call makes partitions for: each partition takes a dozen locks until its transaction ends. */
export const LEAVES_PER_COMMIT = 20;

/** How `date_trunc` and `to_char` call an interval. */
const CALENDAR: Readonly<Record<Interval, { readonly unit: string; readonly name: string }>> = {
  "1 day": { unit: "day", name: "YYYY_MM_DD" },
  "1 week": { unit: "week", name: 'IYYY_"w"IW' },
  "1 month": { unit: "month", name: "YYYY_MM" },
  "3 months": { unit: "quarter", name: 'YYYY_"q"Q' },
  "1 year": { unit: "year", name: "YYYY" },
};

/** The argument that holds the value of a list dimension. */
export function argumentOf(column: string): string {
  return `p_${column}`;
}

/** The type of a dimension's column, as SQL. */
export function typeOf(scheme: Scheme, { column }: Dimension): string {
  const columns: readonly PgColumn[] = Object.values(getTableColumns(scheme.table));
  const found = columns.find(({ name }) => name === column);
  if (found !== undefined) return typeSql(found);
  const { schema, table } = namesOf(scheme);
  throw new UnderpinError({
    code: "invalidInput",
    message: `${qualified(schema, table)} is partitioned by "${column}", which is none of its columns`,
    hint: "Name a column of the table in partitionBy.",
  });
}

/** Whether time is a dimension. */
export function hasRange({ dimensions }: Scheme): boolean {
  return dimensions.some(({ strategy }) => strategy === "range");
}

/**
 * The body of a scheme's provision function: for each dimension one block in another. What is there is found by the bounds in the
 * catalog. The first level at which something is missing is built detached, with all below it, and attached once.
 *
 * Who finds something missing takes the table's lock, and looks again.
 */
export function provisionBody(scheme: Scheme): string {
  const { schema, table } = namesOf(scheme);
  const { dimensions } = scheme;
  return `
DECLARE
  v_made integer := 0;
  v_locked boolean := false;
  v_limited boolean := false;
  v_detached boolean := false;
  v_part_0 regclass := ${literal(qualified(schema, table))};
  v_stem_0 text := ${literal(scheme.prefix)};
  v_key_0 text := ${literal(scheme.prefix)};
${dimensions.map(variables).join("")}BEGIN
${dimensions.map(refusals).join("")}  <<attempt>>
  LOOP
${levelSql(scheme, 0)}    EXIT attempt;
  END LOOP;
  IF v_limited THEN
    PERFORM pg_catalog.set_config('lock_timeout', '0', true);
  END IF;
  RETURN v_made;
END`;
}

function variables({ strategy }: Dimension, level: number): string {
  const n = level + 1;
  const time = `  v_at_${n} timestamptz;
  v_next_${n} timestamptz;
  v_last_${n} timestamptz;
  v_from_${n} timestamptz;
  v_to_${n} timestamptz;
`;
  return `  v_part_${n} regclass;
  v_stem_${n} text;
  v_tail_${n} text;
  v_key_${n} text;
  v_bound_${n} text;
  v_attach_${n} boolean := false;
${strategy === "range" ? time : ""}`;
}

function refusals({ strategy, column }: Dimension): string {
  const refuse = (condition: string, message: string) => `  IF ${condition} THEN
    RAISE EXCEPTION ${literal(message)} USING ERRCODE = 'null_value_not_allowed';
  END IF;
`;
  if (strategy === "list")
    return refuse(
      `${ident(argumentOf(column))} IS NULL`,
      `${column} has no value: no partition takes NULL`,
    );
  if (strategy === "hash") return "";
  return refuse(
    "p_from IS NULL OR NOT pg_catalog.isfinite(p_from) OR NOT pg_catalog.isfinite(coalesce(p_until, p_from))",
    "the time from which partitions are asked for, and that until which, have to be moments",
  );
}

/** What is done at one level, with all levels below it inside. */
function levelSql(scheme: Scheme, level: number): string {
  const dimension = scheme.dimensions[level];
  if (dimension === undefined) return "";
  const n = level + 1;
  const below = makeSql(scheme, n) + levelSql(scheme, n) + attachSql(n);
  switch (dimension.strategy) {
    case "list":
      return listSql(scheme, dimension, n) + below;
    case "range":
      return rangeSql(scheme, dimension, n, below);
    case "hash":
      return hashSql(dimension, n, below);
  }
}

function listSql(
  scheme: Scheme,
  dimension: Dimension & { readonly strategy: "list" },
  n: number,
): string {
  const value = ident(argumentOf(dimension.column));
  const type = typeOf(scheme, dimension);
  const text = `${value}::text`;
  return `    v_part_${n} := NULL;
    IF NOT v_detached THEN
      EXECUTE (
        SELECT coalesce('SELECT b.part FROM (VALUES ' || pg_catalog.string_agg(
          pg_catalog.format('(%s::oid::regclass, ARRAY[%s]::%s[])', c.oid,
            pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal("^FOR VALUES IN \\((.*)\\)$").trim()}), ${literal(type)}),
          ', ') || ') AS b(part, accepted) WHERE $1 = ANY (b.accepted)', 'SELECT NULL::regclass WHERE $1 IS NULL')
        FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = v_part_${n - 1} AND NOT i.inhdetachpending
          AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES IN %'
      ) INTO v_part_${n} USING ${value};
    END IF;
    v_bound_${n} := pg_catalog.format('FOR VALUES IN (%L)', ${value});
    v_stem_${n} := v_stem_${n - 1} || ${literal(`_${dimension.label}_`)} || pg_catalog.lower(pg_catalog.regexp_replace(${text}, '[^A-Za-z0-9]', '', 'g'));
    v_tail_${n} := '';
    v_key_${n} := v_key_${n - 1} || '/' || ${text};
`;
}

function rangeSql(
  scheme: Scheme,
  dimension: Dimension & { readonly strategy: "range" },
  n: number,
  below: string,
): string {
  const { every, premake } = dimension;
  const { unit, name } = CALENDAR[every];
  const zone = literal(scheme.timeZone);
  const hasZone = typeOf(scheme, dimension).startsWith("timestamp with time zone");
  const after = (moment: string, count: number) =>
    `(${moment} AT TIME ZONE ${zone} + ${count} * ${literal(every)}::interval) AT TIME ZONE ${zone}`;
  // A bound is printed in the time zone of this function, which is UTC.
  const read = (bound: string) =>
    `(CASE ${bound} WHEN 'MINVALUE' THEN '-infinity' WHEN 'MAXVALUE' THEN 'infinity' ELSE pg_catalog.btrim(${bound}, '''') END)::${hasZone ? "timestamptz" : `timestamp AT TIME ZONE ${zone}`}`;
  const write = (moment: string) =>
    hasZone
      ? `pg_catalog.to_char(${moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"')`
      : `pg_catalog.to_char(${moment} AT TIME ZONE ${zone}, 'YYYY-MM-DD HH24:MI:SS')`;
  const part = (pattern: string) =>
    `pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal(pattern).trim()})`;
  return `    v_at_${n} := pg_catalog.date_trunc(${literal(unit)}, p_from, ${zone});
    v_last_${n} := coalesce(p_until, ${after(`v_at_${n}`, premake)});
    WHILE v_at_${n} <= v_last_${n} AND v_made < ${LEAVES_PER_COMMIT} LOOP
      v_next_${n} := ${after(`v_at_${n}`, 1)};
      v_part_${n} := NULL;
      v_from_${n} := v_at_${n};
      v_to_${n} := v_next_${n};
      IF NOT v_detached THEN
        -- What is there may be cut otherwise: only the gap is filled.
        SELECT greatest(v_at_${n}, pg_catalog.max(b.upper) FILTER (WHERE b.lower <= v_at_${n})),
          least(v_next_${n}, pg_catalog.min(b.lower) FILTER (WHERE b.lower > v_at_${n})),
          (pg_catalog.array_agg(b.part ORDER BY b.lower))[1]
        INTO v_from_${n}, v_to_${n}, v_part_${n}
        FROM (
          SELECT c.oid::regclass AS part, ${read("t.lower")} AS lower, ${read("t.upper")} AS upper
          FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
          CROSS JOIN LATERAL (SELECT ${part("FROM \\((.*)\\) TO \\(")} AS lower, ${part("TO \\((.*)\\)$")} AS upper) AS t
          WHERE i.inhparent = v_part_${n - 1} AND NOT i.inhdetachpending
        ) AS b
        WHERE b.upper > v_at_${n} AND b.lower < v_next_${n};
        IF v_from_${n} < v_to_${n} THEN
          v_part_${n} := NULL;
        END IF;
      END IF;
      v_bound_${n} := pg_catalog.format('FOR VALUES FROM (%L) TO (%L)', ${write(`v_from_${n}`)}, ${write(`v_to_${n}`)});
      v_stem_${n} := v_stem_${n - 1};
      v_tail_${n} := pg_catalog.to_char(v_at_${n} AT TIME ZONE ${zone}, ${literal(`_${name}`)});
      v_key_${n} := v_key_${n - 1};
${below}      v_at_${n} := v_next_${n};
    END LOOP;
`;
}

function hashSql(
  { modulus }: Dimension & { readonly strategy: "hash" },
  n: number,
  below: string,
): string {
  const digits = String(modulus - 1).length;
  return `    FOR v_remainder_${n} IN 0 .. ${modulus - 1} LOOP
      v_bound_${n} := pg_catalog.format('FOR VALUES WITH (modulus ${modulus}, remainder %s)', v_remainder_${n});
      v_part_${n} := NULL;
      IF NOT v_detached THEN
        SELECT c.oid INTO v_part_${n}
        FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = v_part_${n - 1} AND NOT i.inhdetachpending
          AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) = v_bound_${n};
      END IF;
      v_stem_${n} := v_stem_${n - 1};
      v_tail_${n} := '_h' || pg_catalog.lpad(v_remainder_${n}::text, ${digits}, '0');
      v_key_${n} := v_key_${n - 1};
${below}    END LOOP;
`;
}

function makeSql(scheme: Scheme, n: number): string {
  const { schema, make } = namesOf(scheme);
  const inner = scheme.dimensions[n];
  const split = inner === undefined ? "" : partitionSql(inner);
  const count = inner === undefined ? `\n      v_made := v_made + 1;` : "";
  // A later level's name goes on with the tail of a range or hash above it.
  const carry =
    inner === undefined
      ? ""
      : `    v_stem_${n} := v_stem_${n} || v_tail_${n};\n    v_key_${n} := v_key_${n} || v_tail_${n};\n`;
  return `    IF v_part_${n} IS NULL THEN
      IF NOT v_locked THEN
        IF pg_catalog.current_setting('lock_timeout') = '0' THEN
          PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
          v_limited := true;
        END IF;
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('underpin partitions of ' || v_part_0::text, 0));
        v_locked := true;
        CONTINUE attempt;
      END IF;
      v_attach_${n} := NOT v_detached;
      v_part_${n} := ${qualified(schema, make)}(
        v_part_${n - 1}, v_key_${n}, v_stem_${n}, v_tail_${n}, v_bound_${n}, ${literal(split)}, v_attach_${n});
      v_detached := true;${count}
    END IF;
${carry}`;
}

function attachSql(n: number): string {
  return `    IF v_attach_${n} THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s %s', v_part_${n - 1}, v_part_${n}, v_bound_${n});
      v_attach_${n} := false;
      v_detached := false;
    END IF;
`;
}
