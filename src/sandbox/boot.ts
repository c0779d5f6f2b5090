import type { Extensions, PGlite } from "@electric-sql/pglite";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toExecutor } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { lockDataDirectory, type DataDirectoryLock } from "./data-directory-lock.ts";
import { emptyCluster } from "./empty-cluster.ts";
import { loadPglite } from "./load-pglite.ts";
import { refuseSelfWait } from "./refuse-self-wait.ts";
import { START_SETTINGS } from "./start-settings.ts";

/** Where a sandbox lives, and what it starts with. */
export interface SandboxOptions {
  /** A directory to keep the data in; opened by one process at a time. @default in memory */
  readonly dataDir?: string;
  /** A dump of {@link Sandbox.dump} to start from, for a sandbox in memory. @default an empty cluster */
  readonly from?: Blob;
  /**
   * PGlite extensions by name, for example `{ pg_trgm }` from `@electric-sql/pglite/contrib/pg_trgm`. They have to be
   * named again whenever the same data is opened.
   */
  readonly extensions?: Extensions;
  /** Server settings over the sandbox's own, for example `["work_mem=64MB"]`. */
  readonly settings?: readonly string[];
}

/**
 * A PostgreSQL inside this process.
 *
 * Close it: a PGlite that was loaded from a dump keeps Node.js running, and each takes some 140 MB.
 */
export interface Sandbox {
  readonly client: PGlite;
  readonly executor: Executor;
  /** The whole data directory, for {@link SandboxOptions.from}. */
  dump(): Promise<Blob>;
  /** Lets go of the memory and the directory. Safe to call again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Boots a PGlite with the settings and guards that make it safe to work in. */
export async function bootSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { PGlite } = await loadPglite();
  const { extensions, settings = [] } = options;
  const directory = options.dataDir === undefined ? undefined : pathOf(options.dataDir);
  const lock = directory === undefined ? undefined : await lockFor(directory);
  try {
    const isNew = directory === undefined || !existsSync(join(directory, "PG_VERSION"));
    const load = isNew ? (options.from ?? (await emptyCluster())) : undefined;
    const client = await PGlite.create({
      ...(directory === undefined ? {} : { dataDir: directory }),
      ...(load === undefined ? {} : { loadDataDir: load }),
      ...(extensions === undefined ? {} : { extensions }),
      postgresqlconf: [...START_SETTINGS, ...settings],
    });
    refuseSelfWait(client);
    return sandboxOf(client, lock);
  } catch (error) {
    lock?.release();
    throw error;
  }
}

function sandboxOf(client: PGlite, lock: DataDirectoryLock | undefined): Sandbox {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= client.close().finally(() => lock?.release()));
  return {
    client,
    executor: toExecutor(client),
    async dump() {
      await client.exec("CHECKPOINT");
      return client.dumpDataDir("none");
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function lockFor(directory: string): Promise<DataDirectoryLock> {
  await mkdir(dirname(directory), { recursive: true });
  return lockDataDirectory(directory);
}

/** PGlite also takes a `file:` URL, and its lock must be that of the plain path. */
function pathOf(dataDir: string): string {
  return dataDir.startsWith("file:///")
    ? fileURLToPath(dataDir)
    : dataDir.replace(/^file:\/\//, "");
}
