import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, Step } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { literal, qualified } from "../sql/quote.ts";
import { flatNames } from "./flat/flat-of.ts";
import { dropWatchSql } from "./flat/twin-log.ts";

/** Which partitioned table is dropped. */
export interface DropPartitionedOptions extends TableTarget {
  /** Readings of the catalog after the plan of `undoPartitioning` was applied. */
  readonly facts: Pick<Facts, "partitions" | "constraints" | "indexes">;
  /** That plan. */
  readonly plan: Plan;
}

/** Leaves in one transaction. */
const LEAVES = 20;

/**
 * Drops what `undoPartitioning` keeps, behind a gate, at most 20 partitions in one transaction; from the gate on the change cannot be taken
 * back.
 */
export function dropPartitioned(options: DropPartitionedOptions): Plan {
  const { facts, plan: undone } = options;
  const { schema, name } = targetOf(options);
  const names = flatNames(name);
  const members = facts.partitions.filter(
    ({ root }) => root.schema === schema && root.name === names.parked,
  );
  if (members.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: `there is no ${qualified(schema, names.parked)}`,
      hint: "Apply the plan of undoPartitioning, and read the facts after it.",
    });
  // Leaves first, the root last: what is dropped has nothing below it.
  const order = [...members].sort((a, b) => b.level - a.level).map((each) => each.name);
  const parts = Array.from({ length: Math.ceil(order.length / LEAVES) }, (_, at) =>
    order.slice(at * LEAVES, (at + 1) * LEAVES),
  );
  const referenced = facts.constraints.flatMap(({ references, table, schema: own }): Lock[] =>
    references !== null && own === schema && table === names.parked
      ? [{ schema: references.schema, name: references.name, mode: "accessExclusive" }]
      : [],
  );
  const steps: readonly Step[] = [
    {
      kind: "check",
      id: "is-plain",
      title: `${name} is the plain table`,
      sql: `SELECT 'it is not: the partitioning is not undone' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(${literal(qualified(schema, name))}) AND c.relkind = 'r')`,
      expect: "noRows",
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "gate",
      id: "nobody-wants-it-back",
      title: `Drop ${names.parked} for good`,
      question: `Does nobody want the partitions of ${name} back? The rows that they hold are in the plain table.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "unwatch",
      title: `Log no longer what changes in ${name}`,
      sql: dropWatchSql(schema, name, names),
      locks: [
        { schema, name, mode: "accessExclusive" },
        { schema, name: names.log, mode: "accessExclusive" },
      ],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "what changed since is not known any more" },
    },
    ...parts.map(
      (some, at): Step => ({
        kind: "sql",
        id: `drop/${at + 1}`,
        title: `Drop ${some.join(", ")}`,
        sql: some.map((each) => `DROP TABLE IF EXISTS ${qualified(schema, each)}`).join(";\n"),
        locks: [
          ...some.map((each): Lock => ({ schema, name: each, mode: "accessExclusive" })),
          ...members.flatMap(({ name: own, parent }): Lock[] =>
            parent !== null && some.includes(own) ? [{ ...parent, mode: "accessExclusive" }] : [],
          ),
          ...referenced,
        ],
        // It creates none: these are the indexes that are dropped, each a lock.
        creates: facts.indexes.filter(
          ({ schema: own, table }) => own === schema && some.includes(table),
        ).length,
        transaction: "commitAfter",
        undo: { kind: "irreversible", reason: "the partitions are dropped" },
      }),
    ),
    {
      kind: "sql",
      id: "drop-watches",
      title: "Drop what logged their changes",
      sql: [names.watch, names.watchBack]
        .map((each) => `DROP FUNCTION IF EXISTS ${qualified(schema, each)}()`)
        .join(";\n"),
      locks: [],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the partitions are dropped" },
    },
  ];
  const made = plan(`drop-partitioned-${schema}-${name}`, steps);
  return { ...made, voids: [undone.name] };
}
