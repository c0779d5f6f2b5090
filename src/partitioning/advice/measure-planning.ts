import type { Scheme } from "../../definition/scheme.ts";
import type { Executor, Queryable } from "../../executor/executor.ts";
import { qualified } from "../../sql/quote.ts";
import { namesOf } from "../provision-names.ts";
import type { PlanningModel } from "./forecast.ts";

/** Enough to tell the share of one partition, and a few hundred locks at most. */
const PARTITIONS = 40;

/** What was seen on a server of two cores, for where nothing may be created: a standby, or a login without TEMPORARY. */
const ELSEWHERE: PlanningModel = { baseMs: 0.1, perRelationMs: 0.08, how: "estimated" };

/** Ends the transaction of the skeleton: nothing of it stays. */
const DONE = new Error("the planning was measured");

/**
 * How long the planner takes for one partition more, measured on a temporary table with the columns and as many indexes as the real one, which
 * is rolled back. What a new connection needs to open each relation once comes on top, and what policies add to a query.
 */
export async function measurePlanning(
  db: Executor,
  scheme: Scheme,
  indexes: number,
): Promise<PlanningModel> {
  let model = ELSEWHERE;
  try {
    await db.transaction(async (transaction) => {
      await transaction.query(skeleton(scheme, Math.min(indexes, 8)));
      const pruned = await planningMs(transaction, "WHERE underpin_key = 1");
      const unpruned = await planningMs(transaction, "WHERE underpin_key <> -1");
      const perRelationMs = Math.max(unpruned - pruned, 0) / (PARTITIONS - 1);
      model = { baseMs: pruned, perRelationMs, how: "measured" };
      throw DONE;
    });
  } catch (error) {
    if (error !== DONE) return ELSEWHERE;
  }
  return model;
}

function skeleton(scheme: Scheme, indexes: number): string {
  const { schema, table } = namesOf(scheme);
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
  return [
    `CREATE TEMPORARY TABLE underpin_skeleton (LIKE ${qualified(schema, table)} INCLUDING CONSTRAINTS, underpin_key integer) PARTITION BY LIST (underpin_key)`,
    ...numbers(PARTITIONS).map(
      (n) =>
        `CREATE TEMPORARY TABLE underpin_skeleton_${n} PARTITION OF pg_temp.underpin_skeleton FOR VALUES IN (${n})`,
    ),
    ...numbers(indexes).map(() => `CREATE INDEX ON pg_temp.underpin_skeleton (underpin_key)`),
  ].join(";\n");
}

/** The least of five: the first of them opens the relations. */
async function planningMs(db: Queryable, condition: string): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const [row] = await db.query<{ "QUERY PLAN": unknown }>(
      `EXPLAIN (SUMMARY, FORMAT JSON) SELECT * FROM pg_temp.underpin_skeleton ${condition}`,
    );
    const plan: unknown = row?.["QUERY PLAN"];
    const [explained] = (typeof plan === "string" ? JSON.parse(plan) : plan) as readonly {
      readonly "Planning Time": number;
    }[];
    least = Math.min(least, explained?.["Planning Time"] ?? least);
  }
  return least;
}
