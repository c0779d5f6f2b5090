import type { PGlite } from "@electric-sql/pglite";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { UnderpinError } from "../../errors.ts";
import type { DatabaseLike } from "../../executor/connect.ts";
import type { Executor } from "../../executor/executor.ts";
import { readFiles, writeManifest, type BackupManifest } from "./manifest.ts";
import type { BackupOptions } from "./options.ts";
import { readState } from "./read-state.ts";

/** How often it is begun again when somebody wrote meanwhile. */
const TRIES = 5;

/** Dumps the data directory of a PGlite, which is whole or nothing. */
export async function dumpPglite(
  db: DatabaseLike,
  executor: Executor,
  options: BackupOptions,
): Promise<BackupManifest> {
  const { to, archive = "pglite", schemaOnly = false, tables, schemas } = options;
  if (archive !== "pglite" || schemaOnly || tables !== undefined || schemas !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: "PGlite backs its whole data directory up, and no part of it",
      hint: "Leave archive, schemaOnly, tables and schemas out.",
    });
  if ((await stat(to).catch(() => undefined)) !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${to} is there already`,
      hint: "A backup is never written over another one: name a new file.",
    });
  const client = clientOf(db);
  const [server] = await executor.query<{ version: string }>(
    "SELECT pg_catalog.version() AS version",
  );
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.part`;
  try {
    for (let tried = 1; ; tried += 1) {
      const before = await positionOf(executor);
      const state = await executor.session((session) =>
        readState(session, {
          part: { tables: null, schemas: null },
          count: options.count !== false,
        }),
      );
      await executor.query("CHECKPOINT");
      const dumped = await client.dumpDataDir("none");
      // A log that has moved on by more than the checkpoint is somebody's write: the counts may be of another moment.
      if ((await positionOf(executor)) !== before && tried < TRIES) continue;
      await writeWhole(part, new Uint8Array(await dumped.arrayBuffer()));
      const files = await readFiles(part);
      await rename(part, to);
      const manifest: BackupManifest = {
        format: 1,
        archive: "pglite",
        ...state,
        tool: server?.version ?? "PGlite",
        schemaOnly: false,
        part: { tables: null, schemas: null },
        files,
      };
      await writeManifest(to, manifest);
      return manifest;
    }
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** How many transactions have been given a number: every write needs one. */
async function positionOf(executor: Executor): Promise<string> {
  const [row] = await executor.query<{ at: string }>(
    "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text AS at",
  );
  return row?.at ?? "";
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function clientOf(db: DatabaseLike): Pick<PGlite, "dumpDataDir"> {
  const handle = db as { readonly $client?: unknown };
  const client = (handle.$client ?? handle) as Partial<Pick<PGlite, "dumpDataDir">>;
  if (typeof client.dumpDataDir === "function")
    return { dumpDataDir: client.dumpDataDir.bind(client) };
  throw new UnderpinError({
    code: "unsupportedDatabase",
    message: "an executor over a PGlite cannot dump it",
    hint: "Hand over the PGlite itself, or the Drizzle database over it.",
  });
}
