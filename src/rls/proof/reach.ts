import type { AccessData, Command } from "../../definition/access.ts";
import { oneOf, type ContextName, type PlannedCell } from "./cell.ts";
import { classOf, isGranted, knownWithout, reaches, type Known } from "./expected.ts";
import type { ProvenTable } from "./model.ts";
import { rowsOf, type World, type WorldRow } from "./world.ts";

/** What is known where the cells of one persona and table are made. */
export interface CellSources {
  readonly world: World;
  readonly access: AccessData;
  readonly table: ProvenTable;
  readonly known: Known;
  /** The asker's place. */
  readonly as: number;
  readonly horizon: number;
  readonly context: ContextName;
}

/** The answer where a privilege is missing. */
export const REFUSED = "refused privilege";
/** The answer where a row may not be written. */
export const POLICY = "refused policy";

/** What a persona's context shows and lets it do with a table. */
export interface Reach {
  readonly rows: readonly WorldRow[];
  readonly granted: (command: Command) => boolean;
  readonly of: (command: Command) => readonly WorldRow[];
  readonly isIn: (command: Command, row: Pick<WorldRow, "key" | "values">) => boolean;
}

/** What the declared matrix says of a table for a persona's context. */
export function reachOf({ world, access, table, known }: CellSources): Reach {
  const rows = rowsOf(world, table);
  const isIn: Reach["isIn"] = (command, row) =>
    reaches(
      table,
      classOf(table, access, known.persona, command),
      command === "insert" ? knownWithout(known, table, row) : known,
      row,
    );
  return {
    rows,
    isIn,
    granted: (command) => isGranted(table, access, known.persona, command),
    of: (command) => rows.filter((row) => isIn(command, row)),
  };
}

/** What tells one cell from another of the same sources. */
export type Parts = Pick<PlannedCell, "question" | "expected" | "judge" | "denies"> &
  Partial<PlannedCell>;

/** A cell of these sources. */
export function cell(
  { table, known, context }: CellSources,
  command: string,
  parts: Parts,
): PlannedCell {
  return { persona: known.persona, object: table.path, command, context, ...parts };
}

/** A statement that the persona has no privilege for. */
export function refusedCell(sources: CellSources, command: string, sql: string): PlannedCell {
  return cell(sources, command, {
    question: { sql, as: sources.as, kind: "count" },
    expected: REFUSED,
    judge: oneOf(REFUSED),
    denies: true,
  });
}

/** How many rows of how many, in words. */
export function shown(some: readonly unknown[], all: readonly unknown[]): string {
  return `${some.length} of ${all.length} rows`;
}
