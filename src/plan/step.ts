/**
 * A Plan: steps as data, each with its locks and its undo. Nothing here touches a database.
 *
 * Every type is plain JSON: a Plan survives `JSON.parse(JSON.stringify(plan))` and is stored whole with its run.
 */
import type { LockMode } from "./lock.ts";

/** A table, view or index by its name. */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** One lock on a relation that exists before the statement. */
export interface Lock extends RelationName {
  readonly mode: LockMode;
  /** Also on every partition and inheritance child below it, down to the leaves. */
  readonly partitions?: true;
  /** False where the statement reads and writes no rows, so that a weak lock on the table is none on its indexes. @default true */
  readonly indexes?: false;
}

/** Where the transaction of a statement begins and ends. */
export type TransactionRule =
  /** Shares the transaction of its inside neighbours. */
  | "inside"
  /** No transaction block may hold it: CREATE INDEX CONCURRENTLY, DETACH … CONCURRENTLY. */
  | "outside"
  /** Shares the transaction of the inside steps before it, and ends it. */
  | "commitAfter";

/**
 * How to tell from the catalog what became of an `outside` statement when its process was killed.
 *
 * `sql` returns one row with one text column `state`: `done`, `absent` (run it), or `broken` (run `repair` first).
 */
export interface Probe {
  readonly sql: string;
  /** What clears a broken rest: the statement, also outside a transaction, and what follows it. */
  readonly repair?: {
    readonly sql: string;
    /** `retry`: the statement runs again. `done`: the repair itself completed it (DETACH … FINALIZE). */
    readonly then: "retry" | "done";
  };
}

interface StatementBase {
  readonly sql: string;
  /** Every lock on a relation that existed before, held by the end of the statement. Measured in test/contract. */
  readonly locks: readonly Lock[];
  /** How many relations it creates, each one more entry in the lock table until the transaction ends. @default 0 */
  readonly creates?: number;
  /**
   * Relations whose rows the statement reads or writes in its own right: row security must not hide them.
   * Row checks of SET NOT NULL, CHECK and CREATE INDEX are not affected by row security and are not named.
   */
  readonly rows?: readonly RowAccess[];
}

/** A statement, with what a reader must know before running it. `outside` needs a probe: nothing rolls it back. */
export type Statement =
  | (StatementBase & { readonly transaction: "inside" | "commitAfter" })
  | (StatementBase & { readonly transaction: "outside"; readonly probe: Probe });

/** Rows that a step reads, or reads and changes. */
export interface RowAccess extends RelationName {
  readonly access: "read" | "insert" | "update" | "delete";
}

/** How a step is taken back. There is no fourth case. */
export type Undo =
  | ({ readonly kind: "statement" } & Statement & {
        /** What the catalog keeps from it all the same: column order, column slots, enum labels. */
        readonly residue?: string;
      })
  | { readonly kind: "nothing" }
  | { readonly kind: "irreversible"; readonly reason: string };

interface StepBase {
  /** Stable within its plan: the journal resumes by it. */
  readonly id: string;
  /** What it does, for a person: one line. */
  readonly title: string;
  /** Only on such a server; resolved when the run begins, and journaled. Example: `{ server: ">=18" }`. */
  readonly when?: { readonly server: ServerRange };
  /** The name of the phase that begins once this step is applied: what `phaseOf` answers to an application. */
  readonly phase?: string;
  readonly undo: Undo;
}

/** A range of PostgreSQL major versions, as `>=18` or `<18`. */
export type ServerRange = `${">=" | "<"}${number}`;

/** One SQL statement. */
export type SqlStep = StepBase & { readonly kind: "sql" } & Statement;

/** A query that must hold before the plan goes on. It writes nothing. */
export interface CheckStep extends StepBase {
  readonly kind: "check";
  readonly sql: string;
  /**
   * `noRows`: the query returns none; the rows it returns are shown as the evidence.
   * A bound: the first column of its only row is a number within it.
   */
  readonly expect: "noRows" | { readonly atLeast?: number; readonly atMost?: number };
  readonly rows?: readonly RowAccess[];
  readonly transaction: "inside" | "commitAfter";
}

