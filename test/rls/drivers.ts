import { Cache } from "drizzle-orm/cache/core";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import { drizzle as drizzle044Pg } from "drizzle-orm-044/node-postgres";
import { drizzle as drizzle044Pglite } from "drizzle-orm-044/pglite";
import { drizzle as drizzle044PostgresJs } from "drizzle-orm-044/postgres-js";
import type { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { afterAll } from "vitest";
import { ident } from "../../src/sql/quote.ts";
import type { TestEngine } from "../support/server.ts";

/** A Drizzle database, typed as PGlite's: what is used here is the same on all. */
export type Db = ReturnType<typeof drizzlePglite>;

/** A cache that keeps everything. */
export class EverybodysCache extends Cache {
  readonly rows = new Map<string, unknown[]>();
  strategy(): "all" {
    return "all";
  }
  get(key: string): Promise<unknown[] | undefined> {
    return Promise.resolve(this.rows.get(key));
  }
  put(key: string, response: unknown): Promise<void> {
    this.rows.set(key, response as unknown[]);
    return Promise.resolve();
  }
  onMutate(): Promise<void> {
    return Promise.resolve();
  }
}

/** A login that holds nothing and may act as the personas, as the pool of an application should. */
export function loginOf(engine: TestEngine, roles: readonly string[]): () => Promise<string> {
  let made: Promise<string> | undefined;
  const make = async (): Promise<string> => {
    const { server } = engine;
    if (server === undefined) return "";
    const login = await server.role("app", { attributes: "NOINHERIT" });
    await server.sql().unsafe(`GRANT ${roles.map(ident).join(", ")} TO ${ident(login)}`);
    return server.urlAs(login);
  };
  return () => (made ??= make());
}

/** Each driver, typed as the first: what is used here is the same on all. */
export function driversOf(
  engine: TestEngine,
  login: () => Promise<string>,
): Readonly<Record<string, (cache?: Cache) => Promise<Db>>> {
  const { server } = engine;
  // Tables and caches of 0.45 serve 0.44 too: Drizzle knows its own by symbols of the global registry.
  const options = (cache?: Cache) => (cache === undefined ? {} : { cache: cache as never });
  if (server === undefined) {
    const client = () => engine.db() as PGlite;
    return {
      PGlite: (cache) => Promise.resolve(drizzlePglite(client(), options(cache))),
      "PGlite and Drizzle 0.44": (cache) =>
        Promise.resolve(drizzle044Pglite(client(), options(cache)) as unknown as Db),
    };
  }
  const pools: pg.Pool[] = [];
  afterAll(() => Promise.all(pools.map((pool) => pool.end())));
  const sqlOf = async () => server.connect(await login(), { max: 4 });
  const poolOf = async () => {
    const pool = new pg.Pool({ connectionString: await login(), max: 4 });
    pools.push(pool);
    return pool;
  };
  return {
    "postgres.js": async (cache) =>
      drizzlePostgresJs(await sqlOf(), options(cache)) as unknown as Db,
    "postgres.js and Drizzle 0.44": async (cache) =>
      drizzle044PostgresJs(await sqlOf(), options(cache)) as unknown as Db,
    "node-postgres": async (cache) => drizzlePg(await poolOf(), options(cache)) as unknown as Db,
    "node-postgres and Drizzle 0.44": async (cache) =>
      drizzle044Pg(await poolOf(), options(cache)) as unknown as Db,
  };
}

/** The rows of a raw query, whatever the driver. */
export function rowsOf(result: unknown): unknown[] {
  const rows = Array.isArray(result) ? (result as unknown[]) : (result as { rows: unknown[] }).rows;
  return rows.map((row) => ({ ...(row as object) }));
}
