import { performance } from "node:perf_hooks";
import type { TestServer } from "../support/server.ts";

/** An application that does the same thing again and again, and takes the time of it. */
export interface Traffic {
  /** Ends it, and returns the longest that any of its statements took. */
  stop(): Promise<number>;
}

/** Runs each statement again and again on a connection of its own. */
export async function startTraffic(
  server: TestServer,
  statements: readonly string[],
): Promise<Traffic> {
  let stopping = false;
  let longestMs = 0;
  const loops = statements.map(async (statement) => {
    const sql = server.connect({ max: 1 });
    await sql.unsafe("SELECT 1");
    return {
      ended: (async () => {
        while (!stopping) {
          const beganMs = performance.now();
          await sql.unsafe(statement);
          longestMs = Math.max(longestMs, performance.now() - beganMs);
        }
        await sql.end();
      })(),
    };
  });
  const running = await Promise.all(loops);
  return {
    async stop() {
      stopping = true;
      await Promise.all(running.map(({ ended }) => ended));
      return longestMs;
    },
  };
}

/** A transaction that stays open, with what it has done. */
export interface OpenTransaction {
  readonly pid: number;
  commit(): Promise<void>;
}

/** Opens a transaction, runs one statement in it, and leaves it open. */
export async function openTransaction(
  server: TestServer,
  statement: string,
): Promise<OpenTransaction> {
  const sql = server.connect({ max: 1 });
  const [row] = await sql<{ pid: number }[]>`select pg_catalog.pg_backend_pid() as pid`;
  await sql.unsafe(`BEGIN; ${statement}`);
  return {
    pid: row?.pid ?? 0,
    async commit() {
      await sql.unsafe("COMMIT");
      await sql.end();
    },
  };
}

/** Waits until a condition holds, looking every few milliseconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const beganMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - beganMs > withinMs)
      throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
