import type { Extensions, PGlite } from "@electric-sql/pglite";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import "./provided.ts";
import { testServer, type TestServer } from "./test-server.ts";

export type { TestRoleOptions, TestServer } from "./test-server.ts";

/**
 * Runs a block of tests once per real server, each time in a database of its own.
 *
 * Where a server cannot be had the block is skipped by name, with the reason, and the run's last lines say so.
 */
export function onServers(
  name: string,
  body: (server: TestServer) => void,
  { shared = false }: Sharing = {},
): void {
  const { servers, missing } = inject("underpinServers");
  for (const { major, url } of servers) {
    const opened = (): TestServer => {
      const server = testServer(major, url);
      beforeAll(() => server.open(), 60_000);
      afterAll(() => server.close(), 60_000);
      return server;
    };
    const ofFile = shared ? once(`PostgreSQL ${major}`, opened) : undefined;
    describe(`${name} on PostgreSQL ${major}`, { meta: { engine: `PostgreSQL ${major}` } }, () => {
      body(ofFile ?? opened());
    });
  }
  for (const { major, reason } of missing) {
    const meta = { engine: `PostgreSQL ${major}`, skipReason: reason } as const;
    describe.skip(`${name} on PostgreSQL ${major} (skipped: ${reason})`, { meta }, () => {
      body(testServer(major, "postgres://skipped"));
    });
  }
}

/** Whose the database of a block is. */
interface Sharing {
  /** One for all such blocks of the file, which clean up after themselves: a database costs more than most tests. */
  readonly shared?: boolean;
}

const databasesOfFile = new Map<string, unknown>();

function once<T>(name: string, make: () => T): T {
  if (!databasesOfFile.has(name)) {
    databasesOfFile.set(name, make());
    // Without isolation the next file finds this module as it was left.
    afterAll(() => void databasesOfFile.delete(name));
  }
  return databasesOfFile.get(name) as T;
}

/** One test per real server, in a database of its own; skipped by name where there is none. */
export function itNeedsServer(
  name: string,
  work: (server: TestServer) => Promise<void>,
  timeoutMs?: number,
): void {
  onServers(name, (server) => {
    it("holds", { ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) }, () => work(server));
  });
}

/** A database of one block of tests, on PGlite or a real server. */
export interface TestEngine {
  readonly kind: "pglite" | "server";
  readonly major: number;
  /** The client: a PGlite, or a postgres.js pool of ten. */
  db(): PGlite | Sql;
  executor(): Executor;
  /** There is one only where {@link kind} is `server`. */
  readonly server: TestServer | undefined;
}

/** Runs a block of tests on PGlite and on each real server, each time in a database of its own. */
export function onEngines(
  name: string,
  body: (engine: TestEngine) => void,
  { shared = false, ...options }: Sharing & { readonly extensions?: Extensions } = {},
): void {
  const opened = (): (() => Sandbox) => {
    let sandbox: Sandbox | undefined;
    beforeAll(async () => {
      sandbox = await bootSandbox(options);
    }, 60_000);
    afterAll(() => sandbox?.close());
    return () => {
      if (sandbox === undefined) throw new Error("the engine was asked for outside of a test");
      return sandbox;
    };
  };
  const ofFile = shared ? once("PGlite", opened) : undefined;
  describe(`${name} on PGlite`, { meta: { engine: "PGlite" } }, () => {
    const current = ofFile ?? opened();
    body({
      kind: "pglite",
      major: 18,
      server: undefined,
      db: () => current().client,
      executor: () => current().executor,
    });
  });
  onServers(
    name,
    (server) => {
      body({
        kind: "server",
        major: server.major,
        server,
        db: () => server.sql(),
        executor: () => toExecutor(server.sql()),
      });
    },
    { shared },
  );
}
