import type { DatabaseLike } from "../../executor/connect.ts";
import type { Plan } from "../../plan/step.ts";
import { apply } from "../apply.ts";
import { confirm } from "../control.ts";
import type { RunOptions } from "../options.ts";
import type { Report } from "../report.ts";

/** Applies a plan and confirms each gate that it comes to: on a scratch database there is nobody to ask. */
export async function applyThroughGates(
  db: DatabaseLike,
  plan: Plan,
  options: RunOptions,
): Promise<Report> {
  const gates = plan.steps.filter(({ kind }) => kind === "gate");
  let report = await apply(db, plan, options);
  for (const { id } of gates) {
    if (report.outcome !== "waiting") break;
    await confirm(db, plan.name, id, options);
    report = await apply(db, plan, options);
  }
  return report;
}
