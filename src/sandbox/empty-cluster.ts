import { createHash } from "node:crypto";
import { lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadPglite } from "./load-pglite.ts";
import { INITDB_PARAMETERS, START_SETTINGS } from "./start-settings.ts";

let cached: Promise<Blob> | undefined;

/**
 * A data directory as initdb leaves it, made once per machine and read once per process.
 *
 * A PGlite that runs initdb takes 1.4 to 3.6 seconds, one that loads this 0.3 to 0.5 (PGlite 0.5.16, two cores).
 */
export function emptyCluster(): Promise<Blob> {
  cached ??= readOrMake().catch((error: unknown) => {
    cached = undefined;
    throw error;
  });
  return cached;
}

async function readOrMake(): Promise<Blob> {
  const file = await cacheFile();
  if (file !== undefined) {
    try {
      return new Blob([await readFile(file)]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  const { PGlite } = await loadPglite();
  const client = await PGlite.create({
    postgresqlconf: [...START_SETTINGS],
    initDbStartParams: [...INITDB_PARAMETERS],
  });
  const dump = await client.dumpDataDir("none");
  await client.close();
  if (file !== undefined) await writeWhole(file, new Uint8Array(await dump.arrayBuffer()));
  return dump;
}

/** The place of the cache, or undefined where it cannot be trusted or written: then each process makes its own. */
async function cacheFile(): Promise<string | undefined> {
  const version = await pgliteVersion();
  if (version === undefined) return undefined;
  const uid = process.getuid?.();
  const directory = join(tmpdir(), `underpin-cache-${uid ?? "all"}`);
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return undefined;
    const found = await lstat(directory);
    // The temporary directory is everybody's: what another user left there is not loaded as a database.
    if (
      !found.isDirectory() ||
      (uid !== undefined && (found.uid !== uid || (found.mode & 0o022) !== 0))
    )
      return undefined;
  }
  const settings = createHash("sha256")
    .update(JSON.stringify([START_SETTINGS, INITDB_PARAMETERS]))
    .digest("hex")
    .slice(0, 8);
  return join(directory, `pglite-${version}-${settings}.tar`);
}

/** Read from the package itself: its module names no version, and asking the server would start one. */
async function pgliteVersion(): Promise<string | undefined> {
  try {
    let at = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"));
    for (; dirname(at) !== at; at = dirname(at)) {
      const text = await readFile(join(at, "package.json"), "utf8").catch(() => undefined);
      if (text === undefined) continue;
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === "@electric-sql/pglite") return version;
    }
  } catch (error) {
    // A bundled host has no packages to resolve, and loading PGlite says more when there is none.
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return undefined;
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const part = `${file}.${process.pid}`;
  try {
    await writeFile(part, bytes, { mode: 0o600 });
    await rename(part, file);
  } catch {
    // A full or read-only disk costs the next process a second and this one nothing.
    await rm(part, { force: true });
  }
}
