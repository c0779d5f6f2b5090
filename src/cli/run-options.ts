import type { DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import type { Handler, RunOptions } from "../run/options.ts";
import type { Observer } from "../run/events.ts";
import { textOption, type Call } from "./call.ts";
import { misuse } from "./misuse.ts";
import type { OptionName } from "./options.ts";

type MsOption = Extract<OptionName, `${string}-ms`>;

/** An option that is a number of milliseconds. */
export function msOption(call: Call, name: MsOption): number | undefined {
  const text = textOption(call, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 2_147_483_647)
    throw misuse(
      `--${name} is ${JSON.stringify(text)}, not a number of milliseconds`,
      `Write a whole number from 1 up: --${name} 2000`,
    );
  return value;
}

/** Where the run's own tables are. */
export function schemaOption(call: Call): { readonly runSchema?: string } {
  const runSchema = textOption(call, "run-schema");
  if (runSchema === "")
    throw misuse("--run-schema is empty", "Name a schema: --run-schema underpin");
  return runSchema === undefined ? {} : { runSchema };
}

/**
 * A data directory belongs to one process at a time, so that a lease found in it is of a process that is gone: no need to
 * wait long for its end.
 */
const EMBEDDED_LEASE_MS = 2_000;

/** What beside the command line goes into a run. */
export interface RunParts {
  readonly driver: Executor["driver"];
  readonly direct: DatabaseLike | undefined;
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly onEvent: Observer;
}

/** The options of a run, as the command line has them. */
export function runOptions(
  call: Call,
  { driver, direct, handlers, onEvent }: RunParts,
): RunOptions {
  const given = {
    lockTimeoutMs: msOption(call, "lock-timeout-ms"),
    lockBudgetMs: msOption(call, "lock-budget-ms"),
    retryDelayMs: msOption(call, "retry-delay-ms"),
    outsideWaitMs: msOption(call, "outside-wait-ms"),
    reconnectBudgetMs: msOption(call, "reconnect-budget-ms"),
    leaseMs: msOption(call, "lease-ms") ?? (driver === "pglite" ? EMBEDDED_LEASE_MS : undefined),
    whenBusy: whenBusy(call),
    direct,
  };
  return {
    ...(Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined),
    ) as RunOptions),
    ...schemaOption(call),
    handlers,
    onEvent,
    signal: call.signal,
  };
}

function whenBusy(call: Call): RunOptions["whenBusy"] {
  const value = textOption(call, "when-busy");
  if (value === undefined || value === "wait" || value === "return") return value;
  throw misuse(
    `--when-busy is ${JSON.stringify(value)}`,
    "It is wait or return: --when-busy return",
  );
}
