import { sqlStateOf, toError } from "../../errors.ts";
import { toExecutor, type DatabaseLike } from "../../executor/connect.ts";
import type { Executor } from "../../executor/executor.ts";
import { targetOf, type TableTarget } from "../../plan/target.ts";
import { DEFAULT_RUN_OPTIONS } from "../options.ts";
import type { HealthSample, HostHealth, ProbeHealth, Unread } from "./health-sample.ts";
import { readBackfills } from "./read-backfills.ts";
import { readProbeQuery } from "./read-probe.ts";
import { readServerHealth, type ServerHealth, type ServerRights } from "./read-server.ts";

/** What to look at. */
export interface SampleOptions {
  /** The tables to look at, partitioned ones with all their partitions. Left out: the ten with the most dead rows. */
  readonly tables?: readonly TableTarget[];
  /** Schema of underpin's own tables. @default "underpin" */
  readonly runSchema?: string;
  /** A query whose time tells how the database feels to an application. It runs in a read-only transaction. */
  readonly probe?: string;
  /** How long the server may take to answer. @default 5_000 */
  readonly timeoutMs?: number;
  /** What the host knows of the machine, for example by its metrics: SQL cannot tell. */
  readonly host?: () => HostHealth | Promise<HostHealth>;
}

/**
 * Reads how a database is: who waits for whom, what holds back vacuum, dead rows, replicas, WAL, connections, our own
 * backfills. Two statements, one where nothing of underpin is there; on first sight of a handle one more for its version.
 *
 * It takes no lock on any table of yours, so that it answers also while an ALTER TABLE stands in the queue. Any login may
 * call it. What PostgreSQL hides from the login is null and named in `unread`; GRANT pg_monitor shows all of it.
 *
 * @example
 * const sample = await sampleHealth(db, { tables: [{ table: "users" }], probe: "SELECT 1" });
 * for (const { pid, waiting, query } of sample.locks.blockers)
 *   console.log(`${waiting} wait for ${pid}: ${query}`);
 */
export async function sampleHealth(
  db: DatabaseLike,
  options: SampleOptions = {},
): Promise<HealthSample> {
  const executor = toExecutor(db);
  const { runSchema = DEFAULT_RUN_OPTIONS.runSchema, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const tables = options.tables?.map(targetOf);
  const versionNum = await versionOf(db, executor);
  const server = await readServerHealth(executor, { runSchema, tables, versionNum, timeoutMs });
  const { runs, rights, ...health } = server;
  const unread: Unread[] = [...unreadOf(rights, server)];
  const missing = (tables ?? []).filter(
    ({ schema, name }) =>
      !server.tables.some((found) => found.schema === schema && found.name === name),
  );
  for (const { schema, name } of missing)
    unread.push({ what: `table ${schema}.${name}`, why: "there is no such table" });
  const backfills =
    runs === "readable"
      ? await readBackfills(executor, runSchema).catch((error: unknown) => {
          // Taken away, or forbidden, since the first statement looked.
          if (!GONE.has(sqlStateOf(error) ?? "")) throw error;
          unread.push({ what: "backfills", why: toError(error).message });
          return [];
        })
      : [];
  const probe: ProbeHealth | null =
    options.probe === undefined ? null : await readProbeQuery(executor, options.probe, timeoutMs);
  const host = options.host === undefined ? null : await options.host();
  return { ...health, backfills, probe, host, unread };
}

const DEFAULT_TIMEOUT_MS = 5_000;

const GONE = new Set(["3F000", "42P01", "42501"]);

/** Whose functions a server has does not change while a handle is open. */
const versions = new WeakMap<object, number>();

async function versionOf(db: DatabaseLike, executor: Executor): Promise<number> {
  const known = versions.get(db);
  if (known !== undefined) return known;
  const [row] = await executor.query<{ num: string }>(
    "SELECT pg_catalog.current_setting('server_version_num') AS num",
  );
  const versionNum = Number(row?.num);
  versions.set(db, versionNum);
  return versionNum;
}

/** What this login may not read, whether or not there is any of it now. */
function unreadOf(
  { seesAll, role, tracksCounts, tracksActivities }: ServerRights,
  { replicas, runs }: ServerHealth,
): readonly Unread[] {
  const notMember = `${role} is no member of pg_read_all_stats: GRANT pg_monitor TO it`;
  return [
    ...(seesAll
      ? []
      : [
          {
            what: "states, queries, transactions and snapshots of other logins' sessions",
            why: notMember,
          },
          {
            what: "progress of other logins' and automatic vacuums and index builds",
            why: notMember,
          },
        ]),
    ...(seesAll || replicas.length === 0
      ? []
      : [{ what: "state and lag of replicas", why: notMember }]),
    ...(tracksActivities
      ? []
      : [{ what: "states and queries of sessions", why: "track_activities is off" }]),
    ...(tracksCounts ? [] : [{ what: "live and dead rows of tables", why: "track_counts is off" }]),
    ...(runs === "forbidden"
      ? [
          {
            what: "backfills",
            why: `${role} may not read the run schema: GRANT USAGE on it and SELECT on its tables`,
          },
        ]
      : []),
  ];
}
