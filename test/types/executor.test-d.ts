import type { PGlite } from "@electric-sql/pglite";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { PgliteDatabase } from "drizzle-orm/pglite";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type pg from "pg";
import type postgres from "postgres";
import { expectTypeOf, it } from "vitest";
import { toExecutor, type DatabaseLike } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";

it("takes the real clients and the Drizzle dbs over them", () => {
  expectTypeOf<postgres.Sql>().toExtend<DatabaseLike>();
  expectTypeOf<postgres.Sql<{ bigint: bigint }>>().toExtend<DatabaseLike>();
  expectTypeOf<PGlite>().toExtend<DatabaseLike>();
  expectTypeOf<pg.Pool>().toExtend<DatabaseLike>();
  expectTypeOf<Executor>().toExtend<DatabaseLike>();
  type Schema = Record<string, never>;
  expectTypeOf<PostgresJsDatabase<Schema> & { $client: postgres.Sql }>().toExtend<DatabaseLike>();
  expectTypeOf<PgliteDatabase<Schema> & { $client: PGlite }>().toExtend<DatabaseLike>();
  expectTypeOf<NodePgDatabase<Schema> & { $client: pg.Pool }>().toExtend<DatabaseLike>();
  expectTypeOf(toExecutor).returns.toEqualTypeOf<Executor>();
});

it("takes nothing that cannot be a database", () => {
  expectTypeOf<string>().not.toExtend<DatabaseLike>();
  expectTypeOf<undefined>().not.toExtend<DatabaseLike>();
  expectTypeOf<{ connectionString: string }>().not.toExtend<DatabaseLike>();
  expectTypeOf<pg.Client>().not.toExtend<DatabaseLike>();
});
