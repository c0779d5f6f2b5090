import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { libpqVariables } from "./backup/connection-of.ts";
import { dumpPglite } from "./backup/dump-pglite.ts";
import { dumpServer } from "./backup/dump-server.ts";
import type { BackupManifest } from "./backup/manifest.ts";
import type { BackupOptions } from "./backup/options.ts";

/**
 * Backs a database up: by `pg_dump` of at least the server's version, or PGlite by a dump of its own.
 *
 * Dump, counts and catalog are of one snapshot. It is written as `<to>.part` and renamed when it is whole, its manifest last: a backup
 * that failed leaves nothing that looks like one. The password travels in the environment and is in no argument.
 *
 * @example
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { backup, verifyBackup } from "underpin/migrations";
 *
 * const to = join(await mkdtemp(join(tmpdir(), "backup-")), "before.tar");
 * const { rows } = await backup(db, { to });
 * const { ok } = await verifyBackup(to);
 * ok; // true
 */
export async function backup(db: DatabaseLike, options: BackupOptions): Promise<BackupManifest> {
  const executor = toExecutor(db);
  if (executor.driver === "pglite") return dumpPglite(db, executor, options);
  return dumpServer(executor, await libpqVariables(db, options.url), options);
}
