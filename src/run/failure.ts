import { isUnderpinError, sqlStateOf, toError } from "../errors.ts";
import { isCancelled } from "./context.ts";
import type { Blocker } from "./blockers.ts";
import type { Failure } from "./report.ts";

/** Carries the step and the statement of a failure up to where the report is made; never leaves the engine. */
export class StepFailed extends Error {
  readonly step: string;
  readonly sql: string | undefined;
  readonly blockers: readonly Blocker[] | undefined;
  /** Whose failure it is. What a handler of the host cannot reach is no lost connection of ours. */
  readonly origin: "database" | "host";

  constructor(
    step: string,
    sql: string | undefined,
    cause: unknown,
    blockers?: readonly Blocker[],
    origin: "database" | "host" = "database",
  ) {
    super(toError(cause).message, { cause });
    this.origin = origin;
    this.step = step;
    this.sql = sql;
    this.blockers = blockers;
  }
}

/** What really happened, of an error that may carry it to a report. */
export function causeOf(error: unknown): unknown {
  return error instanceof StepFailed ? toError(error.cause) : error;
}

/** Whether a handler of the host failed, and not the database. */
export function isOfHost(error: unknown): boolean {
  return error instanceof StepFailed && error.origin === "host";
}

/** Adds the statement to a failure, which may know already what was in the way. */
export function ofStatement(step: string, sql: string, cause: unknown): StepFailed {
  return cause instanceof StepFailed
    ? new StepFailed(step, sql, cause.cause, cause.blockers)
    : new StepFailed(step, sql, cause);
}

/** Names the step of an error, unless it names one already or is no failure but an end: cancelled, or taken over. */
export function ofStep(step: string, error: unknown, signal: AbortSignal | undefined): unknown {
  const ends = isCancelled(error, signal) || (isUnderpinError(error) && error.code === "leaseLost");
  return error instanceof StepFailed || ends ? error : new StepFailed(step, undefined, error);
}

/** A thrown value as the failure of a report. */
export function toFailure(error: unknown): Failure {
  const failed = error instanceof StepFailed ? error : undefined;
  const origin = failed === undefined ? error : failed.cause;
  const sqlState = sqlStateOf(origin);
  return {
    step: failed?.step,
    message: toError(origin).message,
    ...(isUnderpinError(origin) ? { code: origin.code, hint: origin.hint } : {}),
    ...(sqlState === undefined ? {} : { sqlState }),
    ...(failed?.sql === undefined ? {} : { sql: failed.sql }),
    ...(failed?.blockers === undefined ? {} : { blockers: failed.blockers }),
  };
}
