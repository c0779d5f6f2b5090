import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { dollarQuoted } from "../../sql/dollar-quoted.ts";
import { literal, qualified } from "../../sql/quote.ts";

/** A query whose time tells whether the application is as fast as before. */
export interface WatchedQuery {
  readonly name: string;
  /** One SELECT, as the application asks it before the cutover. */
  readonly sql: string;
  /** How it asks afterwards. @default as before */
  readonly after?: string;
  /** How many times as long it may take. @default 1.2 */
  readonly atMost?: number;
}

const RUNS = 15;

/**
 * Measures queries before a cutover, and after it compares: the plan fails where one takes longer than it may, or fails itself, and is
 * then taken back from there.
 */
export function watchedSteps(
  schema: string,
  tables: readonly RelationName[],
  queries: readonly WatchedQuery[],
): { readonly before: readonly Step[]; readonly after: readonly Step[] } {
  if (queries.length === 0) return { before: [], after: [] };
  const table = qualified(schema, "underpin_watched");
  const ms = qualified(schema, "underpin_query_ms");
  const keep = queries.map(
    ({ name, sql }) => `INSERT INTO ${table} VALUES (${literal(name)}, ${ms}(${literal(sql)}))`,
  );
  const slow = queries.map(
    ({ name, sql, after = sql, atMost = 1.2 }) =>
      `SELECT w.name, w.ms AS "before", ${ms}(${literal(after)}) AS "after", ${atMost}::double precision AS factor FROM ${table} AS w WHERE w.name = ${literal(name)}`,
  );
  return {
    before: [
      {
        kind: "sql",
        id: "watch",
        title: `Measure ${queries.map(({ name }) => name).join(", ")} as it is`,
        sql: [
          // The median of many: one that had to wait says nothing.
          `CREATE FUNCTION ${ms}(query text) RETURNS double precision LANGUAGE plpgsql AS ${dollarQuoted(`
DECLARE
  v_began timestamp with time zone;
  v_times double precision[] := '{}';
BEGIN
  FOR n IN 1..${RUNS} LOOP
    v_began := pg_catalog.clock_timestamp();
    EXECUTE query;
    v_times := v_times || (1000 * extract(epoch FROM pg_catalog.clock_timestamp() - v_began))::double precision;
  END LOOP;
  RETURN (SELECT pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM pg_catalog.unnest(v_times) AS t);
END`)}`,
          `REVOKE ALL ON FUNCTION ${ms}(text) FROM PUBLIC`,
          `CREATE TABLE ${table} (name text NOT NULL, ms double precision NOT NULL)`,
          ...keep,
        ].join(";\n"),
        // What the queries read, as far as it is known here.
        locks: tables.map((each): Lock => ({ ...each, mode: "accessShare", partitions: true })),
        creates: 1,
        transaction: "commitAfter",
        undo: {
          kind: "statement",
          sql: `DROP TABLE ${table};\nDROP FUNCTION ${ms}(text)`,
          locks: [{ schema, name: "underpin_watched", mode: "accessExclusive" }],
          transaction: "inside",
        },
      },
    ],
    after: [
      {
        kind: "check",
        id: "as-fast-as-before",
        title: `${queries.map(({ name }) => name).join(", ")} is about as fast as before`,
        sql: `SELECT s.name, s."before", s."after" FROM (${slow.join("\nUNION ALL ")}) AS s
WHERE s."after" > greatest(s."before", 0.05) * s.factor`,
        expect: "noRows",
        transaction: "commitAfter",
        undo: { kind: "nothing" },
      },
    ],
  };
}
