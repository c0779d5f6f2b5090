import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { changedIndexes, ownIndexes, rootIndexes } from "./attach-counts.ts";
import { rootName } from "./attach-names.ts";
import type { Attach } from "./attach-of.ts";
import { attachSql, detachSql } from "./attach-swap.ts";

/** The one short transaction in which the table becomes a partition, and that in which it becomes a plain table again. */
export function swapStep(attach: Attach): Step {
  const { schema, table, names, keys, views, lookers, readBeside, policies, consulted } = attach;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const looked = (each: RelationName): Lock => ({ ...each, mode: "accessShare", indexes: false });
  const identities = attach.sequences.filter(({ ownedBy }) => ownedBy?.as === "identity");
  const beside: readonly Lock[] = [
    ...views.map(
      (view): Lock => ({ schema: view.schema, name: view.name, mode: "accessExclusive" }),
    ),
    ...lookers.map(
      (each): Lock => ({
        schema: each.schema,
        name: each.table,
        mode: "accessExclusive",
      }),
    ),
    ...readBeside.map(looked),
    ...(policies.length === 0 ? [] : consulted.map(looked)),
    ...attach.sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "identity"
        ? [lock(name, "accessExclusive")]
        : [lock(name, "shareRowExclusive")],
    ),
  ];
  return {
    kind: "sql",
    id: "swap",
    title: `Make ${table.name} the partition ${names.legacy} of the root, which takes its name and all that goes with it`,
    sql: attachSql(attach),
    locks: [
      lock(table.name, "accessExclusive"),
      lock(names.root, "accessExclusive"),
      lock(names.values, "accessShare"),
      lock(names.cut, "accessExclusive"),
      ...identities.map(({ name }) => lock(rootName(name), "accessExclusive")),
      ...keys.map(({ to }): Lock => ({ ...to, mode: "accessExclusive" })),
      ...beside,
    ],
    // Beside the partition from which the bound is read these are indexes, each a lock.
    creates: 1 + rootIndexes(attach) + changedIndexes(attach),
    transaction: "commitAfter",
    phase: "attached",
    undo: {
      kind: "statement",
      sql: detachSql(attach),
      locks: [
        lock(table.name, "accessExclusive"),
        lock(names.legacy, "accessExclusive"),
        ...keys.map(({ to }): Lock => ({ ...to, mode: "shareRowExclusive" })),
        ...beside,
      ],
      // One of its own went with the primary key that it had.
      creates:
        identities.length + rootIndexes(attach) + ownIndexes(attach) - (attach.keepsKey ? 0 : 1),
      rows: [{ schema, name: table.name, access: "read" }],
      transaction: "commitAfter",
    },
  };
}