/** Waits for `confirm(db, plan, id)`: what an application deployment sits between. */
export interface GateStep extends StepBase {
  readonly kind: "gate";
  /** What a person makes sure of before confirming. */
  readonly question: string;
}

/** A named function of the host, handed over as `apply(db, plan, { handlers })`. It must be idempotent. */
export interface CallStep extends StepBase {
  readonly kind: "call";
  readonly handler: string;
  readonly version: number;
  readonly argument: Json;
}

/**
 * Changes the rows of a table in batches, each its own transaction, by a unique key in ascending order.
 *
 * How far a range of keys has come is committed with its rows: each key is come to once, whoever is killed. A row that a
 * person takes back, or whose key changes meanwhile, may be come to twice.
 */
export type BackfillStep = StepBase & {
  readonly kind: "backfill";
  readonly table: RelationName;
  /** The columns of a unique key that is never NULL, with their types as PostgreSQL prints them. */
  readonly key: readonly KeyColumn[];
  /** Which rows are left to do, about `target`. A row that is done no longer meets it. */
  readonly where: string;
  /** Rows in one transaction; with `targetMs` those of the first. */
  readonly batchSize: number;
  /** Rest after each batch. */
  readonly pauseMs: number;
  /** How long a batch should take: its size is adapted towards it. Without it every batch has `batchSize` rows. */
  readonly targetMs?: number;
  /** How many of this process work at it side by side; any number of others may join. @default 1 */
  readonly workers?: number;
  /** How often a batch is tried before its rows are tried in halves, down to the one that cannot be changed. @default 3 */
  readonly maxAttempts?: number;
  /** Above this share of failed batches, of twenty or more, the run pauses by itself. @default 0.05 */
  readonly maxFailedShare?: number;
  /** What must be true of each row of a batch once it is changed, about `target`: else the batch fails. */
  readonly rowCheck?: string;
  /** A handler of the host that is asked every second how it is: it returns a reason to slow down, or nothing. */
  readonly throttle?: { readonly handler: string; readonly version: number };
  /** Above which figures of the database's health it slows down, where they are not the defaults; false looks at none. */
  readonly throttleLimits?: false | Readonly<Record<string, number | boolean | null>>;
  /** Relations whose rows it reads or writes beside `table`. */
  readonly rows?: readonly RowAccess[];
} & BackfillChange;

/** What a backfill does with the rows of a batch. */
export type BackfillChange =
  /** What follows SET: `tenant_id = 1`. The row is `target`. */
  | { readonly set: string }
  | {
      /** One INSERT, UPDATE, DELETE or MERGE without RETURNING, that reads the rows, locked and as they are now, from `batch`. */
      readonly sql: string;
      /**
       * False reads them as the statement's snapshot shows them and locks none, which would write each of them: right only where what a
       * writer changes afterwards is come to in another way, by a log of keys. @default true
       */
      readonly lockRows?: boolean;
    }
  /** A handler of the host that is given rows and returns rows: for what SQL cannot compute. */
  | { readonly transform: RowTransform };

/** A named function of the host over rows, handed over as `apply(db, plan, { handlers })`. */
export interface RowTransform {
  readonly handler: string;
  readonly version: number;
  /** The columns that it is given, beside the key. */
  readonly reads: readonly string[];
  /** The columns that it returns, with their types as PostgreSQL prints them. */
  readonly writes: readonly KeyColumn[];
}

/** One column of a unique key. */
export interface KeyColumn {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
}

/** One step of a plan. */
export type Step = SqlStep | CheckStep | GateStep | CallStep | BackfillStep;

/** A name and its steps, in order. Pure data: printable, hashable, diffable, testable without a database. */
export interface Plan {
  readonly format: 1;
  readonly name: string;
  readonly steps: readonly Step[];
  /**
   * Runs whose effect this plan takes away: once it is applied they count as taken back, and their names are free again.
   * An uninstall voids its install, so that it can be installed again.
   */
  readonly voids?: readonly string[];
}

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
