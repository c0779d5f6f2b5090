import type { Lock, Probe, RelationName, Statement, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { LEAVES_PER_COMMIT } from "../provision-body.ts";
import { lockAboveSql } from "../reshape-sql.ts";
import type { LeaveDetails } from "./leave-details.ts";
import { markText } from "./mark.ts";
import { nameOf, type Detached, type MaintenanceState, type Member } from "./read-state.ts";

/** A partition that leaves, and what is known of it. */
export interface Leaver {
  readonly member: Member;
  readonly details: LeaveDetails;
}

/**
 * How partitions leave: they are marked, each is detached in a transaction of its own, and then their foreign keys are dropped. Their
 * rows stay in the detached tables until the grace period is over.
 *
 * DETACH … CONCURRENTLY lets readers and writers go on. Beside a default partition PostgreSQL refuses it (55000), and DETACH takes
 * ACCESS EXCLUSIVE for a moment under lock retry. All else is of many tables in one transaction, since who looks for one of them waits
 * for none.
 */
export function leaveSteps(state: MaintenanceState, leavers: readonly Leaver[]): readonly Step[] {
  const isBeside = ({ member }: Leaver) => besideOf(state, member) !== undefined;
  return [
    ...together(leavers.map(({ member }) => markStep(state, member))),
    ...leavers.map((leaver) => detachStep(state, leaver)),
    ...dropKeysOfMany(leavers.map(({ member, details }) => ({ ...member, ...details }))),
    ...together(
      leavers
        .filter((leaver) => !isBeside(leaver))
        .map(({ member, details }) => dropCheck(idOf(member), member, details)),
    ),
  ];
}

function idOf({ schema, name }: RelationName): string {
  return `leave/${schema}.${name}`;
}

/** Steps in transactions of as many tables as one may lock. */
function together(steps: readonly Step[]): readonly Step[] {
  return steps.map((step, at) =>
    step.kind === "sql" && (at + 1) % LEAVES_PER_COMMIT !== 0 && at < steps.length - 1
      ? { ...step, transaction: "inside" }
      : step,
  );
}

function besideOf(state: MaintenanceState, member: Member): Member | undefined {
  return state.partitions.find(
    (each) => each.parent === member.parent && each.bound?.strategy === "default",
  );
}

function markStep(state: MaintenanceState, member: Member): Step {
  return {
    kind: "sql",
    id: `${idOf(member)}/mark`,
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
}

function detachStep(state: MaintenanceState, { member, details }: Leaver): Step {
  const parent = parentOf(state, member);
  const beside = besideOf(state, member);
  return {
    kind: "sql",
    id: `${idOf(member)}/detach`,
    title: `Detach ${member.name} from ${parent.name}`,
    ...detachSql(member, parent, beside, details),
    undo: attachAgain(member, parent, beside, ancestorsOf(state, parent), details),
  };
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

/** What is still to do for tables that are detached: their foreign keys. */
export function afterDetachSteps(tables: readonly Detached[]): readonly Step[] {
  return dropKeysOfMany(tables);
}

/** The foreign keys of many tables, those to one table together: that is locked once, and no other with it. */
function dropKeysOfMany(
  tables: readonly (RelationName & Pick<LeaveDetails, "foreignKeys">)[],
): readonly Step[] {
  const byTarget = new Map<string, Step[]>();
  for (const table of tables)
    for (const key of table.foreignKeys) {
      const target = qualified(key.schema, key.table);
      const steps = dropForeignKeys(idOf(table), table, [key]);
      byTarget.set(target, [...(byTarget.get(target) ?? []), ...steps]);
    }
  return [...byTarget.values()].flatMap(together);
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
