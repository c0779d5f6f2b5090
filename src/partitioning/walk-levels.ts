import { partitionSql } from "../definition/emit/table.ts";
import type {
  HashDimension,
  ListDimension,
  RangeDimension,
  Scheme,
  SchemeOverride,
} from "../definition/scheme.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { unlessLegacy } from "./attach/unless-legacy.ts";
import { namesOf } from "./provision-names.ts";
import { scaleOf, wordsOf } from "./range-scale.ts";
import { argumentOf, firstRange, typeOf, windowOf } from "./scheme-columns.ts";

/** What is done on the way down and up, as PL/pgSQL, at level `n`: 1 for the children of the root. */
export interface Visit {
  /** After `v_part_n` was looked for: it is NULL where there is none. */
  readonly enter: (n: number) => string;
  readonly leave: (n: number) => string;
  /** After `v_default_n` was looked for. */
  readonly enterDefault: (n: number) => string;
  /** A condition under which no further interval is looked at. */
  readonly goOn: string;
}

/** The variables of {@link walkSql}. */
export function walkVariables(scheme: Scheme): string {
  const { schema, table } = namesOf(scheme);
  const levels = scheme.dimensions.map((dimension, index) => {
    const n = index + 1;
    return `  v_part_${n} regclass;
  v_pending_${n} regclass;
  v_default_${n} regclass;
  v_stem_${n} text;
  v_tail_${n} text;
  v_key_${n} text;
  v_bound_${n} text;
  v_attach_${n} boolean := false;
${dimension.strategy === "range" ? rangeVariables(scheme, dimension, n) : ""}`;
  });
  return `  v_detached boolean := false;
  v_part_0 regclass := ${literal(qualified(schema, table))};
  v_stem_0 text := ${literal(scheme.prefix)};
  v_key_0 text := ${literal(scheme.prefix)};
${levels.join("")}`;
}

function rangeVariables(scheme: Scheme, dimension: RangeDimension, n: number): string {
  const { type, lengthType } = scaleOf(scheme, dimension);
  const { unit, format, length } = wordsOf(dimension.every);
  return `  v_unit_${n} text := ${literal(unit)};
  v_format_${n} text := ${literal(format)};
  v_length_${n} ${lengthType} := ${literal(length)};
  v_premake_${n} integer := ${dimension.premake};
  v_at_${n} ${type};
  v_next_${n} ${type};
  v_last_${n} ${type};
  v_from_${n} ${type};
  v_to_${n} ${type};
`;
}

/** Refuses values that no partition takes, and takes the interval of those that are cut otherwise. */
export function walkBegins(scheme: Scheme): string {
  const refuse = (condition: string, message: string) => `  IF ${condition} THEN
    RAISE EXCEPTION ${literal(message)} USING ERRCODE = 'null_value_not_allowed';
  END IF;
`;
  const refusals = scheme.dimensions.map((dimension) => {
    if (dimension.strategy === "hash") return "";
    const { column } = dimension;
    if (dimension.strategy === "list")
      return refuse(
        `${ident(argumentOf(column))} IS NULL`,
        `${column} has no value: no partition takes NULL`,
      );
    const { from, until } = windowOf(scheme, dimension);
    const { isFinite } = scaleOf(scheme, dimension);
    const isTime = typeof dimension.every === "string";
    return refuse(
      `${ident(from)} IS NULL OR NOT ${isFinite(ident(from))} OR NOT ${isFinite(`coalesce(${ident(until)}, ${ident(from)})`)}`,
      isTime
        ? "the time from which partitions are asked for, and that until which, have to be moments"
        : `the numbers from which and until which partitions are asked for have to be numbers that ${column} may hold`,
    );
  });
  return refusals.join("") + overridesSql(scheme);
}

function overridesSql(scheme: Scheme): string {
  const { overrides = [], dimensions } = scheme;
  const range = firstRange(scheme);
  if (range === undefined || overrides.length === 0) return "";
  const n = dimensions.indexOf(range) + 1;
  const branches = overrides.map(({ values, every, premake = range.premake }, index) => {
    const { unit, format, length } = wordsOf(every);
    return `  ${index === 0 ? "IF" : "ELSIF"} ${conditionOf(scheme, values)} THEN
    v_unit_${n} := ${literal(unit)};
    v_format_${n} := ${literal(format)};
    v_length_${n} := ${literal(length)};
    v_premake_${n} := ${premake};
`;
  });
  return `${branches.join("")}  END IF;\n`;
}

function conditionOf({ dimensions, table }: Scheme, values: SchemeOverride["values"]): string {
  const scheme = { dimensions, table } as Scheme;
  const conditions = dimensions.flatMap((dimension) => {
    const value = values[dimension.column];
    if (dimension.strategy !== "list" || value === undefined) return [];
    const type = typeOf(scheme, dimension);
    return [`${ident(argumentOf(dimension.column))} = ${literal(value).trim()}::${type}`];
  });
  return conditions.length === 0 ? "true" : conditions.join(" AND ");
}

