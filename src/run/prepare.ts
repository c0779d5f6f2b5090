import { isConnectionError, UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import type { Settings } from "./context.ts";
import { safeObserver, type Observer } from "./events.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "./options.ts";
import { ensureRunSchema } from "./run-schema.ts";

/** A database that is ready for runs. */
export interface Prepared {
  readonly executor: Executor;
  readonly direct: Executor | undefined;
  readonly settings: Settings;
  readonly versionNum: number;
  readonly emit: Observer;
}

/** Adapts the handle, fills in the defaults, and brings the run schema up to date. */
export async function prepare(db: DatabaseLike, options: RunOptions): Promise<Prepared> {
  const executor = toExecutor(db);
  const given = Object.fromEntries(
    Object.keys(DEFAULT_RUN_OPTIONS)
      .map((key) => [key, options[key as keyof RunOptions]] as const)
      .filter(([, value]) => value !== undefined),
  ) as Partial<Settings>;
  const settings: Settings = { ...DEFAULT_RUN_OPTIONS, ...given };
  refuseNoDuration(settings);
  const ensure = () => ensureRunSchema(executor, settings.runSchema);
  const { versionNum } = await ensure().catch((error: unknown) => {
    // A connection that died while it lay in the pool is found out by the first who uses it: the next one is new.
    if (!isConnectionError(error)) throw error;
    return ensure();
  });
  return {
    executor,
    direct: options.direct === undefined ? undefined : toExecutor(options.direct),
    settings,
    versionNum,
    emit: safeObserver(options.onEvent),
  };
}

/** To PostgreSQL a limit of 0 is none, and none is what this engine is there to prevent. */
function refuseNoDuration(settings: Settings): void {
  for (const [name, value] of Object.entries(settings))
    if (typeof value === "number" && !(Number.isFinite(value) && value > 0))
      throw new UnderpinError({
        code: "invalidInput",
        message: `${name} is ${value}: it must be a number of milliseconds above 0`,
        hint: `Leave it out for its default: DEFAULT_RUN_OPTIONS.${name}.`,
      });
}
