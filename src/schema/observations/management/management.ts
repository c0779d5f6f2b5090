import { getTableColumns } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import type { AccessData } from "../../../definition/access.ts";
import type { Scheme } from "../../../definition/scheme.ts";
import { pgFunction, type FunctionOptions } from "../../../objects/pg-function.ts";
import { namesOf } from "../../../partitioning/provision-names.ts";
import { ident, literal, qualified } from "../../../sql/quote.ts";
import { doBlock } from "../../../sql/dollar-quoted.ts";

/** What the functions for who looks after partitions work on. */
export interface Management {
  /** Of the functions. */
  readonly schema: string;
  /** Of the tables. */
  readonly domain: string;
  readonly access: AccessData;
  readonly schemes: readonly Scheme[];
  /** Those that are cut by program, site and month. */
  readonly observed: readonly Observed[];
}

/** The table that says how far each copy is. */
export const PROGRESS = "migration_progress";

/** One table of observations, as text for SQL. */
export interface Observed {
  readonly name: string;
  /** Qualified. */
  readonly table: string;
  /** The table from before it was partitioned, as the migration names it. Qualified. */
  readonly source: string;
  readonly columns: readonly string[];
  /** The function that makes its partitions. Qualified. */
  readonly provision: string;
}

/** A table of observations, with what SQL has to name. */
export function observedTable(scheme: Scheme): Observed {
  const { schema, table, provision } = namesOf(scheme);
  const drizzle: PgTable = scheme.table;
  return {
    name: table,
    table: qualified(schema, table),
    source: qualified(schema, `${table}_old`),
    columns: Object.values(getTableColumns(drizzle)).map(({ name }) => name),
    provision: qualified(schema, provision),
  };
}

/**
 * A function or procedure for who looks after partitions: the migrator may call it, and who installed.
 *
 * It runs as the caller unless it needs to own a partition: under FORCE the owner of a table sees none of its rows.
 */
export function managed(
  { schema, access }: Management,
  options: Omit<FunctionOptions, "schema" | "executeTo" | "volatility" | "language"> &
    Partial<Pick<FunctionOptions, "volatility" | "language">>,
) {
  const role = access.migratorRole;
  return pgFunction({
    language: "plpgsql",
    volatility: "volatile",
    ...options,
    schema,
    executeTo: [role],
    dependsOn: [`role ${ident(role)}`, ...(options.dependsOn ?? [])],
  });
}

/**
 * A function with the rights of the migrator, for the migrator and for who installed: by it a job that runs as the latter sees all rows.
 *
 * `pg_cron` runs a job as who scheduled it, and no SET ROLE can stand before what commits (2D000). Where who installs may not
 * make itself a member of the migrator for a moment, as of a role that another login made, the function stays its own and refuses as any other does.
 */
export function asMigrator(
  management: Management,
  options: Parameters<typeof managed>[1] & { readonly security: "definer" },
) {
  const { schema, access } = management;
  const made = managed(management, options);
  const types = (options.arguments ?? []).map(({ type }) => type).join(", ");
  const called = `FUNCTION ${qualified(schema, options.name)}(${types})`;
  const role = ident(access.migratorRole);
  const name = literal(access.migratorRole).trim();
  return {
    ...made,
    create: `${doBlock(`DECLARE
  is_16 boolean := pg_catalog.current_setting('server_version_num')::int >= 160000;
  borrowed boolean := NOT pg_catalog.pg_has_role(${name}, 'USAGE');
BEGIN
  IF is_16 AND NOT borrowed THEN
    EXECUTE ${literal(`SELECT NOT pg_catalog.pg_has_role(${name}, 'SET')`)} INTO borrowed;
  END IF;
  IF borrowed THEN
    EXECUTE ${literal(`GRANT ${role} TO CURRENT_USER`)} || CASE WHEN is_16 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
  END IF;
  PERFORM pg_catalog.set_config('underpin.borrowed_role', borrowed::text, true);
EXCEPTION WHEN insufficient_privilege THEN
  PERFORM pg_catalog.set_config('underpin.borrowed_role', 'refused', true);
END`)};
${made.create};
${doBlock(`DECLARE
  borrowed text := pg_catalog.current_setting('underpin.borrowed_role');
BEGIN
  IF borrowed <> 'refused' THEN
    GRANT CREATE ON SCHEMA ${ident(schema)} TO ${role};
    ALTER ${called} OWNER TO ${role};
    GRANT EXECUTE ON ${called} TO CURRENT_USER;
    REVOKE CREATE ON SCHEMA ${ident(schema)} FROM ${role};
  END IF;
  IF borrowed = 'true' THEN
    REVOKE ${role} FROM CURRENT_USER;
  END IF;
END`)}`,
  };
}

/** The partitioned tables as a sub-query with `name` and `root`. */
export function rootsSql({ schemes }: Management): string {
  const rows = schemes.map((scheme) => {
    const { schema, table } = namesOf(scheme);
    return `(${literal(table)}::text, pg_catalog.to_regclass(${literal(qualified(schema, table))}))`;
  });
  return `(VALUES ${rows.join(", ")})`;
}

/** Every partition of the tables as a sub-query with `name`, `relid`, `parent`, `level` and `is_leaf`, from the catalog alone. */
export function partitionsSql(management: Management): string {
  return `(
  WITH RECURSIVE tree(name, relid, parent, level) AS (
    SELECT r.name, r.root::oid, NULL::oid, 0 FROM ${rootsSql(management)} AS r(name, root) WHERE r.root IS NOT NULL
    UNION ALL
    SELECT tree.name, i.inhrelid, i.inhparent, tree.level + 1
    FROM tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.relid
  )
  SELECT tree.name, tree.relid, tree.parent, tree.level, c.relkind <> 'p' AS is_leaf
  FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid
  WHERE tree.level > 0
)`;
}

/** What a range partition's bounds say, in a query with its `pg_class` as `c`. Read in the zone in which they are printed. */
export const BOUNDS = `CROSS JOIN LATERAL (
  SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal("FROM \\((.*)\\) TO \\((.*)\\)$").trim()}) AS m
) AS x CROSS JOIN LATERAL (
  SELECT (CASE x.m[1] WHEN 'MINVALUE' THEN '-infinity' ELSE pg_catalog.btrim(x.m[1], '''') END)::timestamptz AS lower,
    (CASE x.m[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE pg_catalog.btrim(x.m[2], '''') END)::timestamptz AS upper
) AS b`;
