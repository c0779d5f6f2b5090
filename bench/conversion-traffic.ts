import postgres from "postgres";

/** Which statement a writer sends as its `n`-th, by the `worker`-th connection. */
export type Statements = (n: number, worker: number) => string;

/** What an application met between two moments. */
export interface Met {
  /** Statements a second. */
  readonly rate: number;
  readonly longestMs: number;
  readonly p99Ms: number;
  /** Statements that failed, by SQLSTATE. */
  readonly failed: readonly string[];
}

/** An application of some connections that writes single rows without rest. */
export interface Traffic {
  /** What it met since the last call. */
  take(): Met;
  /** Other statements from now on. */
  turnTo(statements: Statements): void;
  stop(): Promise<void>;
}

/** Starts an application with so many connections. */
export function startApplication(url: string, first: Statements, connections = 2): Traffic {
  const sql = postgres(url, { max: connections, onnotice: () => undefined });
  let statements = first;
  let taken: number[] = [];
  let failed: string[] = [];
  let began = performance.now();
  let running = true;
  // Since when each connection waits for its answer.
  const waiting: (number | undefined)[] = [];
  const work = Promise.all(
    Array.from({ length: connections }, async (_, worker) => {
      for (let n = 0; running; n += 1) {
        const at = performance.now();
        waiting[worker] = at;
        try {
          await sql.unsafe(statements(n, worker));
        } catch (error) {
          failed.push(String((error as { code?: unknown }).code ?? error));
        }
        taken.push(performance.now() - at);
        waiting[worker] = undefined;
      }
    }),
  );
  return {
    take() {
      const now = performance.now();
      // One that waits still counts with what it has waited.
      const left = waiting.flatMap((since) => (since === undefined ? [] : [now - since]));
      const sorted = [...taken, ...left].sort((a, b) => a - b);
      const met = {
        rate: (1_000 * taken.length) / (now - began),
        longestMs: sorted.at(-1) ?? 0,
        p99Ms: sorted[Math.floor((sorted.length - 1) * 0.99)] ?? 0,
        failed,
      };
      [taken, failed, began] = [[], [], performance.now()];
      return met;
    },
    turnTo(next) {
      statements = next;
    },
    async stop() {
      running = false;
      await work;
      await sql.end();
    },
  };
}
