import type { LockMode } from "../../plan/lock.ts";

/** What a plan will cost. */
export interface Estimate {
  readonly plan: string;
  readonly steps: readonly StepEstimate[];
  /** Of all backfills. */
  readonly walBytes: number;
  /** Of all backfills: how much larger tables and indexes are afterwards, at most. */
  readonly growthBytes: number;
  /** Replication slots: one that is not read keeps all of that WAL. */
  readonly slots: readonly SlotThere[];
  /** Standbys by whose `hot_standby_feedback` no dead row is cleared while their queries see it. */
  readonly feedback: readonly string[];
}

/** A replication slot that is there. */
export interface SlotThere {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string | null;
}

/** What one step will cost. */
export type StepEstimate = BackfillEstimate | StatementEstimate | OtherEstimate;

interface EstimateBase {
  readonly id: string;
  readonly title: string;
}

/** A step that costs the database nothing that could be foretold: a gate, a call. */
export interface OtherEstimate extends EstimateBase {
  readonly kind: "gate" | "call";
}

/** A statement: which tables it locks, how large they are, and which it reads whole. */
export interface StatementEstimate extends EstimateBase {
  readonly kind: "sql" | "check";
  readonly locks: readonly LockedTable[];
  /** What it reads from end to end, in words. */
  readonly scans: readonly string[];
}

/** A lock, and on how much. */
export interface LockedTable {
  readonly schema: string;
  readonly name: string;
  readonly mode: LockMode;
  readonly blocksWrites: boolean;
  readonly rows: number;
  readonly bytes: number;
}

/** A backfill, by batches that were tried and rolled back. */
export interface BackfillEstimate extends EstimateBase {
  readonly kind: "backfill";
  /** Rows that are left to do, by a sample of the table's blocks. */
  readonly rows: number;
  readonly workers: number;
  readonly sampledBatches: number;
  readonly sampledRows: number;
  /** Undefined where no batch could be tried. */
  readonly cost: BackfillCost | undefined;
  /** Why no batch, or not every batch, could be tried. */
  readonly trouble: string | undefined;
}

/** What the rows of a backfill cost. */
export interface BackfillCost {
  /** `likely` by the batch in the middle; at least as the quickest tenth, and at most as the slowest with one worker at a time. */
  readonly durationMs: {
    readonly likely: number;
    readonly atLeast: number;
    readonly atMost: number;
  };
  readonly walBytes: number;
  /** Dead rows that vacuum has to clear. */
  readonly deadRows: number;
  /** Share of updated rows whose new version fits beside the old one, without new index entries, 0 to 1. */
  readonly hotShare: number;
  /** How full the table's pages are filled by inserts, in percent: the rest is room for such versions. */
  readonly fillfactor: number;
  /** How much larger the table and its indexes are afterwards, unless vacuum clears meanwhile. */
  readonly growthBytes: number;
}
