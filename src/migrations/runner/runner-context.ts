import type { DatabaseLike } from "../../executor/connect.ts";
import { holdLease } from "../../run/hold.ts";
import type { Lease } from "../../run/lease.ts";
import type { RunOptions } from "../../run/options.ts";
import { prepare, type Prepared } from "../../run/prepare.ts";
import type { LedgerPlace } from "./ledger.ts";
import { checkTenant, executorFor, type Tenant } from "./tenant.ts";

/** What every function of the runner takes beside its own. */
export interface RunnerOptions extends RunOptions {
  /** Apply the folder to one schema of many, which has a ledger of its own. */
  readonly tenant?: Tenant;
}

/** A database that is ready for the runner. */
export interface RunnerContext extends Prepared {
  readonly place: LedgerPlace;
  readonly tenant: Tenant | undefined;
  /** What each single run is given. */
  readonly runOptions: RunOptions;
}

/** Adapts the handle, brings the run schema up to date, and turns names without a schema to the tenant's. */
export async function openRunner(
  db: DatabaseLike,
  { tenant, ...runOptions }: RunnerOptions,
): Promise<RunnerContext> {
  const prepared = await prepare(db, runOptions);
  const { runSchema } = prepared.settings;
  checkTenant(tenant, runSchema);
  const executor = executorFor(prepared.executor, tenant);
  const direct = prepared.direct === undefined ? undefined : executorFor(prepared.direct, tenant);
  return {
    ...prepared,
    executor,
    direct,
    place: { runSchema, tenant: tenant?.schema ?? "" },
    tenant,
    runOptions: { ...runOptions, ...(direct === undefined ? {} : { direct }) },
  };
}

/**
 * Runs `work` as the only one that migrates this database, or this tenant: of many processes that start together one works, and
 * the others wait and find nothing left.
 *
 * `ready` is asked first and may answer that there is nothing to do; then no lease is taken at all.
 */
export function asOnlyRunner<T>(
  { executor, settings, emit, place, runOptions: { signal } }: RunnerContext,
  ready: () => Promise<T | undefined>,
  busy: () => Promise<T>,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const name = place.tenant === "" ? "migrations" : `migrations of ${place.tenant}`;
  return holdLease({ executor, settings, name, signal, emit }, ready, busy, work);
}