/**
 * Walks the partitions of one set of values, for each dimension one block in another. What is there is found by the bounds in
 * the catalog, never by its name; below a table that is not attached yet nothing is looked for.
 */
export function walkSql(scheme: Scheme, visit: Visit): string {
  return levelSql(scheme, visit, 0);
}

function levelSql(scheme: Scheme, visit: Visit, level: number): string {
  const dimension = scheme.dimensions[level];
  if (dimension === undefined) return "";
  const n = level + 1;
  const below = `${pendingSql(n)}${visit.enter(n)}${carrySql(scheme, n)}${levelSql(scheme, visit, n)}${visit.leave(n)}`;
  const begins = isCutAsSaid(scheme, n) + defaultSql(dimension, visit, n);
  switch (dimension.strategy) {
    case "list":
      return unlessLegacy(scheme, n, begins + listSql(scheme, dimension, n) + below);
    case "range":
      return unlessLegacy(scheme, n, begins + rangeSql(scheme, dimension, visit, n, below));
    case "hash":
      return unlessLegacy(scheme, n, begins + hashSql(dimension, visit, n, below));
  }
}

/** A later level's name goes on with the tail of a range or hash above it. */
function carrySql({ dimensions }: Scheme, n: number): string {
  if (dimensions[n] === undefined) return "";
  return `    v_stem_${n} := v_stem_${n} || v_tail_${n};
    v_key_${n} := v_key_${n} || v_tail_${n};
`;
}

const STRATEGY = { list: "l", range: "r", hash: "h" } as const;

/** A table that is cut otherwise than the scheme says: its partitions would be made in the wrong place. */
function isCutAsSaid({ dimensions }: Scheme, n: number): string {
  const dimension = dimensions[n - 1];
  if (dimension === undefined) return "";
  return `    IF NOT v_detached AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_partitioned_table AS k
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.partrelid AND a.attnum = k.partattrs[0]
      WHERE k.partrelid = v_part_${n - 1} AND k.partnatts = 1
        AND k.partstrat = ${literal(STRATEGY[dimension.strategy])} AND a.attname = ${literal(dimension.column)}
    ) THEN
      RAISE EXCEPTION '% is not partitioned as its scheme says: %', v_part_${n - 1}, ${literal(partitionSql(dimension))}
        USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Give the scheme the dimensions that the table has, in their order; or make a new table of the new scheme and copy.';
    END IF;
`;
}

function pendingSql(n: number): string {
  return `    IF v_pending_${n} IS NOT NULL THEN
      RAISE EXCEPTION '% is being detached, and no other partition can take its place', v_pending_${n}
        USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = pg_catalog.format('Finish it: ALTER TABLE %s DETACH PARTITION %s FINALIZE', v_part_${n - 1}, v_pending_${n});
    END IF;
`;
}

function defaultSql(
  dimension: ListDimension | RangeDimension | HashDimension,
  visit: Visit,
  n: number,
): string {
  if (dimension.strategy === "hash" || dimension.default !== true) return "";
  return `    v_default_${n} := NULL;
    IF NOT v_detached THEN
      SELECT c.oid INTO v_default_${n}
      FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
      WHERE i.inhparent = v_part_${n - 1} AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT';
    END IF;
${visit.enterDefault(n)}`;
}

function listSql(scheme: Scheme, dimension: ListDimension, n: number): string {
  const value = ident(argumentOf(dimension.column));
  const type = typeOf(scheme, dimension);
  const text = `${value}::text`;
  return `    v_part_${n} := NULL;
    v_pending_${n} := NULL;
    IF NOT v_detached THEN
      EXECUTE (
        SELECT coalesce('SELECT b.part FROM (VALUES ' || pg_catalog.string_agg(
          pg_catalog.format('(%s::oid::regclass, ARRAY[%s]::%s[])', c.oid,
            pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal("^FOR VALUES IN \\((.*)\\)$").trim()}), ${literal(type)}),
          ', ') || ') AS b(part, accepted) WHERE $1 = ANY (b.accepted)', 'SELECT NULL::regclass WHERE $1 IS NULL')
        FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = v_part_${n - 1}
          AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES IN %'
      ) INTO v_part_${n} USING ${value};
      SELECT i.inhrelid INTO v_pending_${n} FROM pg_catalog.pg_inherits AS i
      WHERE i.inhrelid = v_part_${n} AND i.inhdetachpending;
    END IF;
    v_bound_${n} := pg_catalog.format('FOR VALUES IN (%L)', ${value});
    v_stem_${n} := v_stem_${n - 1} || ${literal(`_${dimension.label}_`)} || pg_catalog.lower(pg_catalog.regexp_replace(${text}, '[^A-Za-z0-9]', '', 'g'));
    v_tail_${n} := '';
    v_key_${n} := v_key_${n - 1} || '/' || ${text};
`;
}

