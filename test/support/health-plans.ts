import { plan } from "../../src/plan/plan.ts";
import type { Plan } from "../../src/plan/step.ts";

/** A backfill of `rows_of_ours` that can be watched while it goes on. */
export function backfillPlan(options: {
  readonly batchSize: number;
  readonly pauseMs: number;
}): Plan {
  return plan("backfilled", [
    {
      kind: "backfill",
      id: "fill",
      title: "Fill a column",
      table: { schema: "public", name: "rows_of_ours" },
      key: [{ name: "id", type: "integer" }],
      set: "n = 1",
      where: "target.n IS NULL",
      ...options,
      undo: { kind: "nothing" },
    },
  ]);
}
