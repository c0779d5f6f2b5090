import type { Facts } from "../catalog/read-facts.ts";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RowAccess, Step } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { namesOf } from "./provision-names.ts";
import { copiedSql, copySql, differenceSql } from "./reshape-copy.ts";
import {
  catchUpSql,
  checkSql,
  prepareSql,
  swapSql,
  unprepareSql,
  type Leaf,
  type Reshape,
  type ReshapeNames,
} from "./reshape-sql.ts";

/** The facts that changing the shape of a partitioned table needs. */
export type ReshapeFacts = Pick<Facts, "tables" | "columns" | "constraints" | "partitions">;

/** Which leaves are replaced by which. */
export interface Replacement {
  readonly facts: ReshapeFacts;
  readonly scheme: Scheme;
  readonly parent: string;
  readonly old: readonly [Leaf, ...Leaf[]];
  readonly new: readonly [Leaf, ...Leaf[]];
}

interface OutgoingKey {
  readonly name: string;
  readonly definition: string;
  readonly to: { readonly schema: string; readonly name: string };
}

/** The names of what is made beside a reshape; `first` is the first of the leaves that are replaced. */
export function reshapeNames(first: string): ReshapeNames {
  const name = (what: string) => shorten(`${first}_reshape_${what}`);
  return {
    aside: name("aside"),
    log: name("log"),
    work: name("work"),
    sync: name("sync"),
    check: "underpin_reshape_bound",
  };
}

/**
 * Replaces leaves by others that take the same rows, while reads and writes go on, as steps that lose nothing on the way back either: after
 * the swap the old leaves are kept like the new ones, until they are dropped.
 */
