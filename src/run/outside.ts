import { isConnectionError, isUnderpinError, UnderpinError } from "../errors.ts";
import type { Executor, Session } from "../executor/executor.ts";
import type { Probe, RowAccess, Statement } from "../plan/step.ts";
import type { Action } from "./action.ts";
import { readClaims } from "./claims.ts";
import { marker, type RunContext } from "./context.ts";
import { ofStatement, StepFailed, toFailure } from "./failure.ts";
import { isHeld, refuseLostLease, terminateBackend } from "./lease.ts";
import { writeStep } from "./journal.ts";
import { readProbe } from "./probe.ts";
import { refuseOverLockBudget } from "./preflight.ts";
import { retryOnLocks } from "./retry.ts";
import { showAllRows } from "./row-security.ts";
import { outsideSettings } from "./settings.ts";
import { waitForOldTransactions, watch } from "./watchdog.ts";

type OutsideStatement = Extract<Statement, { transaction: "outside" }>;

/**
 * Runs one statement that no transaction may hold, so that nothing rolls it back and nothing journals it with its effect.
 *
 * The backend that will run it is journaled first: as long as that very backend works, nobody takes the run over, and a frozen
 * process loses its backend to whoever does. What became of the statement after a crash is asked of the catalog.
 */
export async function runOutside(
  context: RunContext,
  action: Action,
  statement: OutsideStatement,
  claimedBefore: boolean,
): Promise<void> {
  const { emit } = context;
  const { id, title } = action.step;
  if (claimedBefore) await endLeftBackends(context);
  await refuseOverLockBudget(context.executor, statement.locks, statement.creates ?? 0, id);
  const startedMs = performance.now();
  let tried = claimedBefore;
  const trial = { step: id, sql: statement.sql, locks: [], suspects: statement.locks };
  await retryOnLocks(context, trial, async () => {
    const mayBeThere = tried || action.becomes === "undone";
    await waitForOldTransactions(context, id, statement.locks);
    tried = true;
    await runOnce(context, action, statement, mayBeThere);
  });
  const type = action.becomes === "applied" ? "stepApplied" : "stepUndone";
  emit({ type, step: id, title, elapsedMs: performance.now() - startedMs });
}

async function runOnce(
  context: RunContext,
  action: Action,
  statement: OutsideStatement,
  mayBeThere: boolean,
): Promise<void> {
  const { lease, runId } = context;
  const { id, title } = action.step;
  const { probe, sql, rows } = statement;
  await withDirect(context, id, async (session) => {
    await writeStep(session, lease, runId, id, { state: "claimed", backend: "this" });
    try {
      if ((await resolve(context, session, id, probe, mayBeThere)) === "absent") {
        context.emit({ type: "stepStarted", step: id, title, sql });
        await execute(context, session, id, sql, rows);
      }
    } catch (cause) {
      const failed = ofStatement(id, sql, cause);
      if (!isConnectionError(cause))
        // A clean-up that fails leaves the claim, and the next apply asks the catalog: the first failure is the news.
        await cleanUp(context, session, action, probe, failed).catch(() => {});
      throw failed;
    }
    await writeStep(session, lease, runId, id, { state: action.becomes });
  });
}

/** A connection of its own to the database of the run, past any pooler. */
function withDirect<T>(
  context: RunContext,
  step: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const executor = context.direct ?? context.executor;
  return executor.session(async (session) => {
    await refusePooler(session, executor, step);
    await refuseOtherDatabase(context, session);
    return work(session);
  });
}

/**
 * Finds out what became of a statement that an earlier process began, and journals it: applied, or not begun.
 * A broken rest is cleared.
 */
export async function settleClaim(
  context: RunContext,
  step: string,
  { probe }: OutsideStatement,
): Promise<void> {
  await endLeftBackends(context);
  const { lease, runId } = context;
  await withDirect(context, step, async (session) => {
    await writeStep(session, lease, runId, step, { state: "claimed", backend: "this" });
    const found = await resolve(context, session, step, probe, true);
    const state = found === "done" ? "applied" : "undone";
    await writeStep(session, lease, runId, step, { state });
  });
}

