import type { IndexFact } from "../../catalog/indexes.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { UnderpinError } from "../../errors.ts";
import { plan } from "../../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { namesOf } from "../provision-names.ts";
import { attachNames, narrowName } from "./attach-names.ts";

/** Which table was attached. */
export interface SettleAttachedOptions {
  /** Readings of the catalog after `convertToPartitioned` attached the table. */
  readonly facts: Pick<Facts, "tables" | "indexes" | "partitions" | "dependencies">;
  readonly scheme: Scheme;
}

/**
 * Drops what `convertToPartitioned` by the strategy `attach` keeps for its way back, behind a gate: the narrow keys of the old rows, whose
 * indexes every write pays for, the materialized views that read those rows alone, and the notes. From the gate on the change cannot be taken back.
 *
 * @example
 * import { pgTable, primaryKey, text } from "drizzle-orm/pg-core";
 * import { readFacts } from "underpin";
 * import { list, partitionBy, settleAttached } from "underpin/partitioning";
 *
 * const orders = pgTable(
 *   "orders",
 *   { id: text().notNull(), shop: text().notNull() },
 *   (t) => [primaryKey({ columns: [t.shop, t.id] })],
 * );
 * const facts = await readFacts(db);
 * try {
 *   settleAttached({ facts, scheme: partitionBy(orders, list(orders.shop)) });
 * } catch (error) {
 *   String(error).includes("orders_legacy"); // true
 * }
 */
export function settleAttached({ facts, scheme }: SettleAttachedOptions): Plan {
  const { schema, table } = namesOf(scheme);
  const names = attachNames(table);
  const isPart = facts.partitions.some(
    (each) => each.schema === schema && each.name === names.legacy && each.parent?.name === table,
  );
  if (!isPart)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, names.legacy)} is no partition of ${qualified(schema, table)}`,
      hint: 'Apply convertToPartitioned with the strategy "attach", and read the facts after it.',
    });
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const narrow = new Set(
    facts.indexes.flatMap((each) =>
      each.schema === schema && each.table === table ? [narrowName(each.name)] : [],
    ),
  );
  const kept = facts.indexes.filter(
    (each) => each.schema === schema && each.table === names.legacy && narrow.has(each.name),
  );
  const readers = facts.dependencies.flatMap(({ dependent, on }) =>
    dependent.kind === "materializedView" && on.schema === schema && on.name === names.legacy
      ? [[qualified(dependent.schema, dependent.name), dependent] as const]
      : [],
  );
  const stale = [...new Map(readers).values()].map(
    (each): RelationName => ({ schema: each.schema, name: each.name }),
  );
  const reason = "what the way back needs is dropped";
  return plan(`settle-attached-${schema}-${table}`, [
    {
      kind: "gate",
      id: "nobody-wants-it-back",
      question: `Will nobody take the conversion of ${table} back? From here on that cannot be done.`,
      title: "Wait until nobody wants the plain table back",
      undo: { kind: "nothing" },
    },
    ...stale.map(
      (view): Step => ({
        kind: "sql",
        id: `drop-view/${view.name}`,
        title: `Drop ${view.name}, which reads the old rows alone`,
        sql: `DROP MATERIALIZED VIEW ${qualified(view.schema, view.name)}`,
        locks: [{ ...view, mode: "accessExclusive" }],
        // Its indexes, each a lock.
        creates: facts.indexes.filter(
          (each) => each.schema === view.schema && each.table === view.name,
        ).length,
        transaction: "commitAfter",
        undo: { kind: "irreversible", reason },
      }),
    ),
    ...kept.map((index) => dropKey(index, names.legacy, reason)),
    {
      kind: "sql",
      id: "drop-notes",
      title: "Drop the notes of values",
      sql: [
        `DROP TABLE ${qualified(schema, names.values)}`,
        `DROP TABLE ${qualified(schema, names.cut)}`,
        `DROP FUNCTION ${qualified(schema, names.note)}()`,
      ].join(";\n"),
      locks: [lock(names.values, "accessExclusive"), lock(names.cut, "accessExclusive")],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason },
    },
  ]);
}

function dropKey({ schema, name, constraint }: IndexFact, table: string, reason: string): Step {
  const undo = { kind: "irreversible", reason } as const;
  const title = `Drop ${name}, which kept the old rows unique without the partition columns`;
  const lock = (relation: string, mode: Lock["mode"]): Lock => ({ schema, name: relation, mode });
  if (constraint !== null)
    return {
      ...{ kind: "sql", id: `drop-key/${name}`, title, undo, transaction: "commitAfter" },
      sql: `ALTER TABLE ${qualified(schema, table)} DROP CONSTRAINT ${ident(constraint)}`,
      locks: [lock(table, "accessExclusive"), lock(name, "accessExclusive")],
    };
  return {
    ...{ kind: "sql", id: `drop-key/${name}`, title, undo, transaction: "outside" },
    sql: `DROP INDEX CONCURRENTLY IF EXISTS ${qualified(schema, name)}`,
    locks: [lock(table, "shareUpdateExclusive"), lock(name, "shareUpdateExclusive")],
    probe: {
      sql: `SELECT CASE WHEN pg_catalog.to_regclass(${literal(qualified(schema, name))}) IS NULL THEN 'done' ELSE 'absent' END AS state`,
    },
  };
}
