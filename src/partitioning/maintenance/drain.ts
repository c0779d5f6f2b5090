import type { Finding } from "../../catalog/finding.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { MaintenanceState } from "./read-state.ts";

/** A default partition with rows that belong elsewhere. */
export interface Drain {
  readonly refused: Finding | null;
}

/** Reads the default partitions that hold rows. */
export async function readDrains(
  _db: Queryable,
  _state: MaintenanceState,
): Promise<readonly Drain[]> {
  return [];
}