/** Runs a statement with no limit that could leave half of it behind, watched from another connection. */
async function execute(
  context: RunContext,
  session: Session,
  step: string,
  sql: string,
  rows: readonly RowAccess[] = [],
): Promise<void> {
  await session.withSettings(outsideSettings(context), async () => {
    await showAllRows(session, rows, step, false);
    await watch(context, session, step, () => session.query(`${marker(context, step)}${sql}`));
  });
}

/** Asks the catalog what is there, clears a broken rest, and says whether the statement is still to be run. */
async function resolve(
  context: RunContext,
  session: Session,
  step: string,
  probe: Probe,
  mayBeThere: boolean,
): Promise<"absent" | "done"> {
  const state = await readProbe(session, probe, step);
  if (state === "absent") return "absent";
  // What is there before we ever claimed the step was not made by it.
  if (!mayBeThere) throw thereBefore(step, state);
  if (state === "done") return "done";
  const { repair } = probe;
  if (repair === undefined) return "absent";
  context.emit({ type: "stepRepaired", step, sql: repair.sql });
  await execute(context, session, step, repair.sql);
  return repair.then === "done" ? "done" : "absent";
}

/** Takes away what a failed statement left, and gives the claim back. */
async function cleanUp(
  context: RunContext,
  session: Session,
  { step: { id }, becomes }: Action,
  probe: Probe,
  failed: StepFailed,
): Promise<void> {
  const { repair } = probe;
  const notOurs = isUnderpinError(failed.cause) && failed.cause.code === "inDoubt";
  if (!notOurs && repair?.then === "retry" && (await readProbe(session, probe, id)) === "broken") {
    context.emit({ type: "stepRepaired", step: id, sql: repair.sql });
    await execute(context, session, id, repair.sql);
  }
  const state = becomes === "applied" ? "failed" : "applied";
  await writeStep(session, context.lease, context.runId, id, { state, failure: toFailure(failed) });
}

/** Our own earlier connection may have died while its backend goes on: it must be gone before the catalog is asked. */
async function endLeftBackends({ executor, lease }: RunContext): Promise<void> {
  for (const claim of await readClaims(executor, lease.schema, lease.name))
    if (claim.backend !== "gone") await terminateBackend(executor, claim);
}

/**
 * A transaction pooler may hand the next statement to another backend, and session settings to a stranger.
 *
 * The server names its process id at connect; a pooler answers that handshake itself with a number of its own.
 */
async function refusePooler(session: Session, { driver }: Executor, step: string): Promise<void> {
  if (session.connectPid === undefined) return;
  const [row] = await session.query<{ pid: string }>(
    "SELECT pg_catalog.pg_backend_pid()::text AS pid",
  );
  if (Number(row?.pid) === session.connectPid) return;
  throw new StepFailed(
    step,
    undefined,
    new UnderpinError({
      code: "unsupportedServer",
      message: `step "${step}" must run outside a transaction on a connection of its own, and this ${driver} handle goes through a pooler`,
      hint: "Hand over a direct connection: apply(db, plan, { direct: postgres(DIRECT_URL) })",
    }),
  );
}

/** A clone of the database has the same lease with the same token: its owner, made new for every lease, tells them apart. */
async function refuseOtherDatabase(
  { direct, executor, lease }: RunContext,
  session: Session,
): Promise<void> {
  if (direct === undefined || (await isHeld(session, lease))) return;
  // Lost or elsewhere: where the run itself lives, only a lost lease is gone.
  refuseLostLease((await isHeld(executor, lease)) ? [lease] : [], lease);
  throw new UnderpinError({
    code: "invalidInput",
    message: `the connection for statements outside a transaction leads to another database: the lease of "${lease.name}" is not there`,
    hint: "Hand over a { direct } that leads to the database of the run; on the command line: --direct-url",
  });
}

function thereBefore(step: string, state: "done" | "broken"): UnderpinError {
  return new UnderpinError({
    code: "inDoubt",
    message: `step "${step}" finds its object ${state === "done" ? "there already" : "there already, unfinished (an INVALID index, or a pending detach)"}, though this run never began it`,
    hint: "Somebody else made it or is making it. If nobody is, drop it (DROP INDEX CONCURRENTLY …) and apply again.",
  });
}
