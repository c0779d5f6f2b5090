import { toError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { textOption, type Call } from "./call.ts";
import { connectionFailure } from "./connection-failure.ts";
import { parseConnectionUrl, type Target } from "./connection-url.ts";
import { misuse } from "./misuse.ts";
import { msOption } from "./run-options.ts";

/** A database that was reached. */
export interface OpenDatabase {
  readonly db: DatabaseLike;
  readonly executor: Executor;
  /** Its URL without the password. */
  readonly shown: string;
  readonly close: () => Promise<void>;
}

/** Statement, heartbeat, watchdog and one to spare. */
const CONNECTIONS = 4;

const CONNECT_TIMEOUT_MS = 10_000;

/** Runs `work` on the database that the call names, and closes it afterwards. */
export async function withDatabase<T>(
  call: Call,
  work: (database: OpenDatabase) => Promise<T>,
): Promise<T> {
  const given = textOption(call, "url");
  const url = given ?? call.environment["DATABASE_URL"];
  if (url === undefined)
    throw misuse(
      "no database was named",
      "Give --url postgres://user@host:5432/database, or set DATABASE_URL.",
    );
  const database = await open(call, url, given === undefined ? "DATABASE_URL" : "--url");
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Runs `work` with the direct connection too, where the call names one. */
export async function withDirect<T>(
  call: Call,
  work: (direct: DatabaseLike | undefined) => Promise<T>,
): Promise<T> {
  const given = textOption(call, "direct-url");
  const url = given ?? call.environment["DIRECT_URL"];
  if (url === undefined) return work(undefined);
  const direct = await open(call, url, given === undefined ? "DIRECT_URL" : "--direct-url");
  try {
    return await work(direct.db);
  } finally {
    await direct.close();
  }
}

async function open(call: Call, url: string, source: string): Promise<OpenDatabase> {
  const target = parseConnectionUrl(url, source);
  const timeoutMs = msOption(call, "connect-timeout-ms") ?? CONNECT_TIMEOUT_MS;
  const handle = await connect(target, timeoutMs);
  try {
    const executor = toExecutor(handle.db);
    await firstAnswer(executor, timeoutMs);
    return { ...handle, executor, shown: target.shown };
  } catch (error) {
    // The first failure is the news; a client that never connected has nothing left to close.
    await handle.close().catch(() => {});
    throw connectionFailure(error, target.shown);
  }
}

interface Handle {
  readonly db: DatabaseLike;
  readonly close: () => Promise<void>;
}

async function connect(target: Target, timeoutMs: number): Promise<Handle> {
  if (target.kind === "server") return connectServer(target.url, timeoutMs);
  const { bootSandbox } = await import("../sandbox/boot.ts");
  const sandbox = await bootSandbox(target.kind === "directory" ? { dataDir: target.path } : {});
  return { db: sandbox.client, close: () => sandbox.close() };
}

/** A driver is an optional peer: a host that uses one installs one. */
async function connectServer(url: string, timeoutMs: number): Promise<Handle> {
  const drivers = [connectPostgresJs, connectNodePostgres];
  for (const driver of drivers) {
    try {
      return await driver(url, timeoutMs);
    } catch (error) {
      if (!isNotInstalled(error)) throw error;
    }
  }
  throw misuse("no PostgreSQL driver is installed", "npm install postgres (or: npm install pg)");
}

async function connectPostgresJs(url: string, timeoutMs: number): Promise<Handle> {
  const { default: postgres } = await import("postgres");
  const sql = postgres(url, {
    max: CONNECTIONS,
    connect_timeout: Math.max(1, Math.ceil(timeoutMs / 1000)),
    connection: { application_name: "underpin" },
    onnotice: () => {},
  });
  return { db: sql, close: () => sql.end({ timeout: 1 }) };
}

async function connectNodePostgres(url: string, timeoutMs: number): Promise<Handle> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: timeoutMs,
    application_name: "underpin",
  });
  // An idle client that loses its server is replaced by the pool; unheard, the event would end the process.
  pool.on("error", () => {});
  return { db: pool, close: () => pool.end() };
}

function isNotInstalled(error: unknown): boolean {
  const { code, message } = toError(error) as Error & { code?: string };
  return code === "ERR_MODULE_NOT_FOUND" && /'(postgres|pg)'/.test(message);
}

/** A server may accept the connection and never answer: some pooler that waits for a slot, or another protocol. */
async function firstAnswer(executor: Executor, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error("no answer"), { code: "CONNECT_TIMEOUT" })),
      timeoutMs,
    );
  });
  try {
    await Promise.race([executor.query("SELECT 1 AS one"), late]);
  } finally {
    clearTimeout(timer);
  }
}
