import { toError, UnderpinError } from "../../errors.ts";
import { toExecutor } from "../../executor/connect.ts";
import type { Executor } from "../../executor/executor.ts";
import type { LibpqVariables } from "./connection-of.ts";

/** A connection of our own, by the driver that the application has. */
interface Opened {
  readonly executor: Executor;
  readonly close: () => Promise<void>;
}

/** Runs work on a database that is reached by libpq's variables, and lets go of it. */
export async function connectedTo<T>(
  variables: LibpqVariables,
  work: (executor: Executor) => Promise<T>,
): Promise<T> {
  const { executor, close } = await open(variables);
  try {
    return await work(executor);
  } finally {
    await close();
  }
}

const CONNECTIONS = 4;

async function open(variables: LibpqVariables): Promise<Opened> {
  const { PGHOST: host = "localhost", PGPORT: port = "5432", PGUSER: user } = variables;
  const { PGPASSWORD: password, PGDATABASE: database, PGSSLMODE: ssl } = variables;
  const known = {
    host,
    port: Number(port),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
  };
  const encrypted = ssl !== undefined && ssl !== "disable";
  try {
    const { default: postgres } = await import("postgres");
    const sql = postgres({
      ...known,
      max: CONNECTIONS,
      onnotice: () => undefined,
      ...(encrypted ? { ssl: ssl as "require" } : {}),
    });
    return { executor: toExecutor(sql), close: () => sql.end({ timeout: 1 }) };
  } catch (error) {
    if (!isNotInstalled(error)) throw error;
  }
  try {
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({
      ...known,
      max: CONNECTIONS,
      ...(encrypted ? { ssl: { rejectUnauthorized: ssl.startsWith("verify") } } : {}),
    });
    pool.on("error", () => undefined);
    return { executor: toExecutor(pool), close: () => pool.end() };
  } catch (error) {
    if (!isNotInstalled(error)) throw error;
    throw new UnderpinError({
      code: "unsupportedDatabase",
      message: "no PostgreSQL driver is installed",
      hint: "npm install postgres (or: npm install pg)",
    });
  }
}

function isNotInstalled(error: unknown): boolean {
  const { code, message } = toError(error) as Error & { code?: string };
  return code === "ERR_MODULE_NOT_FOUND" && /'(postgres|pg)'/.test(message);
}
