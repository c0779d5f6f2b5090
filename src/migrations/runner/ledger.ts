import { sqlStateOf } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import { ident, literal } from "../../sql/quote.ts";
import type { Down, Migration } from "./migration.ts";

/** How a row came into the ledger. */
export type LedgerWay = "applied" | "baseline" | "imported" | "squashed" | "repaired";

/** One applied migration, as the ledger has it. */
export interface LedgerRow {
  readonly version: string;
  readonly appliedAt: string;
  readonly appliedBy: string;
  readonly checksum: string;
  /** What takes it back, as text. */
  readonly rollbackSql: string | null;
  /** Why nothing does. */
  readonly irreversible: string | null;
  /** Its file as it was applied. */
  readonly migrationSql: string | null;
  readonly way: LedgerWay;
  /** The squash that stands for it now. */
  readonly partOf: string | null;
  /** What takes it back: the text, the undo of its stored plan, a function of its file, or nothing. */
  readonly back: "sql" | "plan" | "function" | "nothing";
}

/** A row before it is written. */
export type NewLedgerRow = Omit<LedgerRow, "appliedAt" | "appliedBy" | "partOf">;

/** Which ledger: whose tables, and of which tenant; `""` is the database itself. */
export interface LedgerPlace {
  readonly runSchema: string;
  readonly tenant: string;
}

/** The state of the last run of one migration, where that is not simply applied. */
export interface MigrationRun {
  readonly name: string;
  readonly hash: string;
  readonly state: string;
  readonly stepsApplied: number;
  readonly stepsTotal: number;
  /** Steps whose outcome nobody knows yet. */
  readonly stepsClaimed: number;
}

/** All that the database says about migrations. */
export interface LedgerState {
  /** Whether there is a ledger at all. */
  readonly there: boolean;
  /** In the order in which they were applied. */
  readonly rows: readonly LedgerRow[];
  /** Live runs by name. */
  readonly runs: ReadonlyMap<string, MigrationRun>;
}

/** What the runs of migrations are called, so that they are told from all other runs. */
export const RUN_PREFIX = "migration ";
/** What the runs are called that take migrations back. */
export const BACK_PREFIX = "take back ";

/** The name of the run of a migration. */
export function runNameOf(version: string, tenant: string): string {
  return `${RUN_PREFIX}${version}${endingOf(tenant)}`;
}

/** The name of the run that takes a migration back. */
export function backNameOf(version: string, tenant: string): string {
  return `${BACK_PREFIX}${version}${endingOf(tenant)}`;
}

/** The version that a run of {@link runNameOf} is of. */
export function versionOf(name: string, tenant: string): string {
  return name.slice(RUN_PREFIX.length, name.length - endingOf(tenant).length);
}

function endingOf(tenant: string): string {
  return tenant === "" ? "" : ` of ${tenant}`;
}

/** Reads the ledger and the live runs of migrations in one statement. Asking makes nothing: without a ledger it is empty. */
export async function readLedger(
  db: Queryable,
  { runSchema, tenant }: LedgerPlace,
): Promise<LedgerState> {
  const s = ident(runSchema);
  const ending = endingOf(tenant);
  const counted = (state: string) =>
    `CASE WHEN r.state = 'applied' THEN 0 ELSE (SELECT pg_catalog.count(*) FROM ${s}.steps p
       WHERE p.run_id = r.id AND p.state ${state}) END`;
  try {
    const [row] = await db.query<{ rows: string; runs: string }>(
      `SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                 'version', m.version, 'appliedAt', m.applied_at, 'appliedBy', m.applied_by,
                 'checksum', m.checksum, 'rollbackSql', m.rollback_sql, 'irreversible', m.irreversible,
                 'migrationSql', m.migration_sql, 'way', m.way, 'partOf', m.part_of, 'back', m.back) ORDER BY m.ordinal), '[]'::json)
               FROM ${s}.schema_migrations m WHERE m.tenant = ${literal(tenant)})::text AS rows,
              (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', r.name, 'hash', r.hash, 'state', r.state,
                 'stepsApplied', ${counted("= 'applied'")}, 'stepsClaimed', ${counted("= 'claimed'")},
                 'stepsTotal', ${counted("<> 'skipped'")})), '[]'::json)
               FROM ${s}.runs r
               WHERE r.state <> 'undone' AND (r.name LIKE ${literal(`${RUN_PREFIX}%`)} OR r.name LIKE ${literal(`${BACK_PREFIX}%`)})
                 AND pg_catalog.right(r.name, ${ending.length}) = ${literal(ending)})::text AS runs`,
    );
    const runs = JSON.parse(row?.runs ?? "[]") as readonly MigrationRun[];
    return {
      there: true,
      rows: JSON.parse(row?.rows ?? "[]") as readonly LedgerRow[],
      runs: new Map(runs.map((run) => [run.name, run])),
    };
  } catch (error) {
    if (!["3F000", "42P01"].includes(sqlStateOf(error) ?? "")) throw error;
    return { there: false, rows: [], runs: new Map() };
  }
}

/** What the ledger keeps of one migration. */
export function ledgerRowOf(migration: Migration, down: Down, way: LedgerWay): NewLedgerRow {
  return {
    version: migration.version,
    checksum: migration.checksum,
    rollbackSql: down.kind === "sql" ? down.text : (migration.down?.text ?? null),
    irreversible: down.kind === "irreversible" ? down.reason : null,
    migrationSql: migration.text,
    way,
    back: BACK[down.kind],
  };
}

const BACK = {
  sql: "sql",
  plan: "plan",
  function: "function",
  irreversible: "nothing",
  none: "nothing",
} as const;

/** Writes rows into the ledger. */
export function insertSql(
  { runSchema, tenant }: LedgerPlace,
  rows: readonly NewLedgerRow[],
): string {
  const values = rows.map((row) =>
    [
      tenant,
      row.version,
      row.rollbackSql,
      row.checksum,
      row.migrationSql,
      row.irreversible,
      row.way,
      row.back,
    ]
      .map((value) => (value === null ? "NULL" : literal(value)))
      .join(", "),
  );
  return `INSERT INTO ${ident(runSchema)}.schema_migrations
  (tenant, version, rollback_sql, checksum, migration_sql, irreversible, way, back)
VALUES ${values.map((value) => `(${value})`).join(",\n  ")}`;
}

/** Takes the row of a version away. */
export function deleteSql({ runSchema, tenant }: LedgerPlace, version: string): string {
  return `DELETE FROM ${ident(runSchema)}.schema_migrations
WHERE tenant = ${literal(tenant)} AND ${literal(version)} IN (version, part_of)`;
}

/** Writes a squash in the place of its last part, and marks its parts: they stay, for a folder from before the squash. */
export function squashSql(place: LedgerPlace, row: NewLedgerRow, parts: readonly string[]): string {
  const table = `${ident(place.runSchema)}.schema_migrations`;
  const ofParts = `tenant = ${literal(place.tenant)} AND version IN (${parts.map((part) => literal(part)).join(", ")})`;
  return `${insertSql(place, [row])} ON CONFLICT DO NOTHING;
UPDATE ${table} SET part_of = ${literal(row.version)} WHERE ${ofParts};
UPDATE ${table} SET ordinal = (SELECT pg_catalog.max(ordinal) FROM ${table} WHERE ${ofParts})
WHERE tenant = ${literal(place.tenant)} AND version = ${literal(row.version)}`;
}
