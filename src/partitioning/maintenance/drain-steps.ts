import type { Step } from "../../plan/step.ts";
import type { Drain } from "./drain.ts";
import type { MaintenanceState } from "./read-state.ts";

/** The steps of one drain. */
export function drainSteps(_state: MaintenanceState, _drain: Drain): readonly Step[] {
  return [];
}
