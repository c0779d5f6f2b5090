import { UnderpinError } from "../errors.ts";
import { isExecutor, type Executor } from "./executor.ts";
import { fromNodePostgres, type PgPoolLike } from "./node-postgres.ts";
import { fromPglite, type PgliteLike } from "./pglite.ts";
import { fromPostgresJs } from "./postgres-js.ts";
import type { PostgresJsLike } from "./postgres-js-client.ts";

/** A Drizzle database over one of the drivers. */
export interface DrizzleLike {
  readonly $client: object;
}

/** Anything that underpin can work on: the handle that an application already has. */
export type DatabaseLike = Executor | DrizzleLike | PostgresJsClient | PgliteClient | PgPool;

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

/**
 * Adapts a database handle, chosen by its shape and never by `instanceof`.
 *
 * A Drizzle database has `query` and `transaction` like a PGlite, so `$client` is looked for first.
 */
export function toExecutor(db: DatabaseLike): Executor {
  if (isExecutor(db)) return db;
  const handle: unknown = db;
  if (typeof handle === "string")
    throw refused("a connection string", "Make a client of it: apply(postgres(url), …)");
  if ((typeof handle !== "object" && typeof handle !== "function") || handle === null)
    throw refused(
      String(handle),
      "Hand over a Drizzle db, a postgres.js client, a PGlite or a pg Pool.",
    );
  if (has(handle, "$client")) return fromDrizzle(handle.$client);
  if (has(handle, "session") && has(handle, "dialect")) throw drizzleWithoutClient(handle);
  return fromClient(handle, "");
}

function fromDrizzle(client: unknown): Executor {
  if (typeof client === "string" || client === undefined || client === null)
    throw refused(
      "a Drizzle mock",
      "drizzle.mock() has no database behind it: use createTestDatabase() of underpin/testing.",
    );
  return fromClient(client as object, "a Drizzle db over ");
}

function fromClient(client: object, over: string): Executor {
  if (typeof client === "function" && has(client, "begin") && has(client, "reserve"))
    return fromPostgresJs(client as unknown as PostgresJsLike);
  if (typeof client === "function" && has(client, "release"))
    throw refused(`${over}a reserved postgres.js connection`, USE_POOL);
  if (typeof client === "function" && has(client, "savepoint"))
    throw refused(`${over}a postgres.js transaction`, USE_POOL);
  if (isMethod(client, "exec") && isMethod(client, "query") && isMethod(client, "transaction"))
    return fromPglite(client as unknown as PgliteLike);
  if (isMethod(client, "exec") && isMethod(client, "query") && isMethod(client, "rollback"))
    throw refused(`${over}a PGlite transaction`, USE_POOL);
  if (has(client, "totalCount") && isMethod(client, "connect"))
    return fromNodePostgres(client as unknown as PgPoolLike);
  if (isMethod(client, "query") && isMethod(client, "connect"))
    throw refused(
      `${over}a lone pg Client`,
      "A run needs more than one connection: hand over new Pool({ connectionString }).",
    );
  if (typeof client === "function" || isMethod(client, "query"))
    throw refused(
      `${over}an HTTP driver`,
      "It has no sessions, and a transaction is one request: use postgres.js or a pg Pool for migrations.",
    );
  throw refused(
    `${over}something that is no database`,
    "Hand over a Drizzle db, a postgres.js client, a PGlite or a pg Pool.",
  );
}

const USE_POOL =
  "A run makes transactions of its own, and some steps run outside any: hand over the database itself.";

function drizzleWithoutClient(db: object): UnderpinError {
  return isMethod(db, "rollback") || has(db, "nestedIndex")
    ? refused("a Drizzle transaction", USE_POOL)
    : refused("a Drizzle db without $client", "Upgrade drizzle-orm: npm install drizzle-orm@0.45");
}

function refused(what: string, hint: string): UnderpinError {
  return new UnderpinError({
    code: "unsupportedDatabase",
    message: `underpin cannot work on ${what}`,
    hint,
  });
}

function has<K extends string>(value: object, key: K): value is { readonly [key in K]: unknown } {
  return key in value;
}

function isMethod(value: object, key: string): boolean {
  return typeof (value as Record<string, unknown>)[key] === "function";
}
