import type { Lock, Probe, RelationName, Statement, Step } from "../../plan/step.ts";
import { ident, literal } from "../../sql/quote.ts";
import { lockAboveSql } from "../reshape-sql.ts";
import type { LeaveDetails } from "./leave-details.ts";
import { markText } from "./mark.ts";
import { nameOf, type Detached, type MaintenanceState, type Member } from "./read-state.ts";

/**
 * How one partition leaves: it is marked, detached, and each of its foreign keys is dropped alone. Its rows stay in the
 * detached table until the grace period is over.
 *
 * DETACH … CONCURRENTLY lets readers and writers go on. Beside a default partition PostgreSQL refuses it (55000), and DETACH takes
 * ACCESS EXCLUSIVE for a moment under lock retry.
 */
export function leaveSteps(
  state: MaintenanceState,
  member: Member,
  details: LeaveDetails,
): readonly Step[] {
  const parent = parentOf(state, member);
  const id = `leave/${member.schema}.${member.name}`;
  const beside = state.partitions.find(
    (each) => each.parent === member.parent && each.bound?.strategy === "default",
  );
  const mark: Step = {
    kind: "sql",
    id: `${id}/mark`,
    title: `Write on ${member.name} that it leaves`,
    sql: `COMMENT ON TABLE ${nameOf(member)} IS ${literal(markText(state.scheme, state.now))}`,
    locks: [lock(member, "shareUpdateExclusive")],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `COMMENT ON TABLE ${nameOf(member)} IS NULL`,
      locks: [lock(member, "shareUpdateExclusive")],
      transaction: "inside",
    },
  };
  return [
    mark,
    {
      kind: "sql",
      id: `${id}/detach`,
      title: `Detach ${member.name} from ${parent.name}`,
      ...detachSql(member, parent, beside, details),
      undo: attachAgain(member, parent, beside, ancestorsOf(state, parent), details),
    },
    ...dropForeignKeys(id, member, details.foreignKeys),
    ...(beside === undefined ? [dropCheck(id, member, details)] : []),
  ];
}

