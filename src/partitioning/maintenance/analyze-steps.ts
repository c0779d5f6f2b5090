import type { RelationName, Step } from "../../plan/step.ts";
import type { MaintenanceReading } from "./read-maintenance.ts";
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
export function analyzeSteps(reading: MaintenanceReading): readonly Step[] {
  const { state } = reading;
  const leaves = state.partitions.filter((each) => each.isLeaf && !each.detachPending);
  const stale = leaves.filter(isStale);
  const inner = state.versionNum >= 180_000 ? staleParents(state, leaves) : [];
  return [
    ...stale.slice(0, AT_ONCE).map((member) => analyzeLeaf(state, member)),
    ...inner.slice(0, AT_ONCE).map((member) => analyzeInner(reading, member)),
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

function analyzeLeaf(state: MaintenanceState, member: Member): Step {
  const { schema, name } = member;
  return {
    ...analyze(member, "", `Read the statistics of ${name}`),
    locks: [{ schema, name, mode: "shareUpdateExclusive" }],
    // It makes none: these are the indexes that it opens, as many as the root has.
    creates: state.indexes,
  };
}

/** It opens every leaf below, those too that the same maintenance made before, and keeps each until its transaction ends. */
function analyzeInner(reading: MaintenanceReading, member: Member): Step {
  const { schema, name } = member;
  const leaves = leavesBelow(reading, member);
  return {
    ...analyze(member, "ONLY ", `Read the statistics of ${name} and what is below it`),
    locks: [
      { schema, name, mode: "shareUpdateExclusive" },
      ...leaves.map(
        (leaf) => ({ schema: leaf.schema, name: leaf.name, mode: "accessShare" }) as const,
      ),
    ],
    // Indexes count with an ACCESS SHARE, and it opens none.
    creates: -leaves.length * reading.state.indexes,
  };
}

function leavesBelow(
  { state, premakes }: MaintenanceReading,
  { oid }: Member,
): readonly RelationName[] {
  const parents = new Map(state.partitions.map((each) => [each.oid, each.parent]));
  const isBelow = (from: number | null | undefined) => {
    for (let at = from ?? null; at !== null; at = parents.get(at) ?? null)
      if (at === oid) return true;
    return false;
  };
  return [
    ...state.partitions.filter(
      ({ isLeaf, parent, detachPending }) => isLeaf && !detachPending && isBelow(parent),
    ),
    ...premakes
      .filter(({ parent }) => isBelow(parent))
      .flatMap(({ survey }) =>
        survey.partitions.flatMap(({ isLeaf, isThere, name }) =>
          isLeaf && !isThere ? [{ schema: state.root.schema, name }] : [],
        ),
      ),
  ];
}

function analyze(member: Member, only: string, title: string) {
  return {
    kind: "sql",
    id: `analyze/${member.schema}.${member.name}`,
    title,
    sql: `ANALYZE ${only}${nameOf(member)}`,
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  } as const;
}
