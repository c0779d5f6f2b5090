import type { Executor } from "../executor/executor.ts";
import type { Observer } from "./events.ts";
import type { Lease } from "./lease.ts";
import type { DEFAULT_RUN_OPTIONS, Handler, RunOptions } from "./options.ts";

/** Options with their defaults filled in. */
export type Settings = typeof DEFAULT_RUN_OPTIONS extends infer D
  ? { readonly [K in keyof D]: NonNullable<RunOptions[K & keyof RunOptions]> }
  : never;

/** All that the running of one step needs. */
export interface RunContext {
  readonly executor: Executor;
  readonly direct: Executor | undefined;
  readonly settings: Settings;
  readonly lease: Lease;
  readonly runId: string;
  readonly planName: string;
  readonly versionNum: number;
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly signal: AbortSignal | undefined;
  readonly emit: Observer;
}

/** What the work at a backfill needs: any process may join it, and only the one that runs the plan holds its lease. */
export type WorkContext = Omit<RunContext, "lease" | "direct">;

/** Thrown between statements when the caller's signal is aborted; never leaves the engine. */
export class Cancelled extends Error {
  readonly cancelled = true;
}

/** Stops here when the caller asked for it. */
export function checkCancelled({ signal }: Pick<RunContext, "signal">): void {
  if (signal?.aborted === true) throw new Cancelled("cancelled by the caller's signal");
}

/** Whether an error is the caller's own cancellation, also one raised by an aborted rest. */
export function isCancelled(error: unknown, signal: AbortSignal | undefined): boolean {
  return (
    signal?.aborted === true &&
    typeof error === "object" &&
    error !== null &&
    ("cancelled" in error || (error as { name?: unknown }).name === "AbortError")
  );
}

/** The comment that leads every statement, so that `pg_stat_activity` tells what runs. */
export function marker({ planName }: Pick<RunContext, "planName">, step: string): string {
  return `/* underpin ${`${planName} ${step}`.replaceAll("*/", "* /").replaceAll("/*", "/ *")} */ `;
}
