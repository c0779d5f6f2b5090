/**
 * A process that runs one job: told to it as a line of JSON on its standard input, once it has said that it is ready. It kills
 * itself, or freezes, where the job says so, and writes what became of it as lines of JSON.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import postgres, { type Sql } from "postgres";
import { isUnderpinError } from "../../src/errors.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { Report } from "../../src/run/report.ts";
import { undo } from "../../src/run/undo.ts";
import { withBoundaries, type Hook } from "./boundaries.ts";
import type { HostJob, HostMessage } from "./host-job.ts";
import { countPoints, type NamedPoint } from "./kill-points.ts";
import { handlersFor } from "./synthetic-plan.ts";

/** Written at once: a process that is about to be killed has no later. */
function tell(message: HostMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function killing({ killAt, trace }: HostJob, seen: NamedPoint[]): Hook {
  return countPoints(
    (point) => {
      if (trace === true) seen.push(point);
      return point.stream === killAt?.stream && point.number === killAt.number;
    },
    (point) => {
      tell({ type: "dying", point });
      process.kill(process.pid, "SIGKILL");
    },
  );
}

function freezing({ freezeBefore }: HostJob): Hook {
  let frozen = false;
  return (moment, { text }) => {
    if (freezeBefore === undefined || frozen || moment !== "before") return;
    if (!text.includes(freezeBefore)) return;
    frozen = true;
    tell({ type: "freezing" });
    process.kill(process.pid, "SIGSTOP");
  };
}

async function work(job: HostJob, database: Executor, direct?: Executor): Promise<Report> {
  const options: RunOptions = {
    ...job.options,
    ...(direct === undefined ? {} : { direct }),
    handlers: handlersFor(job.handlersWriteTo),
    ...(job.events === true ? { onEvent: (event) => tell({ type: "event", event }) } : {}),
  };
  if (job.task === "undo") return undo(database, job.plan, options);
  for (;;) {
    const report = await apply(database, job.plan, options);
    if (report.outcome !== "waiting" || job.task === "apply") return report;
    const gate = job.plan.steps.find(
      ({ id, kind }) =>
        kind === "gate" && report.steps.find((step) => step.id === id)?.state === "unapplied",
    );
    await confirm(database, job.plan.name, gate?.id ?? "", options);
  }
}

async function main(): Promise<void> {
  tell({ type: "ready" });
  const lines = createInterface({ input: process.stdin });
  const [line] = await new Promise<[string]>((resolve) =>
    lines.once("line", (text) => resolve([text])),
  );
  const job = JSON.parse(line) as HostJob;
  const seen: NamedPoint[] = [];
  const hooks = [freezing(job), killing(job, seen)];
  const pools: Sql[] = [];
  const open = (url: string): Executor => {
    const max = job.connections ?? 3;
    const sql = postgres(url, { max, fetch_types: false, onnotice: () => undefined });
    pools.push(sql);
    return hooks.reduce(withBoundaries, toExecutor(sql));
  };
  try {
    const direct = job.directUrl === undefined ? undefined : open(job.directUrl);
    const report = await work(job, open(job.url), direct);
    tell({ type: "report", report, ...(job.trace === true ? { points: seen } : {}) });
  } catch (error) {
    const code = isUnderpinError(error) ? error.code : undefined;
    tell({ type: "threw", message: String(error), ...(code === undefined ? {} : { code }) });
  }
  for (const sql of pools) await sql.end({ timeout: 1 });
  lines.close();
}

// Whoever started this process is gone when its input ends.
process.stdin.once("end", () => process.exit(3));
await main();
process.exit(0);
