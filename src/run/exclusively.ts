import type { DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { holdLease } from "./hold.ts";
import type { RunOptions } from "./options.ts";
import { prepare } from "./prepare.ts";

/** What came of work that one process at a time may do. */
export type Exclusive<T> = { readonly kind: "done"; readonly value: T } | { readonly kind: "busy" };

/**
 * Does work of a name while no other process does work of that name, or says at once that one does.
 *
 * It holds the lease of the name, a row with an expiry and no advisory lock: those of a session are stranded behind a
 * transaction pooler, and those of a transaction make CREATE INDEX CONCURRENTLY wait for ever. The lease fences nothing by itself:
 * what the work writes is fenced by the lease of the plan that it applies.
 */
export async function exclusively<T>(
  db: DatabaseLike,
  name: string,
  work: (executor: Executor) => Promise<T>,
  options: Pick<RunOptions, "runSchema" | "leaseMs" | "reconnectBudgetMs" | "signal" | "onEvent">,
): Promise<Exclusive<T>> {
  const { executor, settings, emit } = await prepare(db, options);
  return holdLease<Exclusive<T>>(
    {
      executor,
      settings: { ...settings, whenBusy: "return" },
      name,
      signal: options.signal,
      emit,
    },
    async () => undefined,
    async () => ({ kind: "busy" }),
    async () => ({ kind: "done", value: await work(executor) }),
  );
}
