import type { Executor } from "../executor/executor.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import type { Json } from "../plan/step.ts";
import type { Observer } from "./events.ts";

/**
 * A function of the host that a step names. That of a `call` must be idempotent: after a crash it is called again. That of a backfill
 * is given rows and returns rows, or as a throttle returns why to slow down.
 */
export interface Handler {
  readonly version: number;
  // A method, so that a function over rows of a type of their own is one too.
  run(argument: Json, context: HandlerContext): unknown;
}

/** What a handler is given. */
export interface HandlerContext {
  /** The database of the run. The handler runs in no transaction. */
  readonly executor: Executor;
  readonly signal: AbortSignal | undefined;
}

/** How to run. */
export interface RunOptions {
  /** Schema of the run's own tables. @default "underpin" */
  readonly runSchema?: string;
  /**
   * The longest that a reader or writer of a table may wait because of one transaction of ours: for a table lock that we queue
   * for, and under one that we hold. Locks of rows last as long as the statement or batch that changes them. More than `deadlock_timeout` (1 s), since autovacuum gives way only after that. @default 2000
   */
  readonly lockTimeoutMs?: number;
  /** How long to go on trying for one transaction's locks before the run fails with the blockers' names. @default 600_000 */
  readonly lockBudgetMs?: number;
  /** Rest after the first failed try; later ones double, up to 15 s. @default 500 */
  readonly retryDelayMs?: number;
  /**
   * How long an `outside` statement may wait for old transactions, before it starts and, watched from another connection, while
   * it runs. On a pool of one nobody can watch it. @default 1_800_000
   */
  readonly outsideWaitMs?: number;
  /** How long to try to reconnect after the connection was lost. @default 60_000 */
  readonly reconnectBudgetMs?: number;
  /** How long a lease lives without a heartbeat. @default 30_000 */
  readonly leaseMs?: number;
  /** When another process holds the run: wait for it, or return its report at once. @default "wait" */
  readonly whenBusy?: "wait" | "return";
  /** A connection to the same database past the pooler, for `outside` steps. */
  readonly direct?: DatabaseLike;
  /** The functions that `call` steps and backfills name. */
  readonly handlers?: Readonly<Record<string, Handler>>;
  /** Stops between statements; a later `apply` goes on from there. */
  readonly signal?: AbortSignal;
  readonly onEvent?: Observer;
}

/** The defaults of {@link RunOptions}. */
export const DEFAULT_RUN_OPTIONS = {
  runSchema: "underpin",
  lockTimeoutMs: 2_000,
  lockBudgetMs: 600_000,
  retryDelayMs: 500,
  outsideWaitMs: 1_800_000,
  reconnectBudgetMs: 60_000,
  leaseMs: 30_000,
  whenBusy: "wait",
} as const satisfies RunOptions;
