import { sqlStateOf, UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";

/** A named place in the log of a server. */
export interface RestorePoint {
  readonly name: string;
  readonly lsn: string;
  /** Whether the server archives its log: without a base backup and the log since then nobody can come back to the point. */
  readonly archiving: boolean;
}

/**
 * Names this moment in the server's log, so that a recovery can stop at it: `recovery_target_name`.
 *
 * It costs one record of the log. It needs the right to call `pg_create_restore_point`, which is a superuser's until somebody grants it,
 * and helps only where the log is archived. Two points of one name are allowed, and a recovery stops at the first.
 *
 * @example
 * import { restorePoint } from "underpin/migrations";
 *
 * const { lsn, archiving } = await restorePoint(db, "before add-scores");
 * if (!archiving) console.warn(`the log at ${lsn} is not archived: there is no way back to it`);
 */
export async function restorePoint(db: DatabaseLike, name: string): Promise<RestorePoint> {
  if (name === "" || Buffer.byteLength(name) > 63 || name.includes("\0"))
    throw new UnderpinError({
      code: "invalidInput",
      message: `${JSON.stringify(name)} is no name of a restore point: it has ${Buffer.byteLength(name)} bytes`,
      hint: "A name has 1 to 63 bytes: PostgreSQL refuses longer ones.",
    });
  const executor = toExecutor(db);
  const [server] = await executor.query<{ recovering: boolean; archiving: boolean }>(
    `SELECT pg_catalog.pg_is_in_recovery() AS recovering, pg_catalog.current_setting('archive_mode') <> 'off' AS archiving`,
  );
  if (server?.recovering === true)
    throw new UnderpinError({
      code: "unsupportedServer",
      message: "a standby writes no log of its own, so it can name no place in it",
      hint: "Call it on the primary.",
    });
  try {
    const [row] = await executor.query<{ lsn: string }>(
      "SELECT pg_catalog.pg_create_restore_point($1::text)::text AS lsn",
      [name],
    );
    return { name, lsn: row?.lsn ?? "", archiving: server?.archiving === true };
  } catch (cause) {
    if (sqlStateOf(cause) === "42501")
      throw new UnderpinError({
        code: "missingRight",
        message: "the login may not call pg_create_restore_point",
        hint: "As a superuser, in this database: GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO the login.",
        cause,
      });
    if (sqlStateOf(cause) === "55000")
      throw new UnderpinError({
        code: "unsupportedServer",
        message: "the server's log holds too little for a recovery: wal_level is minimal",
        hint: "ALTER SYSTEM SET wal_level TO replica, and restart the server.",
        cause,
      });
    throw cause;
  }
}
