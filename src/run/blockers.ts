/** A transaction that stands in our way. What this login may not see is null. */
export interface Blocker {
  /** Null for a prepared transaction: it has no process. */
  readonly pid: number | null;
  readonly mode: string;
  readonly relation: string;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly query: string | null;
  /** The virtual transaction id: the same value is the same transaction. */
  readonly transaction: string;
  readonly transactionAgeMs: number | null;
}

/** One line about a blocker, with what a person can do about it. */
export function describeBlocker(blocker: Blocker): string {
  const { pid, mode, relation, role, application, state, query, transactionAgeMs } = blocker;
  const who = pid === null ? "a prepared transaction (see pg_prepared_xacts)" : `pid ${pid}`;
  const as = [role, application].filter((part) => part !== null && part !== "").join(", ");
  const age =
    transactionAgeMs === null ? "" : `, open for ${Math.round(transactionAgeMs / 1000)} s`;
  const text = query === null ? "" : `: ${query.replace(/\s+/g, " ").slice(0, 120)}`;
  return `${who}${as && ` (${as})`} holds ${mode} on ${relation}${state === null ? "" : `, ${state}`}${age}${text}`;
}

/**
 * Tells old transactions from those that will be gone in a moment.
 *
 * On a busy table somebody always holds a lock; waiting for nobody would be waiting for ever. A transaction counts as old
 * by its age, or, since PostgreSQL hides the age of another role's transaction from a login without `pg_read_all_stats`,
 * when we ourselves have seen it for that long.
 */
export function trackOldBlockers(olderThanMs: number) {
  const firstSeen = new Map<string, number>();
  return (blockers: readonly Blocker[], nowMs: number): readonly Blocker[] =>
    blockers.filter(({ transaction, transactionAgeMs }) => {
      const since = firstSeen.get(transaction) ?? nowMs;
      firstSeen.set(transaction, since);
      return (transactionAgeMs ?? nowMs - since) > olderThanMs;
    });
}
