import type { DatabaseLike } from "../executor/connect.ts";
import { ident } from "../sql/quote.ts";
import { phaseOfRun, type ControlOptions } from "./control.ts";
import type { BackfillProgress } from "./backfill/backfill-progress.ts";
import { readAllProgress } from "./backfill/progress.ts";
import { readRuns, type RunRecord, type RunState } from "./journal.ts";
import { prepare } from "./prepare.ts";
import type { Failure } from "./report.ts";
import { statesOf } from "./unit.ts";

/** Where a run is. */
export interface RunStatus {
  readonly name: string;
  readonly hash: string;
  /** As journaled; `interrupted` where it says running but no process holds the lease. */
  readonly state: RunState | "interrupted";
  readonly phase: string;
  readonly stepsApplied: number;
  readonly stepsTotal: number;
  /** The first step that is not applied. */
  readonly nextStep: string | undefined;
  readonly pauseRequested: boolean;
  /** Why it pauses, where it does so by itself. */
  readonly pauseReason: string | undefined;
  readonly rowsBackfilled: number;
  /** Its backfills that are under way, or that left rows behind. */
  readonly backfills: readonly BackfillProgress[];
  readonly startedAt: string;
  readonly changedAt: string;
  /** Who holds the lease now: host, process and a random part. */
  readonly owner: string | undefined;
  readonly failure: Failure | undefined;
}

/** Every run that is or was, the live ones first, then the newest. */
export async function runs(
  db: DatabaseLike,
  options: ControlOptions = {},
): Promise<readonly RunStatus[]> {
  const { executor, settings } = await prepare(db, options);
  const schema = settings.runSchema;
  const [row] = await executor.query<{ leases: string; rows: string }>(
    `SELECT (SELECT coalesce(pg_catalog.json_object_agg(name, owner), '{}'::json)::text
             FROM ${ident(schema)}.leases WHERE expires_at > pg_catalog.clock_timestamp()) AS leases,
            (SELECT coalesce(pg_catalog.json_object_agg(run_id, rows), '{}'::json)::text
             FROM (SELECT run_id, pg_catalog.sum(rows_changed) AS rows
                   FROM ${ident(schema)}.backfill_ranges GROUP BY run_id) b) AS rows`,
  );
  const owners = JSON.parse(row?.leases ?? "{}") as Readonly<Record<string, string>>;
  const rowsOf = JSON.parse(row?.rows ?? "{}") as Readonly<Record<string, number>>;
  const all = await readRuns(executor, schema);
  const progress = await readAllProgress(executor, schema, all.flatMap(backfillsOf));
  return all.map((run): RunStatus => {
    const stateOf = statesOf(run);
    const counted = run.plan.steps.filter(({ id }) => stateOf(id) !== "skipped");
    const live = run.state !== "undone";
    const owner = live ? owners[run.name] : undefined;
    return {
      name: run.name,
      hash: run.hash,
      state: run.state === "running" && owner === undefined ? "interrupted" : run.state,
      phase: phaseOfRun(run),
      stepsApplied: counted.filter(({ id }) => stateOf(id) === "applied").length,
      stepsTotal: counted.length,
      nextStep: counted.find(({ id }) => stateOf(id) !== "applied")?.id,
      pauseRequested: run.pauseRequested,
      pauseReason: run.pauseReason ?? undefined,
      backfills: progress.get(run.id) ?? [],
      rowsBackfilled: rowsOf[run.id] ?? 0,
      startedAt: run.startedAt,
      changedAt: run.changedAt,
      owner,
      failure: run.steps.find(({ error }) => error !== null)?.error ?? undefined,
    };
  });
}

function backfillsOf(
  run: RunRecord,
): readonly { readonly runId: string; readonly stepId: string }[] {
  const stateOf = statesOf(run);
  return run.plan.steps
    .filter(({ id, kind }) => kind === "backfill" && ["claimed", "failed"].includes(stateOf(id)))
    .map(({ id }) => ({ runId: run.id, stepId: id }));
}
