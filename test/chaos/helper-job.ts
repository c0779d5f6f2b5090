import type { Plan } from "../../src/plan/step.ts";
import type { RunOptions } from "../../src/run/options.ts";

/** What a process of the chaos is to do: run a plan, or help with its backfills. */
export interface HelperJob {
  readonly url: string;
  readonly task: "apply" | "work";
  readonly plan: Plan;
  readonly options: Pick<RunOptions, "leaseMs">;
}
