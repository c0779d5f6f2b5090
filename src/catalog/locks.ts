import { LOCK_MODES, PG_LOCK_MODE, type LockMode } from "../plan/lock.ts";
import type { RelationName } from "../plan/step.ts";
import { reader, word } from "./reader.ts";

/** A lock that another transaction has on, or waits for at, a relation of the schemas. */
export interface LockFact extends RelationName {
  readonly mode: LockMode;
  readonly granted: boolean;
  /** Null for a prepared transaction: it has no process. */
  readonly pid: number | null;
  /** The processes that this one waits for; 0 stands for a prepared transaction. */
  readonly blockedBy: readonly number[];
  readonly role: string | null;
  readonly application: string | null;
  /** Null where this login may not see it, as are {@link query} and the ages. */
  readonly state: string | null;
  readonly query: string | null;
  readonly transactionAgeMs: number | null;
  readonly waitMs: number | null;
  /**
   * False where the server hides the session's doings from this login (another role's, without `pg_read_all_stats`): then
   * what is null is unknown, not absent.
   */
  readonly visible: boolean;
}

const MODE: Readonly<Record<string, LockMode>> = Object.fromEntries(
  LOCK_MODES.map((mode) => [PG_LOCK_MODE[mode], mode]),
);

/** Locks of other transactions on relations of the schemas. It waits for none of them. */
export const locks = reader<Omit<LockFact, "mode"> & { readonly mode: string }, LockFact>(
  `with held as materialized (
     select l.* from pg_catalog.pg_locks as l
   ), waiting as materialized (
     select w.pid, pg_catalog.pg_blocking_pids(w.pid) as by, pg_catalog.min(w.waitstart) as since
     from held as w where not w.granted group by w.pid
   ), prepared as materialized (
     -- Its locks have no pid: they share the virtual transaction of the lock on its own id.
     select own.virtualtransaction, p.owner, p.prepared, p.gid
     from held as own join pg_catalog.pg_prepared_xacts as p on p.transaction = own.transactionid
     where own.pid is null and own.locktype = 'transactionid'
   )
   select n.schema, n.name, l.mode, l.granted, l.pid, coalesce(w.by, '{}') as "blockedBy",
     coalesce(a.usename, p.owner) as role, nullif(a.application_name, '') as application, a.state,
     case when a.query <> '<insufficient privilege>' then nullif(a.query, '') end as query,
     (extract(epoch from pg_catalog.clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000)::int8
       as "transactionAgeMs",
     (extract(epoch from pg_catalog.clock_timestamp() - w.since) * 1000)::int8 as "waitMs",
     p.gid is not null or coalesce(a.query <> '<insufficient privilege>', false) as visible
   from held as l
   join named as n on n.oid = l.relation
   left join waiting as w on w.pid = l.pid
   left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
   left join prepared as p on l.pid is null and p.virtualtransaction = l.virtualtransaction
   where l.locktype = 'relation' and l.mode <> 'SIReadLock'
     and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
     and l.pid is distinct from pg_catalog.pg_backend_pid()
     and n.schema in (select name from scope)
   order by n.schema, n.name, l.granted desc, l.pid`,
  (row) => ({ ...row, mode: word(MODE, row.mode, "pg_locks.mode") }),
);
