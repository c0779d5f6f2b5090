import { PG_LOCK_MODE } from "../../plan/lock.ts";
import type { BackfillEstimate, Estimate, StepEstimate } from "./estimate-types.ts";

/** An estimate for people. */
export function estimateText(of: Estimate): string {
  const { plan, steps, walBytes, growthBytes, slots, feedback } = of;
  const lines = [
    `${plan}: ${bytes(walBytes)} of WAL, tables and indexes up to ${bytes(growthBytes)} larger`,
    ...steps.flatMap((step) => [`  ${step.id}: ${step.title}`, ...stepLines(step).map(indent)]),
  ];
  for (const { name, active, walStatus } of slots)
    lines.push(
      `  slot ${name}: keeps the WAL until it is read${active ? "" : ", and nobody reads it now"}${walStatus === null ? "" : ` (${walStatus})`}`,
    );
  if (feedback.length > 0)
    lines.push(
      `  hot_standby_feedback of ${feedback.join(", ")}: dead rows stay while queries there see them`,
    );
  return lines.join("\n");
}

function stepLines(step: StepEstimate): readonly string[] {
  switch (step.kind) {
    case "gate":
      return ["waits for a person"];
    case "call":
      return ["in the host"];
    case "backfill":
      return backfillLines(step);
    case "sql":
    case "check":
      return [
        ...step.locks.map(
          ({ schema, name, mode, rows, bytes: size, blocksWrites: blocks }) =>
            `${PG_LOCK_MODE[mode]} on ${schema}.${name}: ${count(rows)} rows, ${bytes(size)}${blocks ? "; writers wait" : ""}`,
        ),
        ...step.scans,
      ];
  }
}

function backfillLines(step: BackfillEstimate): readonly string[] {
  const { rows, workers, sampledBatches, sampledRows, cost, trouble } = step;
  const tried = `${count(rows)} rows; ${count(sampledBatches)} batch${sampledBatches === 1 ? "" : "es"} of ${count(sampledRows)} rows ${sampledBatches === 1 ? "was" : "were"} tried and rolled back`;
  const lines = [tried];
  if (cost !== undefined) {
    const { likely, atLeast, atMost } = cost.durationMs;
    lines.push(
      `${seconds(likely)} by ${count(workers)} worker${workers === 1 ? "" : "s"}, between ${seconds(atLeast)} and ${seconds(atMost)}`,
      `${bytes(cost.walBytes)} of WAL`,
      `${count(cost.deadRows)} dead rows, up to ${bytes(cost.growthBytes)} more; ${Math.round(100 * cost.hotShare)} % stay in their page (fillfactor ${cost.fillfactor})`,
    );
  }
  if (trouble !== undefined) lines.push(`could not be tried: ${trouble}`);
  return lines;
}

function indent(line: string): string {
  return `    ${line.replaceAll("\n", "\n    ")}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function seconds(ms: number): string {
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(
    units.length - 1,
    Math.floor(Math.log(Math.max(1, value)) / Math.log(1024)),
  );
  return `${(value / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ""}`;
}