function rangeSql(
  scheme: Scheme,
  dimension: RangeDimension,
  visit: Visit,
  n: number,
  below: string,
): string {
  const { floor, after, read, write, tail } = scaleOf(scheme, dimension);
  const window = windowOf(scheme, dimension);
  const outer = outerRange(scheme, n);
  const [from, until] = [ident(window.from), ident(window.until)];
  const begin = floor(
    outer === 0 ? from : `greatest(${from}, v_at_${outer})`,
    `v_unit_${n}`,
    `v_length_${n}`,
  );
  const next = (place: string, count: string) => after(place, count, `v_length_${n}`);
  const part = (pattern: string) =>
    `pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal(pattern).trim()})`;
  return `    v_at_${n} := ${begin};
    v_last_${n} := coalesce(${until}, ${next(floor(from, `v_unit_${n}`, `v_length_${n}`), `v_premake_${n}`)});
    WHILE v_at_${n} <= v_last_${n}${outer === 0 ? "" : ` AND v_at_${n} < v_next_${outer}`} AND ${visit.goOn} LOOP
      v_next_${n} := ${next(`v_at_${n}`, "1")};
      v_part_${n} := NULL;
      v_pending_${n} := NULL;
      v_from_${n} := ${outer === 0 ? `v_at_${n}` : `greatest(v_at_${n}, v_at_${outer})`};
      v_to_${n} := ${outer === 0 ? `v_next_${n}` : `least(v_next_${n}, v_next_${outer})`};
      IF NOT v_detached THEN
        -- What is there may be cut otherwise: only the gap is filled.
        SELECT greatest(v_from_${n}, pg_catalog.max(b.upper) FILTER (WHERE b.lower <= v_from_${n})),
          least(v_to_${n}, pg_catalog.min(b.lower) FILTER (WHERE b.lower > v_from_${n})),
          (pg_catalog.array_agg(b.part ORDER BY b.lower))[1],
          (pg_catalog.array_agg(b.part) FILTER (WHERE b.pending))[1]
        INTO v_from_${n}, v_to_${n}, v_part_${n}, v_pending_${n}
        FROM (
          SELECT c.oid::regclass AS part, i.inhdetachpending AS pending, ${read("t.lower")} AS lower, ${read("t.upper")} AS upper
          FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
          CROSS JOIN LATERAL (SELECT ${part("FROM \\((.*)\\) TO \\(")} AS lower, ${part("TO \\((.*)\\)$")} AS upper) AS t
          WHERE i.inhparent = v_part_${n - 1} AND t.lower IS NOT NULL
        ) AS b
        WHERE b.upper > v_from_${n} AND b.lower < v_to_${n};
        IF v_from_${n} < v_to_${n} THEN
          v_part_${n} := NULL;
        END IF;
      END IF;
      v_bound_${n} := pg_catalog.format('FOR VALUES FROM (%s) TO (%s)', ${write(`v_from_${n}`)}, ${write(`v_to_${n}`)});
      v_stem_${n} := v_stem_${n - 1};
      v_tail_${n} := ${tail(`v_at_${n}`, `v_format_${n}`)};
      v_key_${n} := v_key_${n - 1};
${below}      v_at_${n} := v_next_${n};
    END LOOP;
`;
}

/** The level of a range of the same column above a level; 0 where there is none. Its partitions hold no other interval than its own. */
function outerRange({ dimensions }: Scheme, n: number): number {
  const column = dimensions[n - 1]?.column;
  const above = dimensions.slice(0, n - 1);
  return above.findLastIndex((other) => other.strategy === "range" && other.column === column) + 1;
}

function hashSql({ modulus }: HashDimension, visit: Visit, n: number, below: string): string {
  const digits = String(modulus - 1).length;
  return `    FOR v_remainder_${n} IN 0 .. ${modulus - 1} LOOP
      EXIT WHEN NOT (${visit.goOn});
      v_bound_${n} := pg_catalog.format('FOR VALUES WITH (modulus ${modulus}, remainder %s)', v_remainder_${n});
      v_part_${n} := NULL;
      v_pending_${n} := NULL;
      IF NOT v_detached THEN
        SELECT c.oid, CASE WHEN i.inhdetachpending THEN c.oid END INTO v_part_${n}, v_pending_${n}
        FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = v_part_${n - 1}
          AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) = v_bound_${n};
      END IF;
      v_stem_${n} := v_stem_${n - 1};
      v_tail_${n} := '_h' || pg_catalog.lpad(v_remainder_${n}::text, ${digits}, '0');
      v_key_${n} := v_key_${n - 1};
${below}    END LOOP;
`;
}
