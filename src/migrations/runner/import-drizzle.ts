import { sqlStateOf } from "../../errors.ts";
import type { Finding } from "../../catalog/finding.ts";
import type { Queryable } from "../../executor/executor.ts";
import { qualified } from "../../sql/quote.ts";
import { folderWarning } from "./folder-finding.ts";
import type { Migration } from "./migration.ts";

/** Where Drizzle's own migrator writes. */
export interface DrizzleLedger {
  /** @default "drizzle" */
  readonly schema?: string;
  /** @default "__drizzle_migrations" */
  readonly table?: string;
}

interface DrizzleRow {
  readonly hash: string;
  readonly created_at: string | number | null;
  readonly name?: string | null;
}

/** What Drizzle's own migrator has applied of what is pending here. */
export interface DrizzleApplied {
  readonly migrations: readonly Migration[];
  readonly findings: readonly Finding[];
}

/**
 * Looks which migrations Drizzle's own migrator has applied: by the hash of the file, by its name (1.0), or by the moment in the
 * journal, where the file was edited since: Drizzle notes the hash and never compares it.
 */
export async function readDrizzleApplied(
  db: Queryable,
  { schema = "drizzle", table = "__drizzle_migrations" }: DrizzleLedger,
  pending: readonly Migration[],
  all: readonly Migration[],
): Promise<DrizzleApplied> {
  const rows = await readRows(db, qualified(schema, table));
  const hashes = new Set(rows.map(({ hash }) => hash));
  const names = new Set(rows.map(({ name }) => name).filter((name) => typeof name === "string"));
  const moments = new Set(rows.map(({ created_at: at }) => Number(at)));
  const findings: Finding[] = [];
  const migrations = pending.filter(({ version, file, drizzle }) => {
    if (drizzle.hashes.some((hash) => hashes.has(hash))) return true;
    const known = names.has(version) || (drizzle.when !== undefined && moments.has(drizzle.when));
    if (known)
      findings.push(
        folderWarning(
          "imported-changed",
          version,
          `${file} was edited after Drizzle's own migrator applied it here`,
          "It is taken over as applied, with the file as it is now: look whether the database has what it says",
        ),
      );
    return known;
  });
  const isOf = (row: DrizzleRow) => (migration: Migration) =>
    migration.drizzle.hashes.includes(row.hash) ||
    migration.version === row.name ||
    migration.drizzle.when === Number(row.created_at);
  const unknown = rows.filter((row) => !all.some(isOf(row))).length;
  if (unknown > 0)
    findings.push(
      folderWarning(
        "imported-missing",
        qualified(schema, table),
        `${unknown} of ${rows.length} migrations that Drizzle's own migrator applied here are not in the folder`,
        "Bring their files back, or see that what is left does not need them",
      ),
    );
  return { migrations, findings };
}

async function readRows(db: Queryable, table: string): Promise<readonly DrizzleRow[]> {
  try {
    const [row] = await db.query<{ json: string }>(
      `SELECT coalesce(pg_catalog.json_agg(pg_catalog.to_json(m)), '[]'::json)::text AS json FROM ${table} m`,
    );
    return JSON.parse(row?.json ?? "[]") as readonly DrizzleRow[];
  } catch (error) {
    if (["3F000", "42P01"].includes(sqlStateOf(error) ?? "")) return [];
    throw error;
  }
}
