import { partitionSql } from "../definition/emit/table.ts";
import type { Scheme } from "../definition/scheme.ts";
import { literal, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";
import { firstRange, windowOf } from "./scheme-columns.ts";
import { scaleOf } from "./range-scale.ts";
import { walkBegins, walkSql, walkVariables } from "./walk-levels.ts";

/** The most leaves that one call makes: each takes a dozen locks until its transaction ends. */
export const LEAVES_PER_COMMIT = 20;

/** The most that {@link surveyBody} looks at: beyond it a window is a mistake. */
export const MOST_SURVEYED = 5000;

/**
 * The body of a scheme's provision function. The first level at which something is missing is built detached, with all below it, and
 * attached once.
 *
 * Who finds something missing takes the table's lock, and looks again.
 */
export function provisionBody(scheme: Scheme): string {
  const { schema, make, name } = namesOf(scheme);
  const nameIt = `${qualified(schema, name)}`;
  const makeIt = `${qualified(schema, make)}`;
  const walk = walkSql(scheme, {
    goOn: `v_made < ${LEAVES_PER_COMMIT}`,
    enter: (n) => {
      const inner = scheme.dimensions[n];
      const split = inner === undefined ? "" : partitionSql(inner);
      return `    IF v_part_${n} IS NULL THEN
${LOCK}      v_attach_${n} := NOT v_detached;
      v_part_${n} := ${makeIt}(
        v_part_${n - 1}, ${nameIt}(v_key_${n}, v_stem_${n}, v_tail_${n}), v_bound_${n}, ${literal(split)}, v_attach_${n});
      v_detached := true;${inner === undefined ? "\n      v_made := v_made + 1;" : ""}
    END IF;
`;
    },
    leave: (n) => `    IF v_attach_${n} THEN
${lockAncestors(n)}      EXECUTE pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s %s', v_part_${n - 1}, v_part_${n}, v_bound_${n});
      v_attach_${n} := false;
      v_detached := false;
    END IF;
`,
    enterDefault: (n) => `    IF v_default_${n} IS NULL THEN
${LOCK}      v_default_${n} := ${makeIt}(
        v_part_${n - 1}, ${nameIt}(v_key_${n - 1} || '/default', v_stem_${n - 1}, '_default'), 'DEFAULT', '', NOT v_detached);
      IF NOT v_detached THEN
${lockAncestors(n)}        EXECUTE pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s DEFAULT', v_part_${n - 1}, v_default_${n});
      END IF;
    END IF;
`,
  });
  return `
DECLARE
  v_made integer := 0;
  v_locked boolean := false;
  v_limited boolean := false;
${walkVariables(scheme)}BEGIN
${walkBegins(scheme)}  <<attempt>>
  LOOP
${walk}    EXIT attempt;
  END LOOP;
  IF v_limited THEN
    PERFORM pg_catalog.set_config('lock_timeout', '0', true);
  END IF;
  RETURN v_made;
END`;
}

/** ATTACH reads the bounds of all that is above, under ACCESS SHARE, unless the session has them still: so they are locked always. */
function lockAncestors(n: number): string {
  return Array.from(
    { length: n - 1 },
    (_, level) =>
      `      EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', v_part_${level});\n`,
  ).join("");
}

const LOCK = `      IF NOT v_locked THEN
        IF pg_catalog.current_setting('lock_timeout') = '0' THEN
          PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
          v_limited := true;
        END IF;
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('underpin partitions of ' || v_part_0::text, 0));
        v_locked := true;
        CONTINUE attempt;
      END IF;
`;

/** What the survey function returns: the partitions of one set of values, from the root down. */
export const SURVEY_COLUMNS =
  "table (level integer, part regclass, parent regclass, made_as text, leaf boolean, starts text)";

/** The body of the function that says what is there and what is missing, and makes nothing. */
export function surveyBody(scheme: Scheme): string {
  const { schema, name } = namesOf(scheme);
  const range = firstRange(scheme);
  // Of ranges of one column the innermost says where a leaf begins.
  const starts = (n: number) => {
    const level =
      scheme.dimensions
        .slice(0, n)
        .findLastIndex(({ strategy, column }) => strategy === "range" && column === range?.column) +
      1;
    return range === undefined || level === 0
      ? "NULL"
      : scaleOf(scheme, range).print(`v_at_${level}`);
  };
  const say = (
    n: number,
    part: string,
    named: string,
    leaf: boolean,
    at: string,
  ) => `    level := ${n};
    part := ${part};
    parent := CASE WHEN NOT v_detached THEN v_part_${n - 1} END;
    made_as := CASE WHEN ${part} IS NULL THEN ${qualified(schema, name)}(${named}) END;
    leaf := ${leaf};
    starts := ${at};
    RETURN NEXT;
    v_seen := v_seen + 1;
`;
  const walk = walkSql(scheme, {
    goOn: `v_seen < ${MOST_SURVEYED}`,
    enter: (
      n,
    ) => `${say(n, `v_part_${n}`, `v_key_${n}, v_stem_${n}, v_tail_${n}`, scheme.dimensions[n] === undefined, starts(n))}    v_attach_${n} := v_part_${n} IS NULL AND NOT v_detached;
    v_detached := v_detached OR v_attach_${n};
`,
    leave: (n) => `    IF v_attach_${n} THEN
      v_detached := false;
    END IF;
`,
    enterDefault: (n) =>
      say(
        n,
        `v_default_${n}`,
        `v_key_${n - 1} || '/default', v_stem_${n - 1}, '_default'`,
        true,
        starts(n - 1),
      ),
  });
  return `
DECLARE
  v_seen integer := 0;
${walkVariables(scheme)}BEGIN
${walkBegins(scheme)}${walk}END`;
}

/** The arguments that ask for what lies between two places, where a scheme has a range. */
export function windowNames(
  scheme: Scheme,
): { readonly from: string; readonly until: string } | undefined {
  const range = firstRange(scheme);
  return range === undefined ? undefined : windowOf(scheme, range);
}

export { typeOf } from "./scheme-columns.ts";
