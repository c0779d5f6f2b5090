import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { hashPlan } from "../plan/hash.ts";
import type { Plan, Step } from "../plan/step.ts";
import { ident } from "../sql/quote.ts";
import { fenceSql, refuseLostLease, type Lease } from "./lease.ts";
import type { Failure } from "./report.ts";

/** What a run is in. `running` without a live lease was interrupted: apply goes on from there. */
export type RunState =
  | "running"
  | "waiting"
  | "paused"
  | "stopped"
  | "failed"
  | "applied"
  | "undoing"
  | "undone";

/** What a step is in. `claimed` without an answer is in doubt: the catalog is asked. */
export type StepState =
  | "pending"
  | "skipped"
  | "claimed"
  | "confirmed"
  | "failed"
  | "applied"
  | "undone";

/** One step as the journal has it. */
export interface StepRecord {
  readonly id: string;
  readonly state: StepState;
  readonly attempts: number;
  readonly error: Failure | null;
}

/** One run as the journal has it. */
export interface RunRecord {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly plan: Plan;
  readonly state: RunState;
  readonly pauseRequested: boolean;
  /** Why it pauses, where it does so by itself. */
  readonly pauseReason: string | null;
  /** How far an undo that is under way goes; null for all of it. */
  readonly undoUpTo: string | null;
  readonly startedAt: string;
  readonly changedAt: string;
  readonly steps: readonly StepRecord[];
}

/** The live run of a name, else its newest one; all live and ended runs without a name, newest first. */
export async function readRuns(
  db: Queryable,
  schema: string,
  name?: string,
): Promise<readonly RunRecord[]> {
  const s = ident(schema);
  const [row] = await db.query<{ json: string }>(
    `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
       'id', r.id::text, 'name', r.name, 'hash', r.hash, 'plan', r.plan, 'state', r.state,
       'pauseRequested', r.pause_requested, 'pauseReason', r.pause_reason, 'undoUpTo', r.undo_up_to, 'startedAt', r.started_at, 'changedAt', r.changed_at,
       'steps', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'id', s.id, 'state', s.state, 'attempts', s.attempts, 'error', s.error) ORDER BY s.ordinal)
        FROM ${s}.steps s WHERE s.run_id = r.id)) ORDER BY r.state = 'undone', r.id DESC),
       '[]'::json)::text AS json
     FROM ${s}.runs r WHERE $1::text IS NULL OR r.name = $1::text`,
    [name ?? null],
  );
  return JSON.parse(row?.json ?? "[]") as readonly RunRecord[];
}

/** The live run of a name, if there is one. */
export async function readLiveRun(
  db: Queryable,
  schema: string,
  name: string,
): Promise<RunRecord | undefined> {
  const [newest] = await readRuns(db, schema, name);
  return newest?.state === "undone" ? undefined : newest;
}

/** Writes a new run with all its steps; those that are not for this server are `skipped` for good. */
export async function createRun(
  db: Queryable,
  lease: Lease,
  plan: Plan,
  serverVersionNum: number,
): Promise<void> {
  const s = ident(lease.schema);
  const steps = plan.steps.map((step, ordinal) => ({
    id: step.id,
    ordinal,
    state: isForServer(step, serverVersionNum) ? "pending" : "skipped",
  }));
  const rows = await db.query(
    `WITH fence AS (${fenceSql(lease)}),
     run AS (
       INSERT INTO ${s}.runs (name, hash, plan, state, server_version_num)
       SELECT $1::text, $2::text, $3::text::jsonb, 'running', $4::int FROM fence RETURNING id)
     INSERT INTO ${s}.steps (run_id, id, ordinal, state)
     SELECT run.id, step.id, step.ordinal, step.state
     FROM run, pg_catalog.json_to_recordset($5::text::json) AS step (id text, ordinal int, state text)
     RETURNING id`,
    [plan.name, hashPlan(plan), JSON.stringify(plan), serverVersionNum, JSON.stringify(steps)],
  );
  refuseLostLease(rows, lease);
}

/** Whether a step is for a server of this version. */
export function isForServer({ when }: Step, serverVersionNum: number): boolean {
  const match = when === undefined ? undefined : /^(>=|<)(\d+)$/.exec(when.server);
  if (match === undefined) return true;
  if (match === null)
    throw new UnderpinError({
      code: "invalidInput",
      message: `a step is for servers "${when?.server}", which is not a range`,
      hint: 'Write { server: ">=18" } or { server: "<18" }.',
    });
  const major = Math.floor(serverVersionNum / 10_000);
  return match[1] === ">=" ? major >= Number(match[2]) : major < Number(match[2]);
}

/**
 * Sets the state of the run; with the fence, in one statement, and when it is applied the state of the runs that its plan
 * voids. An undo that begins forgets a pause of the way there, and
 * remembers how far it goes.
 */
export async function writeRunState(
  db: Queryable,
  lease: Lease,
  runId: string,
  state: RunState,
  undoUpTo?: string,
): Promise<void> {
  const rows = await db.query(
    `WITH fence AS (${fenceSql(lease)}), voided AS (
       UPDATE ${ident(lease.schema)}.runs v
       SET state = 'undone', changed_at = pg_catalog.clock_timestamp()
       FROM fence, ${ident(lease.schema)}.runs mine
       WHERE mine.id = $1::text::bigint AND $2::text = 'applied' AND v.state = 'applied'
         AND v.name IN (SELECT pg_catalog.jsonb_array_elements_text(mine.plan -> 'voids')))
     UPDATE ${ident(lease.schema)}.runs r
     SET state = $2::text, changed_at = pg_catalog.clock_timestamp(),
         undo_up_to = CASE WHEN $2::text <> 'undoing' THEN NULL
           WHEN r.state = 'undoing' THEN r.undo_up_to ELSE $3::text END,
         pause_requested = r.pause_requested AND NOT ($2::text = 'undoing' AND r.state <> 'undoing')
     FROM fence WHERE r.id = $1::text::bigint RETURNING r.id`,
    [runId, state, undoUpTo ?? null],
  );
  refuseLostLease(rows, lease);
}

/** What is written about a step. */
export interface StepChange {
  readonly state: StepState;
  readonly failure?: Failure;
  /** The backend that is about to run it outside a transaction. */
  readonly backend?: "this";
}

/** Writes the state of a step; with the fence, in one statement. */
export async function writeStep(
  db: Queryable,
  lease: Lease,
  runId: string,
  stepId: string,
  { state, failure, backend }: StepChange,
): Promise<void> {
  const own = (column: string) =>
    backend === "this"
      ? `(SELECT a.${column} FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid())`
      : "NULL";
  const rows = await db.query(
    `WITH fence AS (${fenceSql(lease)})
     UPDATE ${ident(lease.schema)}.steps s
     SET state = $3::text, error = $4::text::jsonb, changed_at = pg_catalog.clock_timestamp(),
         backend_pid = ${own("pid")}, backend_start = ${own("backend_start")},
         attempts = attempts + (CASE WHEN $3::text IN ('failed', 'applied') THEN 1 ELSE 0 END)
     FROM fence WHERE s.run_id = $1::text::bigint AND s.id = $2::text RETURNING s.id`,
    [runId, stepId, state, failure === undefined ? null : JSON.stringify(failure)],
  );
  refuseLostLease(rows, lease);
}
