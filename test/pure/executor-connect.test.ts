import { PGlite } from "@electric-sql/pglite";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import postgres from "postgres";
import { describe, expect, it } from "vitest";
import { toExecutor, type DatabaseLike } from "../../src/executor/connect.ts";
import { brandExecutor } from "../../src/executor/executor.ts";

// None of these clients connects before its first query.
const URL_OF_NOBODY = "postgres://nobody@localhost:1/nothing";
const sql = postgres(URL_OF_NOBODY);
const pool = new pg.Pool({ connectionString: URL_OF_NOBODY });

function refusal(handle: unknown): unknown {
  try {
    return toExecutor(handle as DatabaseLike).driver;
  } catch (error) {
    return error;
  }
}

describe("a database handle", () => {
  it.each<[string, string, () => unknown]>([
    ["a postgres.js client", "postgres.js", () => sql],
    ["a pg Pool", "pg", () => pool],
    ["a Drizzle db over postgres.js", "postgres.js", () => drizzlePostgresJs(sql)],
    ["a Drizzle db over a pg Pool", "pg", () => drizzlePg(pool)],
  ])("is known by its shape: %s", (_name, driver, handle) => {
    expect(refusal(handle())).toBe(driver);
  });

  it("is known by its shape: a PGlite, and a Drizzle db over it", async () => {
    const pglite = new PGlite();
    expect(refusal(pglite)).toBe("pglite");
    expect(refusal(drizzlePglite(pglite))).toBe("pglite");
    await pglite.waitReady;
    await pglite.transaction(async (tx) => {
      expect(refusal(tx)).toMatchObject({
        code: "unsupportedDatabase",
        message: "underpin cannot work on a PGlite transaction",
      });
      await Promise.resolve();
    });
    await drizzlePglite(pglite).transaction(async (tx) => {
      expect(refusal(tx)).toMatchObject({
        code: "unsupportedDatabase",
        message: "underpin cannot work on a Drizzle transaction",
      });
      await Promise.resolve();
    });
    await pglite.close();
  });

  it("is taken as it is when it is an executor, also one of another copy of this package", () => {
    const executor = toExecutor(sql);
    expect(toExecutor(executor)).toBe(executor);
    const foreign = { ...executor, [Symbol.for("underpin.executor")]: true };
    expect(toExecutor(foreign)).toBe(foreign);
    expect(Object.keys(brandExecutor({ ...executor }))).toEqual(Object.keys(executor));
  });

  // The shapes of drivers that are no dependency here.
  const httpClient = Object.assign(() => undefined, {
    query: () => undefined,
    transaction: () => undefined,
  });
  const bunClient = Object.assign(() => undefined, {
    begin: () => undefined,
    reserve: () => undefined,
    options: {},
  });

  it.each<[string, () => unknown, string]>([
    ["nothing", () => undefined, "undefined"],
    ["null", () => null, "null"],
    ["a number", () => 7, "7"],
    ["a URL", () => URL_OF_NOBODY, "a connection string"],
    ["an options object", () => ({ host: "localhost" }), "an object that is no database"],
    ["a lone pg Client", () => new pg.Client(), "a lone pg Client"],
    [
      "a Drizzle db over a lone pg Client",
      () => drizzlePg(new pg.Client()),
      "a Drizzle db over a lone pg Client",
    ],
    ["an HTTP client", () => httpClient, "an HTTP driver"],
    [
      "a Drizzle db over an HTTP client",
      () => ({ $client: httpClient }),
      "a Drizzle db over an HTTP driver",
    ],
    ["a Drizzle mock over postgres.js", () => drizzlePostgresJs.mock(), "a Drizzle mock"],
    ["a Drizzle mock over pg", () => drizzlePg.mock(), "a Drizzle mock"],
    ["a Drizzle mock over PGlite", () => drizzlePglite.mock(), "a Drizzle mock"],
    ["Bun's client", () => bunClient, "a client that only looks like postgres.js"],
    [
      "a client that renames columns",
      () => postgres(URL_OF_NOBODY, { transform: postgres.camel }),
      "a postgres.js client that renames columns",
    ],
  ])("is refused by name: %s", (_name, handle, what) => {
    expect(refusal(handle())).toMatchObject({
      code: "unsupportedDatabase",
      message: `underpin cannot work on ${what}`,
      hint: expect.stringMatching(/\w+/) as string,
    });
  });
});
