import { UnderpinError } from "../../errors.ts";

/** Where a statement stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** The refusal of a statement that a migration may not hold. */
export function refusedStatement({ file, line }: Place, what: string, hint: string): UnderpinError {
  return new UnderpinError({
    code: "migrationFolder",
    message: `${file}, line ${line}: ${what}`,
    hint,
  });
}
