import { UnderpinError } from "../errors.ts";
import { isExecutor, type Executor } from "./executor.ts";
import { fromNodePostgres, type PgPoolLike } from "./node-postgres.ts";
import { fromPglite, type PgliteLike } from "./pglite.ts";
import type { PostgresJsLike } from "./postgres-js-client.ts";
import { fromPostgresJs } from "./postgres-js.ts";

/** A Drizzle database over one of the drivers. */
export interface DrizzleLike {
  readonly $client: object;
}

/** A postgres.js client, by shape. */
export interface PostgresJsClient {
  readonly begin: unknown;
  readonly reserve: unknown;
  readonly unsafe: unknown;
}

/** A PGlite, by shape. */
export interface PgliteClient {
  readonly exec: unknown;
  readonly query: unknown;
  readonly transaction: unknown;
}

/** A node-postgres pool, by shape. */
export interface PgPool {
  readonly totalCount: number;
  readonly connect: unknown;
}

/** Anything that underpin can work on: the handle that an application already has. */
export type DatabaseLike = Executor | DrizzleLike | PostgresJsClient | PgliteClient | PgPool;

/**
 * Adapts a database handle, chosen by its shape and never by `instanceof`: two copies of a driver may live in one process.
 *
 * A Drizzle database has `query` and `transaction` like a PGlite, so `$client` is looked for first.
 *
 * @example
 * const executor = toExecutor(drizzle(new Pool({ connectionString: process.env.DATABASE_URL })));
 */
export function toExecutor(db: DatabaseLike): Executor {
  const handle: unknown = db;
  if (typeof handle === "string")
    throw refused("a connection string", "Make a client of it: postgres(url).");
  if (!isHandle(handle)) throw refused(String(handle), WHAT_FITS);
  if (isExecutor(handle)) return handle;
  if (!("$client" in handle)) return fromClient(handle, "");
  if (!isHandle(handle.$client) || isMock(handle.$client))
    throw refused(
      "a Drizzle mock",
      "There is no database behind drizzle.mock(): use createTestDatabase() of underpin/testing.",
    );
  return fromClient(handle.$client, "a Drizzle db over ");
}

type Handle = Readonly<Record<string, unknown>>;

function isHandle(value: unknown): value is Handle {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function fromClient(client: Handle, over: string): Executor {
  const is = (...methods: string[]) => methods.every((name) => typeof client[name] === "function");
  const callable = typeof (client as unknown) === "function";
  if (callable && is("begin", "reserve")) {
    const refusal = refusalOfPostgresJs(client);
    if (refusal !== undefined) throw refused(over + refusal.what, refusal.hint);
    return fromPostgresJs(client as unknown as PostgresJsLike);
  }
  if (is("exec", "query", "transaction")) return fromPglite(client as unknown as PgliteLike);
  if ("totalCount" in client && is("connect"))
    return fromNodePostgres(client as unknown as PgPoolLike);

  if (callable && is("savepoint")) throw refused(`${over}a postgres.js transaction`, USE_WHOLE);
  if (callable && is("release"))
    throw refused(`${over}a reserved postgres.js connection`, USE_WHOLE);
  if (is("exec", "query", "rollback")) throw refused(`${over}a PGlite transaction`, USE_WHOLE);
  if ("session" in client && "dialect" in client)
    throw is("rollback")
      ? refused("a Drizzle transaction", USE_WHOLE)
      : refused("a Drizzle db of a driver that it cannot use", USE_DRIVERS);
  if (is("query", "connect"))
    throw refused(
      `${over}a lone pg Client`,
      "A run needs more than one connection: hand over new Pool({ connectionString }).",
    );
  if (callable || is("query") || is("send"))
    throw refused(
      `${over}an HTTP driver`,
      `Each of its requests may be another connection. ${USE_DRIVERS}`,
    );
  throw refused(`${over}an object that is no database`, WHAT_FITS);
}

/** Only postgres.js itself is used through its own connections; and what renames columns renames ours too. */
function refusalOfPostgresJs({ options }: Handle): { what: string; hint: string } | undefined {
  const { shared, transform } = (options ?? {}) as {
    readonly shared?: unknown;
    readonly transform?: {
      readonly column?: { readonly from?: unknown };
      readonly row?: { readonly from?: unknown };
    };
  };
  if (shared === undefined)
    return { what: "a client that only looks like postgres.js", hint: USE_DRIVERS };
  if (transform?.column?.from !== undefined || transform?.row?.from !== undefined)
    return {
      what: "a postgres.js client that renames columns",
      hint: "Its transform option changes the columns of every query. Hand over a client without it: postgres(url).",
    };
  return undefined;
}

/** drizzle.mock() has an object without a method for a client. */
function isMock(client: Handle): boolean {
  const prototype: unknown = Object.getPrototypeOf(client);
  return (
    prototype === Object.prototype &&
    !Object.values(client).some((value) => typeof value === "function")
  );
}

const WHAT_FITS = "Hand over a Drizzle db, a postgres.js client, a PGlite or a pg Pool.";
const USE_WHOLE =
  "A run makes transactions of its own, and some steps run outside of any: hand over the database itself.";
const USE_DRIVERS =
  "Use drizzle-orm/postgres-js, drizzle-orm/node-postgres or drizzle-orm/pglite for this.";

function refused(what: string, hint: string): UnderpinError {
  return new UnderpinError({
    code: "unsupportedDatabase",
    message: `underpin cannot work on ${what}`,
    hint,
  });
}
