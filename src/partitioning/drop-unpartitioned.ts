import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, Step } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { literal, qualified } from "../sql/quote.ts";
import { conversionNames } from "./convert/conversion.ts";
import { functionNames } from "./provision-names.ts";

/** Which plain table is dropped. */
export interface DropUnpartitionedOptions extends TableTarget {
  /** Readings of the catalog after the plan of `convertToPartitioned` was applied. */
  readonly facts: Pick<Facts, "tables" | "indexes" | "functions" | "sequences" | "dependencies">;
  /** That plan, of the strategy `copy`. */
  readonly plan: Plan;
}

/**
 * Drops what `convertToPartitioned` keeps by the strategy `copy`, behind a gate; from the gate on the change cannot be taken back.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { dropUnpartitioned } from "underpin/partitioning";
 *
 * const facts = await readFacts(db);
 * try {
 *   dropUnpartitioned({ facts, table: "users", plan: { format: 1, name: "none", steps: [] } });
 * } catch (error) {
 *   String(error).includes("users_unpartitioned"); // true
 * }
 */
export function dropUnpartitioned(options: DropUnpartitionedOptions): Plan {
  const { facts, plan: converted } = options;
  const { schema, name } = targetOf(options);
  const names = conversionNames(name);
  const path = qualified(schema, name);
  const lock = (relation: string, mode: Lock["mode"]): Lock => ({ schema, name: relation, mode });
  if (!facts.tables.some((each) => each.schema === schema && each.name === names.parked))
    throw new UnderpinError({
      code: "invalidInput",
      message: `there is no ${qualified(schema, names.parked)}`,
      hint: "Apply the plan of convertToPartitioned, and read the facts after it.",
    });
  const dropped = [names.parked, names.log];
  const views = facts.dependencies.flatMap(({ on, dependent }) =>
    on.schema === schema && on.name === names.parked && dependent.kind === "materializedView"
      ? [[qualified(dependent.schema, dependent.name), dependent] as const]
      : [],
  );
  const materialized = [...new Map(views).values()];
  const functions = facts.functions.filter(
    (each) =>
      each.schema === schema &&
      [names.watch, ...Object.values(functionNames(names.beside))].includes(each.name),
  );
  const steps: readonly Step[] = [
    {
      kind: "check",
      id: "is-partitioned",
      title: `${name} is the partitioned table`,
      sql: `SELECT 'it is not: the conversion is not at its end' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(${literal(path)}) AND c.relkind = 'p')`,
      expect: "noRows",
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "gate",
      id: "nobody-wants-it-back",
      title: `Drop ${names.parked} for good`,
      question: `Does nobody want ${name} back as it was? Its rows are in the partitions; what reads ${names.parked} by its name would fail.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "unwatch",
      title: `Log no longer what changes in ${name}`,
      // The triggers of all partitions go with it.
      sql: `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nDROP FUNCTION IF EXISTS ${qualified(schema, names.watchBack)}() CASCADE`,
      locks: [{ ...lock(name, "accessExclusive"), partitions: true }],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "what changed since is not known any more" },
    },
    {
      kind: "sql",
      id: "drop",
      title: `Drop ${names.parked} and the log`,
      sql: [
        ...materialized.map(
          (each) => `DROP MATERIALIZED VIEW ${qualified(each.schema, each.name)}`,
        ),
        ...dropped.map((each) => `DROP TABLE IF EXISTS ${qualified(schema, each)}`),
        ...functions.map(
          (each) => `DROP FUNCTION IF EXISTS ${qualified(schema, each.name)}(${each.signature})`,
        ),
      ].join(";\n"),
      locks: [
        ...materialized.map(
          (each): Lock => ({ schema: each.schema, name: each.name, mode: "accessExclusive" }),
        ),
        ...dropped.map((each) => lock(each, "accessExclusive")),
        ...facts.sequences.flatMap(({ ownedBy, name: own }) =>
          ownedBy?.schema === schema && ownedBy.table === names.parked
            ? [lock(own, "accessExclusive")]
            : [],
        ),
      ],
      // It creates none: these are the indexes that are dropped, each a lock.
      creates: facts.indexes.filter(
        (each) =>
          (each.schema === schema && dropped.includes(each.table)) ||
          materialized.some((view) => view.schema === each.schema && view.name === each.table),
      ).length,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the plain table is dropped" },
    },
  ];
  const made = plan(`drop-unpartitioned-${schema}-${name}`, steps);
  return { ...made, voids: [converted.name] };
}
