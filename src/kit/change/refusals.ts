import { isUnderpinError, UnderpinError } from "../../errors.ts";
import type { Part } from "./columns.ts";

/** What no recipe can do by itself, gathered so that all of it is told at once. */
export interface Refusals {
  /** The parts that are made, or none where it is refused. */
  readonly attempt: (make: () => readonly Part[]) => readonly Part[];
  /** Throws everything that was refused. */
  readonly throwAny: (name: string) => void;
}

/** An empty list of refusals. */
export function refusals(): Refusals {
  const found: string[] = [];
  return {
    attempt: (make) => {
      try {
        return make();
      } catch (error) {
        if (!isUnderpinError(error)) throw error;
        found.push(`${error.message}. ${error.hint}`);
        return [];
      }
    },
    throwAny: (name) => {
      if (found.length === 0) return;
      throw new UnderpinError({
        code: "invalidInput",
        message: `the change of "${name}" needs a hand:\n  ${found.join("\n  ")}`,
        hint: "Do these as changes of their own, with the recipes of underpin/migrations, and take the snapshot again afterwards.",
      });
    },
  };
}
