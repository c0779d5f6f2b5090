import { sqlStateOf, toError, UnderpinError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { ident, literal } from "../sql/quote.ts";
import { sleep } from "./backoff.ts";
import { runsHistory } from "./history/001-runs.ts";
import { provisionRequestsHistory } from "./history/002-provision-requests.ts";
import { backfillHistory } from "./history/003-backfill.ts";
import { schemaMigrationsHistory } from "./history/004-schema-migrations.ts";

/** The oldest server that underpin supports. */
export const OLDEST_SERVER = 15;

/** The run schema's own history, oldest first. A landed entry is never edited: a change is a new one. */
const HISTORY: readonly ((schema: string) => string)[] = [
  runsHistory,
  provisionRequestsHistory,
  backfillHistory,
  schemaMigrationsHistory,
];

/** What two processes that create the same thing at the same moment see; the loser looks again. */
const CLASHES = new Set(["23505", "42P06", "42P07", "42710", "40P01", "40001", "55P03"]);

const ATTEMPTS = 40;

/** What the run schema says about the server it lives on. */
export interface ServerFacts {
  readonly versionNum: number;
}

/**
 * Brings the run schema up to date, and refuses a server that cannot serve.
 *
 * Processes that start together create it once: each tries in one transaction, and one that clashes on a name looks again.
 * No advisory lock: a session that blocks on one makes CREATE INDEX CONCURRENTLY deadlock.
 */
export async function ensureRunSchema(executor: Executor, schema: string): Promise<ServerFacts> {
  const read = () =>
    readServer(executor, schema).catch((error: unknown): never => {
      throw sqlStateOf(error) === "42501" ? missingRight(schema, error) : error;
    });
  const server = await read();
  if (server.version > HISTORY.length)
    throw new UnderpinError({
      code: "unsupportedServer",
      message: `schema ${ident(schema)} is at version ${server.version}, this underpin knows ${HISTORY.length}`,
      hint: "A newer underpin has been here: npm install underpin@latest",
    });
  for (let attempt = 1, version = server.version; version < HISTORY.length; attempt++) {
    try {
      await migrate(executor, schema, version, server.schemaThere);
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === "42501") throw missingRight(schema, error);
      if (state === undefined || !CLASHES.has(state) || attempt === ATTEMPTS) throw error;
      await sleep(20 + Math.random() * 80);
    }
    version = (await read()).version;
  }
  return server;
}

async function migrate(
  executor: Executor,
  schema: string,
  from: number,
  schemaThere: boolean,
): Promise<void> {
  await executor.transaction(async (transaction) => {
    await transaction.query("SET LOCAL lock_timeout = '2s'");
    if (from === 0) {
      await transaction.query(
        // Even IF NOT EXISTS asks for the right to create schemas.
        `${schemaThere ? "" : `CREATE SCHEMA IF NOT EXISTS ${ident(schema)};`}
         CREATE TABLE ${ident(schema)}.versions (
           version integer PRIMARY KEY,
           installed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
         );
         COMMENT ON TABLE ${ident(schema)}.versions IS 'underpin: the history of this schema'`,
      );
    }
    for (const [index, history] of HISTORY.entries()) {
      if (index < from) continue;
      await transaction.query(history(schema));
      await transaction.query(
        `INSERT INTO ${ident(schema)}.versions (version) VALUES (${index + 1})`,
      );
    }
  });
}

interface ServerRow extends ServerFacts {
  readonly version: number;
  readonly schemaThere: boolean;
}

async function readServer(executor: Executor, schema: string): Promise<ServerRow> {
  const [row] = await executor.query<{
    num: string;
    replica: string;
    read_only: string;
    there: string;
    schema_there: string;
  }>(
    `SELECT pg_catalog.current_setting('server_version_num') AS num,
            pg_catalog.current_setting('default_transaction_read_only') AS read_only,
            pg_catalog.pg_is_in_recovery()::text AS replica,
            (SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace
              WHERE nspname = ${literal(schema)})::text AS schema_there,
            (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = ${literal(schema)} AND c.relname = 'versions')::text AS there`,
  );
  if (row === undefined) throw toError("the server returned no row for a query of its settings");
  const versionNum = Number(row.num);
  if (versionNum < OLDEST_SERVER * 10000)
    throw new UnderpinError({
      code: "unsupportedServer",
      message: `the server is PostgreSQL ${Math.floor(versionNum / 10000)}; underpin needs ${OLDEST_SERVER} or later`,
      hint: "Upgrade the server: its major is out of support.",
    });
  if (row.replica === "true")
    throw new UnderpinError({
      code: "unsupportedServer",
      message: "the server is a read-only replica (in recovery)",
      hint: "Connect to the primary.",
    });
  if (row.read_only === "on")
    throw new UnderpinError({
      code: "unsupportedServer",
      message: "transactions of this login are read-only by default",
      hint: "ALTER ROLE <this login> SET default_transaction_read_only = off; or use another login for migrations.",
    });
  const schemaThere = row.schema_there === "1";
  if (row.there === "0") return { versionNum, version: 0, schemaThere };
  const [installed] = await executor.query<{ version: string }>(
    `SELECT coalesce(pg_catalog.max(version), 0)::text AS version FROM ${ident(schema)}.versions`,
  );
  return { versionNum, version: Number(installed?.version ?? 0), schemaThere };
}

function missingRight(schema: string, cause: unknown): UnderpinError {
  return new UnderpinError({
    code: "missingRight",
    message: `this login may not create or use the run schema ${ident(schema)}: ${toError(cause).message}`,
    hint: `As the database's owner: CREATE SCHEMA ${ident(schema)} AUTHORIZATION <this login>; where it is there already: GRANT USAGE, CREATE ON SCHEMA ${ident(schema)} TO <this login>; GRANT ALL ON ALL TABLES IN SCHEMA ${ident(schema)} TO <this login>;`,
    cause,
  });
}
