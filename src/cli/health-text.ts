import type { HealthSample } from "../run/health/health-sample.ts";
import { count, duration } from "./figures.ts";

/** A sample for a person, one line a thing. */
export function healthText(sample: HealthSample): string {
  const { locks, transactions, connections, wal, archiver, probe } = sample;
  const row = (what: string, text: string) => `  ${what.padEnd(12)} ${text}`;
  const { longest } = transactions;
  return [
    row(
      "locks",
      locks.waiting === 0
        ? "nobody waits"
        : `${locks.waiting} wait, ${locks.waitingBehindUs} of them behind underpin`,
    ),
    ...locks.blockers.map(({ pid, waiting, ours, state, transactionAgeMs, query }) =>
      row(
        "",
        [
          `${waiting} for ${pid === null ? "a prepared transaction" : `pid ${pid}`}${ours ? " (underpin)" : ""}`,
          ...(state === null ? [] : [state]),
          ...(transactionAgeMs === null ? [] : [`open for ${duration(transactionAgeMs)}`]),
        ].join(", ") + tail(query),
      ),
    ),
    row(
      "transactions",
      longest === null
        ? "none open"
        : `the longest is pid ${longest.pid}, ${longest.state ?? "state unknown"}, open for ${duration(longest.ageMs)}${tail(longest.query)}`,
    ),
    ...sample.xminHolders.map(({ kind, name, xminAge, holds }) =>
      row("vacuum", `${kind} ${name} holds back ${holds} of ${count(xminAge)} transactions`),
    ),
    row(
      "connections",
      `${connections.used} of ${connections.max}, ${connections.reserved} of them reserved`,
    ),
    ...sample.tables.map(({ schema, name, liveRows, deadRows }) =>
      row("table", `${schema}.${name}: ${count(liveRows)} rows, ${count(deadRows)} dead`),
    ),
    ...sample.vacuums.map(({ schema, name, automatic, phase, percent }) =>
      row(
        "at work",
        `${automatic ? "autovacuum" : "vacuum"} of ${schema}.${name}${progress(phase, percent)}`,
      ),
    ),
    ...sample.indexBuilds.map(({ pid, table, index, phase, percent }) =>
      row(
        "at work",
        `index ${index ?? "(hidden)"} on ${table ?? `(hidden, pid ${pid})`}${progress(phase, percent)}`,
      ),
    ),
    ...sample.replicas.map(({ name, state, lagBytes, lagMs }) =>
      row(
        "replica",
        `${name}: ${state ?? "state unknown"}${lagBytes === null ? "" : `, ${count(lagBytes)} bytes behind`}${lagMs === null ? "" : `, ${duration(lagMs)}`}`,
      ),
    ),
    ...sample.slots.map(({ name, active, retainedBytes }) =>
      row(
        "slot",
        `${name}: ${active ? "in use" : "not in use"}, keeps ${count(retainedBytes ?? 0)} bytes of WAL`,
      ),
    ),
    row("wal", `${wal.lsn ?? "unknown"}, ${wal.checkpointsRequested ?? 0} checkpoints requested`),
    ...(archiver === null
      ? []
      : [
          row(
            "archive",
            `${archiver.archived} archived, ${archiver.failed} failures, ${archiver.backlogSegments ?? "an unknown number of"} segments wait`,
          ),
        ]),
    ...sample.backfills.map(({ run, step, state, rowsChanged, rowsEstimated, failedBatches }) =>
      row(
        "backfill",
        `${run}, step ${step}: ${state}, ${count(rowsChanged)}${rowsEstimated === null ? "" : ` of about ${count(rowsEstimated)}`} rows, ${failedBatches} batches failed`,
      ),
    ),
    ...(probe === null
      ? []
      : [row("probe", `${duration(probe.ms)}${probe.timedOut ? ", stopped at its limit" : ""}`)]),
    ...sample.unread.map(({ what, why }) => row("not read", `${what}: ${why}`)),
  ].join("\n");
}

function progress(phase: string | null, percent: number | null): string {
  return `${phase === null ? "" : `, ${phase}`}${percent === null ? "" : `, ${percent} %`}`;
}

function tail(query: string | null): string {
  return query === null ? "" : `: ${query.replace(/\s+/g, " ")}`;
}
