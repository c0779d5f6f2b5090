import type { RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import type { MissingIndex } from "../missing-indexes.ts";
import { LEAVES_PER_COMMIT } from "../provision-body.ts";
import { markOf } from "./mark.ts";
import { closesPartitions, nameOf, type MaintenanceState, type Member } from "./read-state.ts";

/**
 * Closes the partitions that somebody opened: row security enabled and forced as the root's policies need it, and no privilege of
 * their own, at most 20 in a transaction.
 *
 * A policy and a privilege hold on the relation that a query names, so that a partition without row security of its own is open to
 * whoever may name it.
 */
export function closeSteps(state: MaintenanceState): readonly Step[] {
  const closes = closesPartitions(state.scheme);
  const open = state.partitions.filter(
    ({ closed, grantees, detachPending }) =>
      !detachPending && closes && (!closed || grantees.length > 0),
  );
  return open.map((member, at): Step => {
    const relation = nameOf(member);
    const everybody = member.grantees.map((role) => (role === "" ? "PUBLIC" : ident(role)));
    const statements = [
      ...(member.closed
        ? []
        : [`ALTER TABLE ${relation} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`]),
      ...(everybody.length === 0
        ? []
        : [
            // REVOKE takes it from 18 on, and a plan is for any.
            `LOCK TABLE ONLY ${relation} IN ACCESS SHARE MODE`,
            `REVOKE ALL ON TABLE ${relation} FROM ${everybody.join(", ")}`,
          ]),
    ];
    return {
      kind: "sql",
      id: `close/${member.schema}.${member.name}`,
      title: `Close ${member.name}: its rows are reached through the root`,
      sql: statements.join("; "),
      locks: [
        ...(member.closed ? [] : [lock(member, "accessExclusive")]),
        ...(everybody.length === 0
          ? []
          : [{ ...lock(member, "accessShare"), indexes: false } as const]),
      ],
      transaction:
        at % LEAVES_PER_COMMIT === LEAVES_PER_COMMIT - 1 || at === open.length - 1
          ? "commitAfter"
          : "inside",
      undo: {
        kind: "irreversible",
        reason: "it would open rows to those whom the policies of the root keep out",
      },
    };
  });
}

/** Takes the mark from partitions that are not to leave any more. */
export function unmarkSteps(state: MaintenanceState, leaving: readonly Member[]): readonly Step[] {
  return state.partitions
    .filter(
      (member) => member.markedAt !== null && !member.detachPending && !leaving.includes(member),
    )
    .map(
      (member): Step => ({
        kind: "sql",
        id: `unmark/${member.schema}.${member.name}`,
        title: `Take the mark from ${member.name}, which stays`,
        sql: `COMMENT ON TABLE ${nameOf(member)} IS NULL`,
        locks: [lock(member, "shareUpdateExclusive")],
        transaction: "commitAfter",
        undo: {
          kind: "statement",
          sql: `COMMENT ON TABLE ${nameOf(member)} IS ${literal(`${markOf(state.scheme)} since ${member.markedAt ?? ""}`)}`,
          locks: [lock(member, "shareUpdateExclusive")],
          transaction: "inside",
        },
      }),
    );
}

/**
 * Gives partitions the indexes of their parents that they lack: built while reads and writes go on, then attached.
 *
 * That is how an index of a partitioned table is made online: `CREATE INDEX … ON ONLY` the root, and the next maintenance does the rest.
 * The root's index is valid once the last one is attached. Other constraints cannot be missing: PostgreSQL refuses a CHECK on ONLY
 * a partitioned table, and gives a foreign key to every partition.
 */
export function indexSteps(state: MaintenanceState): readonly Step[] {
  const members = new Map([state.root, ...state.partitions].map((each) => [each.oid, each]));
  // An inner table's index is made on ONLY it, and the indexes of its partitions with the next plan.
  return state.missingIndexes.flatMap((missing) => {
    const child = members.get(missing.child);
    const parent = members.get(missing.parent);
    return child === undefined || parent === undefined ? [] : oneIndex(child, parent, missing);
  });
}

function oneIndex(child: Member, parent: Member, missing: MissingIndex): readonly Step[] {
  const { index, unique, using, constraint, definition, own } = missing;
  const tail = index.startsWith(`${parent.name}_`) ? index.slice(parent.name.length + 1) : index;
  const same = constraint === null ? own.find((each) => each.same)?.name : undefined;
  const name = same ?? shorten(`${child.name}_${tail}`);
  const there = own.find((each) => each.name === name);
  // What the same transaction creates nobody else can wait for.
  const isNew = !child.isLeaf && there === undefined;
  const id = `index/${child.schema}.${child.name}/${index}`;
  const made = qualified(child.schema, name);
  const kind = unique ? "UNIQUE INDEX" : "INDEX";
  const steps: Step[] = [];
  if (there?.valid === false && child.isLeaf)
    steps.push({
      kind: "sql",
      id: `${id}/drop-broken`,
      title: `Drop the unfinished ${name}`,
      sql: `DROP INDEX CONCURRENTLY IF EXISTS ${made}`,
      locks: [
        lock(child, "shareUpdateExclusive"),
        lock({ schema: child.schema, name }, "shareUpdateExclusive"),
      ],
      transaction: "outside",
      probe: {
        sql: `SELECT CASE WHEN pg_catalog.to_regclass(${literal(made)}) IS NULL THEN 'done' ELSE 'absent' END AS state`,
      },
      undo: { kind: "nothing" },
    });
  const drop = `DROP INDEX CONCURRENTLY IF EXISTS ${made}`;
  if (isNew)
    steps.push({
      kind: "sql",
      id: `${id}/create`,
      title: `Create ${name} on ${child.name} alone`,
      // Of a table that is partitioned further a constraint cannot be made of an index (0A000).
      sql:
        definition === null
          ? `CREATE ${kind} ${ident(name)} ON ONLY ${nameOf(child)} ${using}`
          : `ALTER TABLE ONLY ${nameOf(child)} ADD CONSTRAINT ${ident(name)} ${definition}`,
      locks: [lock(child, definition === null ? "share" : "accessExclusive")],
      creates: 1,
      transaction: "inside",
      undo: { kind: "irreversible", reason: "the partitions below have it by then" },
    });
  else if (there?.valid !== true && child.isLeaf)
    steps.push({
      kind: "sql",
      id: `${id}/create`,
      title: `Build ${name} while reads and writes go on`,
      sql: `CREATE ${kind} CONCURRENTLY ${ident(name)} ON ${nameOf(child)} ${using}`,
      locks: [lock(child, "shareUpdateExclusive")],
      transaction: "outside",
      probe: {
        sql: `SELECT CASE WHEN i.indexrelid IS NULL THEN 'absent' WHEN i.indisvalid THEN 'done' ELSE 'broken' END AS state
FROM (VALUES (1)) AS one (row) LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = pg_catalog.to_regclass(${literal(made)})`,
        repair: { sql: drop, then: "retry" },
      },
      undo: {
        kind: "irreversible",
        reason: "an index that the root's is made of cannot be dropped",
      },
    });
  if (constraint !== null && child.isLeaf)
    steps.push({
      kind: "sql",
      id: `${id}/constrain`,
      title: `Make ${name} the ${constraint === "p" ? "primary key" : "unique constraint"} of ${child.name}`,
      sql: `ALTER TABLE ${nameOf(child)} ADD CONSTRAINT ${ident(name)} ${constraint === "p" ? "PRIMARY KEY" : "UNIQUE"} USING INDEX ${ident(name)}`,
      locks: [
        lock(child, "accessExclusive"),
        { ...lock({ schema: child.schema, name }, "accessShare"), indexes: false },
      ],
      transaction: "inside",
      undo: {
        kind: "irreversible",
        reason: "an index that the root's is made of cannot be dropped",
      },
    });
  steps.push({
    kind: "sql",
    id: `${id}/attach`,
    title: `Attach ${name} to ${index} of ${parent.name}`,
    sql: `ALTER INDEX ${qualified(parent.schema, index)} ATTACH PARTITION ${made}`,
    locks: [
      { ...lock(child, "accessShare"), indexes: false },
      { ...lock(parent, "accessShare"), indexes: false },
      ...(isNew ? [] : [lock({ schema: child.schema, name }, "accessExclusive")]),
      lock({ schema: parent.schema, name: index }, "shareUpdateExclusive"),
    ],
    transaction: "commitAfter",
    undo: { kind: "irreversible", reason: "an index cannot be detached (15 to 18)" },
  });
  return steps;
}

function lock(
  { schema, name }: RelationName,
  mode: "accessShare" | "share" | "shareUpdateExclusive" | "accessExclusive",
) {
  return { schema, name, mode } as const;
}
