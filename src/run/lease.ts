import { hostname } from "node:os";
import { randomBytes } from "node:crypto";
import { sqlStateOf, UnderpinError } from "../errors.ts";
import type { Executor, Queryable } from "../executor/executor.ts";
import { ident, literal } from "../sql/quote.ts";
import { sleep } from "./backoff.ts";
import { readClaims, type Claim } from "./claims.ts";

/** The right to run one plan, for as long as its token is the newest. */
export interface Lease {
  readonly schema: string;
  readonly name: string;
  readonly token: string;
  /** Host, process and a random part: made new for every lease. */
  readonly owner: string;
}

/** A new name for a holder: host, process and a random part. */
export function newOwner(): string {
  return `${hostname()}:${process.pid}:${randomBytes(4).toString("hex")}`;
}

/** What came of trying to get a lease. */
export type Acquired =
  | { readonly kind: "held"; readonly lease: Lease; readonly terminated: readonly number[] }
  | { readonly kind: "busy"; readonly owner: string };

/**
 * Tries once to get the lease of a plan name. It waits for the row a moment at most: a client that waits on a lock makes
 * CREATE INDEX CONCURRENTLY hang.
 *
 * The row lock tells whether the holder is inside a transaction (it holds FOR KEY SHARE; FOR UPDATE SKIP LOCKED skips it).
 * Outside a transaction nothing does: so the holder journals its backend first, and the lease does not expire while that
 * backend works. A backend that is alive but idle past the expiry belongs to a frozen process: it is terminated, so that the
 * process cannot run its next statement when it wakes. It is looked at twice: on a pool of one the lease may have run out during
 * a long statement, and the process is only about to journal it.
 */
export async function acquireLease(
  executor: Executor,
  schema: string,
  name: string,
  leaseMs: number,
  owner: string = newOwner(),
): Promise<Acquired> {
  const terminated: number[] = [];
  for (let suspect: Claim | undefined; ; ) {
    const attempt = await executor
      .transaction((tx) =>
        takeOver(tx, { schema, name, leaseMs, owner, limits: limitsSql(executor) }),
      )
      .catch((error: unknown): Attempt => {
        // Somebody else is writing the row this very moment.
        if (sqlStateOf(error) === "55P03") return { kind: "busy", owner: "another process" };
        throw error;
      });
    if (attempt.kind === "held")
      return { kind: "held", lease: { schema, name, token: attempt.token, owner }, terminated };
    if (attempt.kind === "busy") return attempt;
    const { frozen } = attempt;
    if (suspect?.step === frozen.step && suspect.backendStart === frozen.backendStart)
      terminated.push(await terminateBackend(executor, frozen));
    else await sleep(SECOND_LOOK_MS);
    suspect = frozen;
  }
}

type Attempt =
  | { readonly kind: "held"; readonly token: string }
  | { readonly kind: "busy"; readonly owner: string }
  | { readonly kind: "frozen"; readonly frozen: Claim };

/**
 * What keeps a takeover short: it waits a moment for a row that is being written, and a process that is frozen in the
 * middle of it loses its connection, and with it the row. PGlite spins for ever when an idle limit expires.
 */
function limitsSql({ driver }: Executor): string {
  const limits = ["SET LOCAL lock_timeout = '500ms'", "SET LOCAL statement_timeout = '5s'"];
  if (driver !== "pglite") limits.push("SET LOCAL idle_in_transaction_session_timeout = '5s'");
  return limits.join("; ");
}

interface Takeover {
  readonly schema: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly owner: string;
  readonly limits: string;
}

async function takeOver(
  tx: Queryable,
  { schema, name, leaseMs, owner, limits }: Takeover,
): Promise<Attempt> {
  await tx.query(limits);
  const leases = `${ident(schema)}.leases`;
  const expires = `pg_catalog.clock_timestamp() + ${Math.round(leaseMs)} * interval '1 millisecond'`;
  const [created] = await tx.query<{ token: string }>(
    `INSERT INTO ${leases} (name, token, owner, heartbeat_at, expires_at)
     VALUES ($1::text, 1, $2::text, pg_catalog.clock_timestamp(), ${expires})
     ON CONFLICT (name) DO NOTHING RETURNING token::text`,
    [name, owner],
  );
  if (created !== undefined) return { kind: "held", token: created.token };
  const [expired] = await tx.query(
    `SELECT token FROM ${leases} WHERE name = $1::text AND expires_at < pg_catalog.clock_timestamp()
     FOR UPDATE SKIP LOCKED`,
    [name],
  );
  if (expired === undefined) {
    const [held] = await tx.query<{ owner: string; token: string }>(
      `SELECT owner, token::text FROM ${leases} WHERE name = $1::text`,
      [name],
    );
    // The answer to our own commit was lost with its connection.
    if (held?.owner === owner) return { kind: "held", token: held.token };
    return { kind: "busy", owner: held?.owner ?? "another process" };
  }
  // A statement of its own: the lock above may have waited for nothing, but a claim that was committed just before it is
  // visible only to a snapshot taken after it.
  const claims = await readClaims(tx, schema, name);
  const unknown = claims.find(({ backend }) => backend === "unknown");
  if (unknown !== undefined) throw unseenBackend(name, unknown);
  const working = claims.find(({ backend }) => backend === "working");
  if (working !== undefined) return { kind: "busy", owner: `backend ${working.pid}` };
  const frozen = claims.find(({ backend }) => backend === "idle");
  if (frozen !== undefined) return { kind: "frozen", frozen };
  const [taken] = await tx.query<{ token: string }>(
    `UPDATE ${leases} SET token = token + 1, owner = $2::text,
       heartbeat_at = pg_catalog.clock_timestamp(), expires_at = ${expires}
     WHERE name = $1::text RETURNING token::text`,
    [name, owner],
  );
  return { kind: "held", token: taken?.token ?? "0" };
}

