import { UnderpinError } from "../../errors.ts";

/** Above which figures somebody is told. Null tells nobody. */
export interface HealthThresholds {
  /** Failed batches of all that were tried in the last minute, 0 to 1; judged once twenty were tried. */
  readonly failedBatchShare: number | null;
  /** The probe's time against its baseline: 2 is twice as long. */
  readonly probeSlowdown: number | null;
  /** A probe that is faster than this is no trouble, whatever its baseline. */
  readonly probeFloorMs: number;
  /** Connections of those that an ordinary login can have, 0 to 1. */
  readonly connectionShare: number | null;
  /** Waits for locks that were seen in the last minute. */
  readonly lockWaitsPerMinute: number | null;
  /** Processor or memory of the machine, 0 to 1, where the host says what it uses. */
  readonly hostShare: number | null;
  readonly longTransactionMs: number | null;
  readonly replicaLagMs: number | null;
  readonly replicaLagBytes: number | null;
  /** WAL that one replication slot keeps. */
  readonly slotBytes: number | null;
  readonly archiveBacklogSegments: number | null;
  /** Dead rows of all rows of one table, 0 to 1, from ten thousand dead rows on. */
  readonly deadRatio: number | null;
  readonly walBytesPerSecond: number | null;
}

/** The defaults of {@link HealthThresholds}. What no two systems agree on is null. */
export const DEFAULT_HEALTH_THRESHOLDS: HealthThresholds = {
  failedBatchShare: 0.05,
  probeSlowdown: 2,
  probeFloorMs: 10,
  connectionShare: 0.9,
  lockWaitsPerMinute: 10,
  hostShare: 0.9,
  longTransactionMs: 300_000,
  replicaLagMs: 60_000,
  replicaLagBytes: null,
  slotBytes: null,
  archiveBacklogSegments: 42,
  deadRatio: null,
  walBytesPerSecond: null,
};

/** The defaults with what was given over them; refuses what is no limit. */
export function toThresholds(given: Partial<HealthThresholds>): HealthThresholds {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULT_HEALTH_THRESHOLDS))
      throw refused(
        `there is no threshold ${JSON.stringify(name)}`,
        `The thresholds: ${Object.keys(DEFAULT_HEALTH_THRESHOLDS).join(", ")}.`,
      );
    const isOff = value === null || value === undefined;
    if (!isOff && !(typeof value === "number" && Number.isFinite(value) && value >= 0))
      throw refused(
        `the threshold ${name} is ${JSON.stringify(value)}`,
        "Write a number from 0 on, or null to be told nothing.",
      );
  }
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_HEALTH_THRESHOLDS, ...(Object.fromEntries(defined) as typeof given) };
}

function refused(message: string, hint: string): UnderpinError {
  return new UnderpinError({ code: "invalidInput", message, hint });
}