function dropCheck(id: string, member: Member, { checks }: LeaveDetails): Step {
  return {
    kind: "sql",
    id: `${id}/drop-check`,
    title: `Drop the CHECK that the detach left on ${member.name}`,
    sql: dropLeftChecks(member, checks),
    locks: [lock(member, "accessExclusive", member.isLeaf ? undefined : true)],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** Ends a DETACH … CONCURRENTLY that was cancelled: its rows are in no query, and no other detach is possible meanwhile. */
export function finalizeStep(state: MaintenanceState, member: Member): Step {
  const parent = parentOf(state, member);
  const relation = nameOf(member);
  return {
    kind: "sql",
    id: `finalize/${member.schema}.${member.name}`,
    title: `Finish the detach of ${member.name} that was begun`,
    sql: `ALTER TABLE ${nameOf(parent)} DETACH PARTITION ${relation} FINALIZE`,
    locks: [lock(parent, "shareUpdateExclusive"), lock(member, "accessExclusive")],
    transaction: "outside",
    probe: {
      sql: `SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
  WHERE i.inhrelid = pg_catalog.to_regclass(${literal(relation)}) AND i.inhdetachpending) THEN 'absent' ELSE 'done' END AS state`,
    },
    undo: { kind: "nothing" },
  };
}

/** What is still to do for a table that is detached: its foreign keys, each in a transaction of its own. */
export function afterDetachSteps(table: Detached): readonly Step[] {
  return dropForeignKeys(`leave/${table.schema}.${table.name}`, table, table.foreignKeys);
}

function detachSql(
  member: Member,
  parent: Member,
  beside: Member | undefined,
  { foreignKeys, referencing, indexes }: LeaveDetails,
): Statement {
  const detach = `ALTER TABLE ${nameOf(parent)} DETACH PARTITION ${nameOf(member)}`;
  const others: readonly Lock[] = [
    ...foreignKeys.map(({ schema, table }) => lock({ schema, name: table }, "shareRowExclusive")),
    ...referencing.map((table) => lock(table, "accessExclusive")),
  ];
  if (beside !== undefined)
    return {
      sql: detach,
      locks: [
        lock(parent, "accessExclusive"),
        lock(member, "accessExclusive"),
        lock(beside, "accessExclusive"),
        ...others,
      ],
      // It creates none: its indexes leave theirs, each a lock.
      creates: indexes,
      transaction: "commitAfter",
    };
  return {
    sql: `${detach} CONCURRENTLY`,
    locks: [lock(parent, "shareUpdateExclusive"), lock(member, "accessExclusive"), ...others],
    transaction: "outside",
    probe: detachProbe(member, parent),
  };
}

function detachProbe(member: RelationName, parent: RelationName): Probe {
  return {
    sql: `SELECT CASE WHEN i.inhrelid IS NULL THEN 'done' WHEN i.inhdetachpending THEN 'broken' ELSE 'absent' END AS state
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = pg_catalog.to_regclass(${literal(nameOf(member))})
  AND i.inhparent = pg_catalog.to_regclass(${literal(nameOf(parent))})`,
    repair: {
      sql: `ALTER TABLE ${nameOf(parent)} DETACH PARTITION ${nameOf(member)} FINALIZE`,
      then: "done",
    },
  };
}

function attachAgain(
  member: Member,
  parent: Member,
  beside: Member | undefined,
  ancestors: readonly Member[],
  { bound, foreignKeys, referencing, indexes }: LeaveDetails,
): Step["undo"] {
  return {
    kind: "statement",
    sql: `${lockAboveSql(
      parent.schema,
      ancestors.map(({ name }) => name),
    )}ALTER TABLE ${nameOf(parent)} ATTACH PARTITION ${nameOf(member)} ${bound}`,
    locks: [
      lock(parent, "shareUpdateExclusive"),
      lock(member, "accessExclusive"),
      ...(beside === undefined ? [] : [lock(beside, "accessExclusive")]),
      ...foreignKeys.map(({ schema, table }) => lock({ schema, name: table }, "shareRowExclusive")),
      ...referencing.map((table) => lock(table, "shareRowExclusive")),
      ...ancestors.map((ancestor): Lock => ({ ...lock(ancestor, "accessShare"), indexes: false })),
    ],
    // It creates none: these are the indexes that are attached, and those that the check of its foreign keys reads.
    creates: indexes + (foreignKeys.length === 0 ? 0 : indexes + foreignKeys.length),
    rows: [
      { schema: member.schema, name: member.name, access: "read" },
      ...foreignKeys.map(({ schema, table }) => ({ schema, name: table, access: "read" as const })),
    ],
    transaction: "commitAfter",
  };
}

/** DROP of a foreign key takes ACCESS EXCLUSIVE on the referenced table too: one in a transaction. */
export function dropForeignKeys(
  id: string,
  table: RelationName,
  keys: LeaveDetails["foreignKeys"],
): readonly Step[] {
  return keys.map(
    (key): Step => ({
      kind: "sql",
      id: `${id}/drop-key/${key.name}`,
      title: `Drop the foreign key ${key.name} of ${table.name}`,
      sql: `ALTER TABLE ${nameOf(table)} DROP CONSTRAINT IF EXISTS ${ident(key.name)}`,
      locks: [
        lock(table, "accessExclusive", true),
        lock({ schema: key.schema, name: key.table }, "accessExclusive"),
      ],
      transaction: "commitAfter",
      // ATTACH makes it anew from the parent's.
      undo: { kind: "nothing" },
    }),
  );
}

/** The name of what DETACH … CONCURRENTLY adds is chosen by the server: it is what was not there before. */
function dropLeftChecks(member: Member, known: readonly string[]): string {
  const names = known.map((name) => literal(name).trim()).join(", ");
  const relation = literal(nameOf(member));
  return `DO $check$
DECLARE
  v_name name;
BEGIN
  FOR v_name IN
    SELECT k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.conrelid = pg_catalog.to_regclass(${relation}) AND k.contype = 'c'
      AND k.conname <> ALL (ARRAY[${names}]::name[])
  LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', pg_catalog.to_regclass(${relation}), v_name);
  END LOOP;
END
$check$`;
}

/** What is above a table; ATTACH reads their bounds. */
export function ancestorsOf(state: MaintenanceState, member: Member): readonly Member[] {
  return member.parent === null
    ? []
    : [...ancestorsOf(state, parentOf(state, member)), parentOf(state, member)];
}

/** The table that a partition is directly below. */
export function parentOf(state: MaintenanceState, { parent }: Member): Member {
  return state.partitions.find(({ oid }) => oid === parent) ?? state.root;
}

function lock({ schema, name }: RelationName, mode: Lock["mode"], partitions?: true): Lock {
  return { schema, name, mode, ...(partitions === undefined ? {} : { partitions }) };
}