/** Long enough to journal what has just ended. */
const SECOND_LOOK_MS = 300;

/** How long a terminated backend may take to be gone. */
const TERMINATE_MS = 10_000;

/** Terminates the backend of a claim and waits until it is gone. Refuses when it may not, or cannot tell. */
export async function terminateBackend(executor: Executor, claim: Claim): Promise<number> {
  const [row] = await executor
    .query<{ now: string }>(
      // Only the very backend that made the claim, since a process id is used again; compared as a number, since a time as
      // text is read by the session's own DateStyle and TimeZone.
      `SELECT CASE WHEN a.pid IS NULL THEN 'gone' WHEN a.backend_start IS NULL THEN 'unknown'
         WHEN extract(epoch FROM a.backend_start) <> $2::text::numeric THEN 'gone'
         WHEN pg_catalog.pg_terminate_backend(a.pid, ${TERMINATE_MS}) THEN 'gone' ELSE 'alive' END AS now
       FROM (VALUES (1)) AS one (row) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = $1::int`,
      [claim.pid, claim.backendStart],
    )
    .catch((cause: unknown): never => {
      throw sqlStateOf(cause) === "42501" ? unseenBackend(claim.step, claim, cause) : cause;
    });
  if (row?.now !== "gone") throw unseenBackend(claim.step, claim);
  return claim.pid;
}

function unseenBackend(name: string, { pid, step }: Claim, cause?: unknown): UnderpinError {
  return new UnderpinError({
    code: "leaseUnknown",
    message: `"${name}" was left by another login in step "${step}" on backend ${pid}, which this login may not see or end: it may still be at work`,
    hint: "Run as the login that began it, or as a superuser: GRANT pg_read_all_stats, pg_signal_backend TO <this login>; and try again.",
    cause,
  });
}

/** The condition that fences every write of a run: put it first in the transaction. Returns one row or, when lost, none. */
export function fenceSql({ schema, name, token }: Lease): string {
  return `SELECT token, pg_catalog.now()::text AS began FROM ${ident(schema)}.leases WHERE name = ${literal(name)} AND token = ${Number(token)} FOR KEY SHARE`;
}

/** Whether the database at the other end knows this very lease. */
export async function isHeld(
  db: Queryable,
  { schema, name, token, owner }: Lease,
): Promise<boolean> {
  try {
    const rows = await db.query(
      `SELECT name FROM ${ident(schema)}.leases
       WHERE name = $1::text AND token = $2::text::bigint AND owner = $3::text`,
      [name, token, owner],
    );
    return rows.length > 0;
  } catch (error) {
    if (["3F000", "42P01"].includes(sqlStateOf(error) ?? "")) return false;
    throw error;
  }
}

/** Throws unless the fence returned its row. */
export function refuseLostLease(rows: readonly unknown[], { name }: Lease): void {
  if (rows.length === 0)
    throw new UnderpinError({
      code: "leaseLost",
      message: `the lease of "${name}" was taken over by another process`,
      hint: "Nothing more is written here. Call apply again to wait for the other process and get its report.",
    });
}

/** Prolongs the lease; false when it could not be told or the lease is lost. Never waits for the row. */
export async function beat(db: Queryable, lease: Lease, leaseMs: number): Promise<boolean> {
  const leases = `${ident(lease.schema)}.leases`;
  const rows = await db.query(
    // Non-key columns only: an UPDATE of these passes beside the FOR KEY SHARE of a step.
    `UPDATE ${leases} SET heartbeat_at = pg_catalog.clock_timestamp(),
       expires_at = pg_catalog.clock_timestamp() + ${Math.round(leaseMs)} * interval '1 millisecond'
     WHERE name = (SELECT name FROM ${leases} WHERE name = $1::text AND token = $2::text::bigint
                   FOR NO KEY UPDATE SKIP LOCKED)
     RETURNING name`,
    [lease.name, lease.token],
  );
  return rows.length > 0;
}

/** Gives the lease back, if it is still ours. The token ends with it, so that a beat that comes late prolongs nothing. */
export async function releaseLease(db: Queryable, lease: Lease): Promise<void> {
  await db.query(
    `UPDATE ${ident(lease.schema)}.leases SET expires_at = '-infinity', token = token + 1
     WHERE name = $1::text AND token = $2::text::bigint`,
    [lease.name, lease.token],
  );
}
