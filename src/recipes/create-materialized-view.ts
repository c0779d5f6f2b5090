import { pgMaterializedViewIndex } from "../objects/pg-materialized-view-index.ts";
import { pgRefreshSchedule, type RefreshScheduleOptions } from "../objects/pg-refresh-schedule.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";

/** Which materialized view to create. */
export interface CreateMaterializedViewOptions {
  /** @default "public" */
  readonly schema?: string;
  readonly name: string;
  /** The SELECT, as SQL. Names are best given with their schema. */
  readonly query: string;
  /** The tables and views that the query reads: they are locked (readers and writers go on), and row security must not hide their rows. */
  readonly reads: readonly RelationName[];
  /** What REFRESH … CONCURRENTLY tells rows apart by: plain columns. */
  readonly unique: {
    readonly columns: readonly [string, ...string[]];
    /** @default `<name>_<columns>_idx` */
    readonly name?: string;
  };
  /** How often it is refreshed, where the extension pg_cron is installed. @default by nobody */
  readonly every?: RefreshScheduleOptions["every"];
}

/**
 * Creates a materialized view empty, with its unique index, and fills it afterwards.
 *
 * Filled by its CREATE it would hold a transaction open for the whole query. WITH NO DATA the view and its index come in one short
 * transaction, and REFRESH runs by itself, without a limit; until then a SELECT of it is an error (55000), never an empty
 * answer. What the view holds is what its owner sees: where row security would hide rows from the owner, it is refused.
 *
 * @example
 * const plan = createMaterializedView({
 *   name: "users_by_email",
 *   query: "SELECT email, count(*) AS n FROM public.users GROUP BY email",
 *   reads: [{ schema: "public", name: "users" }],
 *   unique: { columns: ["email"] },
 * });
 * plan.steps.map(({ id }) => id); // ["create", "unique-index", "reads-are-named", "refresh"]
 */
export function createMaterializedView(options: CreateMaterializedViewOptions): Plan {
  const { schema = "public", name, query, reads, unique, every } = options;
  const path = qualified(schema, name);
  const index = pgMaterializedViewIndex({
    schema,
    view: name,
    name: unique.name ?? shorten(`${name}_${unique.columns.join("_")}_idx`),
    columns: unique.columns,
    unique: true,
  });
  const sources = (more: Pick<Lock, "indexes" | "partitions">) =>
    reads.map(
      (read): Lock => ({
        schema: read.schema,
        name: read.name,
        mode: "accessShare",
        ...more,
      }),
    );
  return plan(`create-materialized-view-${schema}-${name}`, [
    {
      kind: "sql",
      id: "create",
      title: `Create ${name}, empty and not to be read yet`,
      sql: `CREATE MATERIALIZED VIEW ${path} AS\n${query}\nWITH NO DATA`,
      locks: sources({ indexes: false }),
      creates: 1,
      transaction: "inside",
      undo: {
        kind: "statement",
        sql: `DROP MATERIALIZED VIEW ${path}`,
        locks: [{ schema, name, mode: "accessExclusive" }, ...index.dropLocks.slice(1)],
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: "unique-index",
      title: "What tells its rows apart: REFRESH … CONCURRENTLY needs it",
      sql: index.create,
      locks: [],
      creates: 1,
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    readsAreNamed(path, reads),
    {
      kind: "sql",
      id: "refresh",
      title: `Fill ${name}; from now on it can be read`,
      sql: `REFRESH MATERIALIZED VIEW ${path}`,
      locks: [{ schema, name, mode: "accessExclusive" }, ...sources({ partitions: true })],
      rows: reads.map((read) => ({ schema: read.schema, name: read.name, access: "read" })),
      transaction: "outside",
      probe: {
        sql: `SELECT coalesce((SELECT CASE WHEN c.relispopulated THEN 'done' END FROM pg_catalog.pg_class c
WHERE c.oid = pg_catalog.to_regclass(${literal(path)})), 'absent') AS state`,
      },
      undo: { kind: "nothing" },
    },
    ...(every === undefined ? [] : [scheduleStep(schema, name, every)]),
  ]);
}

function readsAreNamed(path: string, reads: readonly RelationName[]): Step {
  const named = reads.map(
    (read) => `pg_catalog.to_regclass(${literal(qualified(read.schema, read.name))})`,
  );
  return {
    kind: "check",
    id: "reads-are-named",
    title: "The query reads what it was said to read",
    sql: `SELECT DISTINCT c.oid::regclass::text AS relation, 'is read by the query: name it in reads' AS reason
FROM pg_catalog.pg_rewrite w
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
WHERE w.ev_class = ${literal(path)}::regclass
  AND c.oid <> ALL (ARRAY[${named.join(", ")}]::oid[])`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function scheduleStep(schema: string, view: string, every: RefreshScheduleOptions["every"]): Step {
  const schedule = pgRefreshSchedule({ schema, view, every });
  return {
    kind: "sql",
    id: "schedule",
    title: `Refresh it every ${every}, where pg_cron is installed`,
    sql: schedule.create,
    locks: [],
    transaction: "commitAfter",
    undo:
      schedule.drop === null
        ? { kind: "nothing" }
        : { kind: "statement", sql: schedule.drop, locks: [], transaction: "inside" },
  };
}
