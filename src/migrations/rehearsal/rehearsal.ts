import type { Finding } from "../../catalog/finding.ts";
import type { LockMode } from "../../plan/lock.ts";
import type { RelationName, Step } from "../../plan/step.ts";

/** What a rehearsal measured, as JSON. */
export interface Rehearsal {
  readonly format: 1;
  /** What it ran on, as `PGlite, PostgreSQL 18.3`. */
  readonly server: string;
  /** No finding is more than an `info`. */
  readonly ok: boolean;
  /** How many rows each table had before. */
  readonly rows: Readonly<Record<string, number>>;
  /** The plans or migrations, in the order in which they ran. */
  readonly plans: readonly RehearsedPlan[];
  readonly findings: readonly Finding[];
  /** Tables of which a persona sees another number of rows than before. */
  readonly visibility: readonly VisibilityChange[];
  /** What the rehearsal did not look at, and why. */
  readonly notLookedAt: readonly string[];
}

/** One plan or migration, up and down. */
export interface RehearsedPlan {
  readonly name: string;
  readonly up: RehearsedWay;
  /** Null where it did not come up, or where nothing of it can be taken back. */
  readonly down: RehearsedWay | null;
}

/** One way of a plan. */
export interface RehearsedWay {
  readonly outcome: "done" | "failed";
  readonly steps: readonly RehearsedStep[];
}

/** One step, as it was measured. */
export interface RehearsedStep {
  readonly id: string;
  readonly title: string;
  readonly kind: Step["kind"];
  readonly sql: string | null;
  readonly state: "done" | "failed" | "notRun";
  /** Why it failed, with the SQLSTATE. */
  readonly failure: string | null;
  /** The locks on relations that were there before, as `pg_locks` shows them before the commit. */
  readonly locks: readonly RehearsedLock[];
  /** Whether the locks were measured; else they are what the step declares. */
  readonly measured: boolean;
  /** Relations that got new storage: every row written anew. */
  readonly rewritten: readonly RelationName[];
  /** Tables that were read from end to end, with the rows that were read. */
  readonly scanned: readonly RowsOf[];
  /** Tables whose rows were updated or deleted: who writes one of them waits. */
  readonly changed: readonly RowsOf[];
}

/** A table and a number of its rows. */
export interface RowsOf extends RelationName {
  readonly rows: number;
}

/** A lock, and who waits because of it. */
export interface RehearsedLock extends RelationName {
  readonly mode: LockMode;
  readonly blocks: "readers and writers" | "writers" | "schema changes" | "nobody";
  /** Held by the transaction before the step already. */
  readonly before: boolean;
}

/** How many rows of a table a persona sees. */
export interface VisibilityChange {
  readonly table: string;
  readonly persona: string;
  readonly tenant: string | null;
  /** A number of rows, or why they are refused. */
  readonly before: string;
  readonly after: string;
}
