import type { Step } from "../../plan/step.ts";
import { nameOf, type MaintenanceState, type Member } from "./read-state.ts";

/** A partition with fewer changed rows is left to autovacuum. */
const CHANGED_ROWS = 1_000;

/** How much of a table may have changed since its ANALYZE. */
const CHANGED_SHARE = 0.2;

/** ANALYZE of an inner table locks all below it until its transaction ends, also with ONLY. */
const MOST_BELOW = 200;

/** How many tables are analysed in one call. */
const AT_ONCE = 50;

/**
 * Fresh statistics: leaf by leaf, and of inner tables with ONLY, which PostgreSQL has since 18. Autovacuum never analyses an inner
 * table, and a query of the root is planned by its statistics.
 *
 * ANALYZE of a root reads and locks all its partitions: with thousands of them that ends in 53200.
 */
export function analyzeSteps(state: MaintenanceState): readonly Step[] {
  const leaves = state.partitions.filter((each) => each.isLeaf && !each.detachPending);
  const stale = leaves.filter(isStale);
  const inner = state.versionNum >= 180_000 ? staleParents(state, leaves) : [];
  return [
    ...stale.slice(0, AT_ONCE).map((member) => analyze(member, false)),
    ...inner.slice(0, AT_ONCE).map((member) => analyze(member, true)),
  ];
}

function isStale({ holds, analyzedRows, changedRows }: Member): boolean {
  if (holds !== true) return false;
  if (analyzedRows < 0) return true;
  return changedRows >= CHANGED_ROWS && changedRows > CHANGED_SHARE * analyzedRows;
}

function staleParents(state: MaintenanceState, leaves: readonly Member[]): readonly Member[] {
  const rows = new Map<number, { rows: number; tables: number; holds: boolean }>();
  const parents = new Map(state.partitions.map(({ oid, parent }) => [oid, parent]));
  for (const leaf of leaves)
    for (let at = leaf.parent; at !== null; at = parents.get(at) ?? null) {
      const sum = rows.get(at) ?? { rows: 0, tables: 0, holds: false };
      sum.holds ||= leaf.holds === true;
      sum.rows += leaf.holds === true ? Math.max(0, leaf.analyzedRows) : 0;
      sum.tables += 1;
      rows.set(at, sum);
    }
  return [state.root, ...state.partitions].filter((member) => {
    const below = rows.get(member.oid);
    if (member.isLeaf || below === undefined || below.tables > MOST_BELOW || !below.holds)
      return false;
    return (
      member.analyzedRows < 0 ||
      Math.abs(below.rows - member.analyzedRows) >
        CHANGED_SHARE * Math.max(member.analyzedRows, CHANGED_ROWS)
    );
  });
}

function analyze(member: Member, only: boolean): Step {
  const { schema, name } = member;
  return {
    kind: "sql",
    id: `analyze/${schema}.${name}`,
    title: `Read the statistics of ${name}${only ? " and what is below it" : ""}`,
    sql: `ANALYZE ${only ? "ONLY " : ""}${nameOf(member)}`,
    locks: [
      { schema, name, mode: "shareUpdateExclusive" },
      ...(only ? [{ schema, name, mode: "accessShare", partitions: true } as const] : []),
    ],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
