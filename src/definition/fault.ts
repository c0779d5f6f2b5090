import { UnderpinError } from "../errors.ts";

/** One thing that is wrong with a definition. */
export interface DefinitionFault {
  /** The table, as `app.orders`. */
  readonly table: string;
  readonly column?: string;
  /** What is wrong, as the end of a sentence that begins with the table. */
  readonly what: string;
  /** What to write instead. */
  readonly fix: string;
}

/** Throws one error for everything that is wrong. */
export function refuseAny(name: string, faults: readonly DefinitionFault[]): void {
  if (faults.length === 0) return;
  const lines = faults.map(
    ({ table, column, what, fix }) =>
      `  ${table}${column === undefined ? "" : `.${column}`} ${what}. ${fix}`,
  );
  throw new UnderpinError({
    code: "invalidDefinition",
    message: `the definition "${name}" has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n${lines.join("\n")}`,
    hint: "Each line says what to write instead.",
  });
}
