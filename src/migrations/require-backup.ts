import { stat } from "node:fs/promises";
import { UnderpinError } from "../errors.ts";
import type { CallStep, Json } from "../plan/step.ts";
import type { Handler, HandlerContext } from "../run/options.ts";
import { readManifest, type BackupManifest } from "./backup/manifest.ts";
import { readSystemIdentifier } from "./backup/read-state.ts";

/** Which backup a plan asks for. */
export interface RequireBackupOptions {
  /** The backup, as {@link backup} was told where to write it. */
  readonly backup: string;
  /** How old it may be when the step comes. */
  readonly maxAgeHours: number;
}

const HANDLER = "requireBackup";

/**
 * A step that lets a plan go on only with a backup of this very database that is whole and young enough.
 *
 * Hand {@link backupHandlers} to `apply`; the command line has them by itself. It looks at the manifest and the sizes of the files; whether the
 * backup can be restored is asked by `verifyBackup`.
 *
 * @example
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { apply, plan } from "underpin";
 * import { backup, backupHandlers, requireBackup, setNotNull } from "underpin/migrations";
 *
 * const to = join(await mkdtemp(join(tmpdir(), "backup-")), "before.tar");
 * await backup(db, { to });
 * const careful = plan("careful", [
 *   requireBackup({ backup: to, maxAgeHours: 24 }),
 *   setNotNull({ table: "users", column: "email" }),
 * ]);
 * await apply(db, careful, { handlers: backupHandlers });
 */
export function requireBackup({ backup, maxAgeHours }: RequireBackupOptions): CallStep {
  if (backup === "" || !(maxAgeHours > 0))
    throw new UnderpinError({
      code: "invalidInput",
      message: `requireBackup needs a file and an age: ${JSON.stringify({ backup, maxAgeHours })}`,
      hint: 'requireBackup({ backup: "backups/monday.dump", maxAgeHours: 24 })',
    });
  return {
    kind: "call",
    id: `backup-${backup}`,
    title: `A backup of this database is there and at most ${maxAgeHours} hours old: ${backup}`,
    handler: HANDLER,
    version: 1,
    argument: { backup, maxAgeHours },
    undo: { kind: "nothing" },
  };
}

/** The handlers of the steps that {@link requireBackup} makes. */
export const backupHandlers: Readonly<Record<typeof HANDLER, Handler>> = {
  [HANDLER]: { version: 1, run: (argument, context) => lookAtBackup(argument, context) },
};

async function lookAtBackup(argument: Json, { executor }: HandlerContext): Promise<void> {
  const { backup, maxAgeHours } = argument as unknown as RequireBackupOptions;
  const manifest = await readManifest(backup);
  const [now] = await executor.query<{ database: string; age: string }>(
    `SELECT pg_catalog.current_database()::text AS database,
       (extract(epoch FROM pg_catalog.clock_timestamp() - $1::timestamptz) / 3600)::text AS age`,
    [manifest.takenAt],
  );
  const id = await readSystemIdentifier(executor);
  const age = Number(now?.age);
  const { database, systemIdentifier } = manifest.server;
  const wrong =
    database !== now?.database
      ? `it is of the database "${database}", and this is "${now?.database}"`
      : systemIdentifier !== null && id !== null && systemIdentifier !== id
        ? "it is of a database of this name on another server"
        : !(age <= maxAgeHours)
          ? `it is ${age.toFixed(1)} hours old, and at most ${maxAgeHours} are asked for`
          : manifest.schemaOnly || manifest.part.tables !== null || manifest.part.schemas !== null
            ? "it holds a part of the database only"
            : await damage(backup, manifest);
  if (wrong === undefined) return;
  throw new UnderpinError({
    code: "checkFailed",
    message: `the backup ${backup} will not do: ${wrong}`,
    hint: "Make one, then go on: underpin backup make FILE, or backup(db, { to })",
  });
}

async function damage(backup: string, { files }: BackupManifest): Promise<string | undefined> {
  for (const { name, bytes } of files) {
    const path = name === "" ? backup : `${backup}/${name}`;
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== bytes)
      return `${path} has ${found === undefined ? "gone" : `${found.size} bytes`}, and the manifest says ${bytes}`;
  }
  return undefined;
}