export function replaceLeaves(name: string, replacement: Replacement): Plan {
  const reshape = reshapeOf(replacement);
  const { schema, names, parent } = reshape;
  const keys = outgoingKeys(replacement);
  const lock = (relation: string, mode: Lock["mode"]): Lock => ({ schema, name: relation, mode });
  const on = (leaves: readonly Leaf[], mode: Lock["mode"]) =>
    leaves.map((leaf) => lock(leaf.name, mode));
  const path = (relation: string) => qualified(schema, relation);
  const reads = (leaves: readonly Leaf[]) =>
    leaves.map((leaf): RowAccess => ({ schema, name: leaf.name, access: "read" }));
  const outside = (leaves: readonly Leaf[]) => ({
    locks: [...on(leaves, "accessShare"), lock(names.aside, "rowExclusive")],
    rows: reads(leaves),
    transaction: "outside" as const,
  });
  const nothing = { kind: "nothing" } as const;
  const notYet = { sql: "SELECT 'absent' AS state" };
  const swapped = (from: readonly Leaf[], to: readonly Leaf[]) => ({
    sql: swapSql(reshape, from, to),
    locks: [
      lock(parent, "accessExclusive"),
      lock(names.aside, "accessExclusive"),
      ...on([...from, ...to], "accessExclusive"),
      lock(names.log, "rowExclusive"),
      lock(names.work, "rowExclusive"),
      ...keys.map(({ to: { schema, name } }): Lock => ({ schema, name, mode: "accessExclusive" })),
    ],
    rows: reads(from),
  });
  const steps: readonly Step[] = [
    {
      kind: "sql",
      id: "prepare",
      title: `Make ${reshape.new.map((leaf) => leaf.name).join(", ")} aside, and log what changes`,
      sql: prepareSql(reshape),
      locks: [lock(parent, "shareRowExclusive"), ...on(reshape.old, "shareRowExclusive")],
      creates: 3 + reshape.new.length * 8,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: unprepareSql(reshape),
        locks: [
          lock(parent, "accessExclusive"),
          ...on([...reshape.old, ...reshape.new], "accessExclusive"),
          ...[names.aside, names.log, names.work].map((each) => lock(each, "accessExclusive")),
        ],
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
    {
      kind: "sql",
      id: "catch-up",
      title: "Copy again what changed meanwhile",
      sql: catchUpSql(reshape, reshape.old, true),
      ...outside(reshape.old),
      probe: notYet,
      undo: nothing,
    },
    ...reshape.new.flatMap((leaf) => keys.flatMap((key) => keySteps(schema, leaf, key))),
    ...reshape.old.flatMap((leaf) => checkSteps(reshape, leaf)),
    {
      kind: "sql",
      id: "catch-up-again",
      title: "Copy again what changed meanwhile",
      sql: catchUpSql(reshape, reshape.old, true),
      ...outside(reshape.old),
      probe: notYet,
      undo: nothing,
    },
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
      locks: on(reshape.new, "shareUpdateExclusive"),
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
function checkSteps(reshape: Reshape, { name }: Leaf): readonly Step[] {
  const { schema, names } = reshape;
  const table = qualified(schema, name);
  const lock = (mode: Lock["mode"]): readonly Lock[] => [{ schema, name, mode }];
  return [
    {
      kind: "sql",
      id: `check/${name}`,
      title: `Say in a CHECK what ${name} holds, for the way back`,
      sql: checkSql(reshape, name, null, true),
      locks: lock("accessExclusive"),
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

function keySteps(schema: string, leaf: Leaf, key: OutgoingKey): readonly Step[] {
  const table = qualified(schema, leaf.name);
  const own = (mode: Lock["mode"]): Lock => ({ schema, name: leaf.name, mode });
  return [
    {
      kind: "sql",
      id: `key/${leaf.name}/${key.name}`,
      title: `Add the foreign key ${key.name} to ${leaf.name} without a look at its rows`,
      sql: `ALTER TABLE ${table} ADD CONSTRAINT ${ident(key.name)} ${key.definition} NOT VALID`,
      locks: [own("shareRowExclusive"), { ...key.to, mode: "shareRowExclusive" }],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `ALTER TABLE ${table} DROP CONSTRAINT ${ident(key.name)}`,
        locks: [own("accessExclusive"), { ...key.to, mode: "accessExclusive" }],
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: `validate/${leaf.name}/${key.name}`,
      title: `Prove ${key.name} of ${leaf.name} while reads and writes go on`,
      sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${ident(key.name)}`,
      locks: [own("shareUpdateExclusive"), own("accessShare"), { ...key.to, mode: "rowShare" }],
      rows: [{ ...key.to, access: "read" }],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

function reshapeOf({ facts, scheme, parent, ...leaves }: Replacement): Reshape {
  const { schema, make, table: root } = namesOf(scheme);
  const [first] = leaves.old;
  const above = facts.partitions.find((each) => each.schema === schema && each.name === parent);
  const ofLeaf = facts.columns.filter((c) => c.schema === schema && c.table === first.name);
  const primary = facts.constraints.find(
    (c) => c.schema === schema && c.table === first.name && c.kind === "primaryKey",
  );
  if (above?.key == null || primary === undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, first.name)} has no primary key: without one its rows cannot be copied while they change`,
      hint: "Add a primary key that holds the partition columns.",
    });
  const incoming = facts.constraints.find(
    ({ references }) =>
      references?.schema === schema && (references.name === root || references.name === parent),
  );
  if (incoming !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(incoming.schema, incoming.table)} refers to the rows by ${incoming.name}: a partition whose rows are referenced cannot be detached (23503)`,
      hint: "Drop that foreign key, change the partitions, and add it again with addForeignKey.",
    });
  const tableTaken = leaves.new.find(({ name }) =>
    facts.tables.some((each) => each.schema === schema && each.name === name),
  );
  if (tableTaken !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `there is a table ${qualified(schema, tableTaken.name)} already`,
      hint: "Give the new partition another name.",
    });
  return {
    schema,
    parent,
    partitionBy: above.key.definition,
    make,
    ...leaves,
    columns: ofLeaf.filter(({ generated }) => generated === null).map(({ name }) => name),
    key: primary.columns.map((name) => ({
      name,
      type: ofLeaf.find((column) => column.name === name)?.type ?? "text",
    })),
    names: reshapeNames(first.name),
  };
}

function outgoingKeys({ facts, scheme, parent }: Replacement): readonly OutgoingKey[] {
  const { schema } = namesOf(scheme);
  return facts.constraints.flatMap((c) =>
    c.schema === schema && c.table === parent && c.references !== null
      ? [
          {
            name: c.name,
            definition: c.definition.replace(/ NOT VALID$/, ""),
            to: { schema: c.references.schema, name: c.references.name },
          },
        ]
      : [],
  );
}
