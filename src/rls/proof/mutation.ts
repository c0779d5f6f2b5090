import type { PlannedCell } from "./cell.ts";
import type { ProvenTable } from "./model.ts";
import type { Together } from "./runner.ts";

/** One way to break the protection, and the cells that can show it: what persons see first, what the catalog says last. */
export interface Mutation {
  readonly title: string;
  readonly object: string;
  readonly sql: string;
  readonly shows: (cell: PlannedCell) => boolean;
  /** The path of the only table whose cells can show it. */
  readonly of?: string;
  /** Cells that are looked at before others, best first: whichever of these a cell meets is its place. */
  readonly first?: readonly ((cell: PlannedCell) => boolean)[];
  /** With which others it may be made: none of them shows in the cells of the others, the catalog's apart. */
  readonly together?: Together;
  /** How many cells can say something that others cannot. @default 5 */
  readonly most?: number;
}

/** Cells of a table. */
export function ofTable(table: ProvenTable): (cell: PlannedCell) => boolean {
  return ({ object }) => object === table.path;
}
