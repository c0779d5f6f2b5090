import type { Findings } from "../../catalog/finding.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { Plan } from "../../plan/step.ts";

/** How a folder is laid out. */
export type Layout =
  /** `meta/_journal.json` beside `NNNN_name.sql`: drizzle-kit up to 0.31. */
  | "drizzle"
  /** A directory with a `migration.sql` for each: drizzle-kit 1.0. */
  | "drizzle-1"
  /** `NNN_name.sql` or `.ts`, beside it `rollback/NNN_rollback_name.sql`. */
  | "numbered";

/** One migration of a folder. */
export interface Migration {
  /** What the ledger knows it by: the name of its file or directory, without the ending. */
  readonly version: string;
  /** What messages call its file. */
  readonly file: string;
  readonly path: string;
  readonly downPath: string | undefined;
  readonly planPath: string | undefined;
  readonly language: "sql" | "module";
  /** Without a byte order mark, lines ended by LF. */
  readonly text: string;
  readonly checksum: string;
  /** What is to take it back, as text, where it lies in a file beside it. */
  readonly down: DownFile | undefined;
  /** The `plan.json` beside it. */
  readonly planFile: TextFile | undefined;
  /** The moment that drizzle-kit's journal has for it, and the hashes that Drizzle's migrator would have noted. */
  readonly drizzle: { readonly when: number | undefined; readonly hashes: readonly string[] };
  /** The migrations that it was made of, where it is a squash. */
  readonly squashes: readonly SquashedMigration[];
}

/** A file that was read. */
export interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** A file that takes a migration back, or says why nothing can. */
export interface DownFile extends TextFile {
  readonly irreversible: string | undefined;
}

/** A migration that went into a squash. */
export interface SquashedMigration {
  readonly version: string;
  readonly checksum: string;
}

/** A folder whose layout was recognised. */
export interface FolderEntries {
  readonly folder: string;
  /** As messages call it. */
  readonly shown: string;
  /** Directories end with a slash; what the runner has no business with is left out. */
  readonly entries: readonly string[];
}

/** A folder of migrations, in the order in which they are run. */
export interface MigrationFolder {
  readonly folder: string;
  readonly layout: Layout;
  readonly migrations: readonly Migration[];
  /** What is wrong with it. Nothing is run while one is an error. */
  readonly findings: Findings;
}

/** What a migration does. */
export type Body =
  | { readonly kind: "sql" }
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "functions"; readonly up: MigrationFunction };

/** What takes a migration back. */
export type Down =
  | { readonly kind: "sql"; readonly text: string; readonly file: string }
  /** The undo of each step of its plan. */
  | { readonly kind: "plan" }
  | { readonly kind: "function"; readonly down: MigrationFunction }
  | { readonly kind: "irreversible"; readonly reason: string }
  | { readonly kind: "none" };

/** `up` and `down` of a module: all that they do is one transaction, and the ledger's row is written in it. */
export type MigrationFunction = (transaction: Queryable) => unknown;
