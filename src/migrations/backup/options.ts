import type { RelationName } from "../../plan/step.ts";
import type { BackupArchive } from "./manifest.ts";

/** What is backed up, and where to. */
export interface BackupOptions {
  /** The file of the backup, or its directory; the manifest is written beside it as `<to>.manifest.json`. */
  readonly to: string;
  /** `custom` is one compressed file, `directory` one for each table, written side by side. @default "custom", on PGlite "pglite" */
  readonly archive?: BackupArchive;
  /** No rows. @default false */
  readonly schemaOnly?: boolean;
  /** These tables alone, by their very names. What they need beside them is not in the backup. */
  readonly tables?: readonly RelationName[];
  /** These schemas alone, by their very names. */
  readonly schemas?: readonly string[];
  /** Where pg_dump finds the database: the server itself and no pooler. @default what the handle was made with */
  readonly url?: string;
  /** Which pg_dump. @default the nearest one to the server's version that is found */
  readonly pgDump?: string;
  /** How many tables are written side by side with `directory`. @default 2 */
  readonly jobs?: number;
  /** 0 to 9, or as pg_dump takes it. */
  readonly compress?: number | string;
  /** Whether rows are counted, of the same snapshot, so that a restored backup can be compared: it reads every table once more. @default true */
  readonly count?: boolean;
  /** How long pg_dump waits for one lock. @default 10_000 */
  readonly lockWaitMs?: number;
  readonly signal?: AbortSignal;
}
