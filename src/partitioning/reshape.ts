import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RowAccess, Step } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { copiedSql, copySql, differenceSql } from "./reshape-copy.ts";
import { keySteps, provedKeys } from "./reshape-keys.ts";
import { reshapeOf, surroundingsOf, type Replacement } from "./reshape-of.ts";
import {
  catchUpSql,
  checkSql,
  lockAboveSql,
  prepareSql,
  swapSql,
  unprepareSql,
  type Leaf,
  type Reshape,
} from "./reshape-sql.ts";

/**
 * Replaces leaves by others that take the same rows, while reads and writes go on, as steps that lose nothing on the way back either: after
 * the swap the old leaves are kept like the new ones, until they are dropped.
 */
export function replaceLeaves(name: string, replacement: Replacement): Plan {
  const reshape = reshapeOf(replacement);
  const around = surroundingsOf(replacement);
  const { schema, names, parent } = reshape;
  const { keys, above, beside, indexes, oldIndexes } = around;
  const lock = (relation: string, mode: Lock["mode"]): Lock => ({ schema, name: relation, mode });
  const on = (leaves: readonly Leaf[], mode: Lock["mode"]) =>
    leaves.map((leaf) => lock(leaf.name, mode));
  const path = (relation: string) => qualified(schema, relation);
  // The statements read bounds there and no rows.
  const onAbove = above.map((name): Lock => ({ ...lock(name, "accessShare"), indexes: false }));
  const reads = (leaves: readonly Leaf[]) =>
    leaves.map((leaf): RowAccess => ({ schema, name: leaf.name, access: "read" }));
  const outside = (leaves: readonly Leaf[]) => ({
    locks: [...on(leaves, "accessShare"), lock(names.aside, "rowExclusive")],
    rows: reads(leaves),
    transaction: "outside" as const,
  });
  const nothing = { kind: "nothing" } as const;
  const notYet = { sql: "SELECT 'absent' AS state" };
  const catchUp = (id: string): Step => ({
    kind: "sql",
    id,
    title: "Copy again what changed meanwhile",
    sql: catchUpSql(reshape, reshape.old, true),
    ...outside(reshape.old),
    probe: notYet,
    undo: nothing,
  });
  const newIndexes = reshape.new.length * indexes;
  const swapped = (from: readonly Leaf[], to: readonly Leaf[]) => ({
    sql: swapSql(reshape, above, from, to),
    locks: [
      ...onAbove,
      lock(parent, "accessExclusive"),
      ...(beside === undefined ? [] : [lock(beside, "accessExclusive")]),
      lock(names.aside, "accessExclusive"),
      ...on([...from, ...to], "accessExclusive"),
      lock(names.log, "rowExclusive"),
      lock(names.work, "rowExclusive"),
      ...keys.map(({ to }): Lock => ({ ...to, mode: "accessExclusive" })),
    ],
    // It creates none: these are the indexes of what is detached and attached, each a lock.
    creates: indexes + oldIndexes + newIndexes,
    rows: reads(from),
  });
  const steps: readonly Step[] = [
    isReferencedByNobody(reshape, above),
    {
      kind: "sql",
      id: "prepare",
      title: `Make ${reshape.new.map((leaf) => leaf.name).join(", ")} aside, and log what changes`,
      sql: prepareSql(reshape, above),
      locks: [
        ...onAbove,
        lock(parent, "shareRowExclusive"),
        ...on(reshape.old, "shareRowExclusive"),
      ],
      creates: 3 + reshape.new.length + newIndexes,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: unprepareSql(reshape),
        locks: [
          lock(parent, "accessExclusive"),
          ...on([...reshape.old, ...reshape.new], "accessExclusive"),
          ...[names.aside, names.log, names.work].map((each) => lock(each, "accessExclusive")),
        ],
        // The indexes that are dropped, each a lock.
        creates: newIndexes,
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: "copy",
      title: "Copy the rows in small transactions",
      sql: copySql(reshape),
      ...outside(reshape.old),
      probe: { sql: copiedSql(reshape) },
      undo: nothing,
    },
    catchUp("catch-up"),
    ...provedKeys(
      reshape.new.flatMap((leaf) => keys.map((key) => keySteps(schema, leaf, key))),
      catchUp("catch-up-keys"),
    ),
    ...reshape.old.flatMap((leaf) => checkSteps(reshape, leaf, onAbove)),
    catchUp("catch-up-again"),
    {
      kind: "check",
      id: "proof",
      title: "Both sides hold the same rows, but for those in the log",
      sql: differenceSql(reshape),
      expect: "noRows",
      rows: reads(reshape.old),
      transaction: "commitAfter",
      undo: nothing,
    },
    {
      kind: "sql",
      id: "swap",
      title: `Put ${reshape.new.map((leaf) => leaf.name).join(", ")} in the place of ${reshape.old.map((leaf) => leaf.name).join(", ")}`,
      ...swapped(reshape.old, reshape.new),
      transaction: "commitAfter",
      phase: "swapped",
      undo: { kind: "statement", ...swapped(reshape.new, reshape.old), transaction: "inside" },
    },
    {
      kind: "sql",
      id: "analyze",
      title: "Read the statistics of the new partitions",
      sql: reshape.new.map((leaf) => `ANALYZE ${path(leaf.name)}`).join(";\n"),
      locks: [...on(reshape.new, "shareUpdateExclusive"), ...on(reshape.new, "accessShare")],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: catchUpSql(reshape, reshape.new, true),
        ...outside(reshape.new),
        probe: notYet,
      },
    },
  ];
  return plan(name, steps);
}

/** What an old leaf holds, in a CHECK, so that it can come back without a look at its rows. */
function checkSteps(reshape: Reshape, { name }: Leaf, onAbove: readonly Lock[]): readonly Step[] {
  const { schema, parent, names } = reshape;
  const table = qualified(schema, name);
  const lock = (mode: Lock["mode"]): readonly Lock[] => [{ schema, name, mode }];
  const onParent: Lock = { schema, name: parent, mode: "accessShare", indexes: false };
  return [
    {
      kind: "sql",
      id: `check/${name}`,
      title: `Say in a CHECK what ${name} holds, for the way back`,
      sql: `${lockAboveSql(
        schema,
        [...onAbove, onParent].map((each) => each.name),
      )}${checkSql(reshape, name, null, true)}`,
      locks: [...onAbove, onParent, ...lock("accessExclusive")],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `ALTER TABLE ${table} DROP CONSTRAINT ${ident(names.check)}`,
        locks: lock("accessExclusive"),
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: `validate/${name}`,
      title: `Prove the CHECK of ${name} while reads and writes go on`,
      sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${ident(names.check)}`,
      locks: lock("shareUpdateExclusive"),
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

/** A foreign key that came after the facts were read would fail the swap, if rows are referenced by then; else it would point to the old partition. */
function isReferencedByNobody({ schema, parent, old }: Reshape, above: readonly string[]): Step {
  const tables = [...above, parent, ...old.map(({ name }) => name)].map(
    (name) => `${literal(qualified(schema, name))}::regclass`,
  );
  return {
    kind: "check",
    id: "is-referenced-by-nobody",
    title: `No foreign key refers to ${old.map(({ name }) => name).join(", ")}`,
    sql: `SELECT k.conrelid::regclass::text AS relation, k.conname::text AS "foreign key", 'refers to it: drop it and add it again with addForeignKey' AS reason
FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f' AND k.confrelid IN (${tables.join(", ")})`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
