import { canonical, type Canonical } from "../../catalog/canonical.ts";
import { namedPath, schemaPath } from "../../catalog/path.ts";
import { factsOf, type Facts } from "../../catalog/read-facts.ts";
import type { Queryable } from "../../executor/executor.ts";
import { qualified } from "../../sql/quote.ts";
import { isIn, type BackupManifest, type BackupPart } from "./manifest.ts";

/** What a database is at the snapshot of the caller's transaction. */
export type DatabaseState = Pick<
  BackupManifest,
  "takenAt" | "server" | "rows" | "roles" | "catalog"
>;

/** Reads what a manifest says of the database; within one transaction it is all of one moment. */
export async function readState(
  db: Queryable,
  { part, count }: { readonly part: BackupPart; readonly count: boolean },
): Promise<DatabaseState> {
  const [row] = await db.query<Record<"at" | "version" | "database" | "lsn", string>>(
    `SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
       pg_catalog.current_setting('server_version_num') AS version, pg_catalog.current_database()::text AS database,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
         ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn`,
  );
  const facts = await factsOf(db);
  return {
    takenAt: row?.at ?? "",
    server: {
      version: Number(row?.version),
      database: row?.database ?? "",
      systemIdentifier: await readSystemIdentifier(db),
      lsn: row?.lsn ?? null,
    },
    rows: count ? await countRows(db, part) : null,
    roles: rolesIn(facts),
    catalog: catalogOf(facts, part),
  };
}

/** Which cluster this is. The right may be missing, so it is asked for first: an error would end the transaction. */
export async function readSystemIdentifier(db: Queryable): Promise<string | null> {
  const [row] = await db.query<{ may: boolean }>(
    `SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may`,
  );
  if (row?.may !== true) return null;
  const [found] = await db.query<{ id: string }>(
    "SELECT s.system_identifier::text AS id FROM pg_catalog.pg_control_system() AS s",
  );
  return found?.id ?? null;
}

/** Rows of each table that keeps some itself: of a partitioned one its leaves. Those of extensions are not dumped, and a materialized view is made anew. */
export async function countRows(
  db: Queryable,
  part: BackupPart,
): Promise<Readonly<Record<string, number>>> {
  const all = await db.query<{ schema: string; name: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY n.nspname, c.relname`,
  );
  const wanted = all.filter((table) => isIn(part, table));
  const counts: Record<string, number> = {};
  // Few at once: each of them is locked until the transaction ends, and pg_dump locks them all anyway.
  for (let at = 0; at < wanted.length; at += 50) {
    const some = wanted.slice(at, at + 50);
    const rows = await db.query<{ at: number; n: string }>(
      some
        .map(
          ({ schema, name }, index) =>
            `SELECT ${index} AS at, pg_catalog.count(*)::text AS n FROM ONLY ${qualified(schema, name)}`,
        )
        .join("\nUNION ALL\n"),
    );
    for (const { at: index, n } of rows) {
      const table = some[index];
      if (table !== undefined) counts[qualified(table.schema, table.name)] = Number(n);
    }
  }
  return counts;
}

/** The catalog, or what belongs to the chosen tables or schemas. */
export function catalogOf(facts: Facts, { tables, schemas }: BackupPart): Canonical {
  const all = canonical(facts);
  if (tables === null && schemas === null) return all;
  const roots = new Set([
    ...(tables ?? []).map(({ schema, name }) => namedPath("table", schema, name)),
    ...(tables === null ? (schemas ?? []) : []).map(schemaPath),
  ]);
  const belongs = (path: string): boolean => {
    if (roots.has(path)) return true;
    const within = all[path]?.within ?? null;
    return within !== null && belongs(within);
  };
  return Object.fromEntries(Object.entries(all).filter(([path]) => belongs(path)));
}

const NAMING_ROLES: ReadonlySet<string> = new Set(["owner", "grantee", "grantor", "role", "roles"]);

/** Roles that the facts name; those of the server itself are everywhere. */
function rolesIn({ roles, server, ...lists }: Facts): readonly string[] {
  const known = new Set(roles.map(({ name }) => name));
  known.add(server.currentUser);
  const names = new Set<string>();
  for (const facts of Object.values(lists) as readonly (readonly object[])[])
    for (const fact of facts)
      for (const [key, value] of Object.entries(fact) as [string, unknown][])
        if (NAMING_ROLES.has(key))
          for (const name of [value].flat())
            if (typeof name === "string" && known.has(name) && !name.startsWith("pg_"))
              names.add(name);
  return [...names].sort();
}
