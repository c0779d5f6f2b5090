import { existsSync } from "node:fs";
import { undo } from "../run/undo.ts";
import { operand, textOption, type Verb } from "./call.ts";
import { inOrder } from "./in-order.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { readPlanFile } from "./plan-file.ts";
import { runOptions } from "./run-options.ts";
import { requireRunSchema, runSchemaName } from "./run-schema-guard.ts";

/** `underpin undo NAME|FILE`: takes runs back. */
export const undoVerb: Verb = {
  name: "undo",
  summary: "Take a run back: the undo of each applied step, last first",
  operands: [
    {
      name: "NAME|FILE",
      help: "The name of a plan, or a plan file: its plans are taken back last first",
    },
  ],
  options: ["up-to", ...DATABASE, ...RUNNING],
  notes: "What cannot be taken back refuses before anything is touched.",
  run: async (call) => {
    const word = operand(call, 0);
    const names = await namesOf(word);
    const upTo = textOption(call, "up-to");
    if (upTo !== undefined && names.length > 1)
      throw misuse(
        `--up-to is about one plan, and ${word} has ${names.length}`,
        `Name the plan: underpin undo NAME --up-to ${upTo}. The names: ${names.join(", ")}`,
      );
    return withDatabase(call, async ({ db, executor }) => {
      await requireRunSchema(executor, runSchemaName(call), names.join(", "));
      return withDirect(call, (direct) =>
        inOrder(call, undefined, "is taken back", names, (name, onEvent) =>
          undo(db, name, {
            ...runOptions(call, { driver: executor.driver, direct, handlers: {}, onEvent }),
            ...(upTo === undefined ? {} : { upTo }),
          }),
        ),
      );
    });
  },
};

/** A word that ends as a plan file does, and is one, is a file; every other word is a name. */
async function namesOf(word: string): Promise<readonly string[]> {
  const looksLikeFile = /\.(json|[cm]?[jt]s)$/.test(word);
  if (!looksLikeFile || (!existsSync(word) && !/[\\/]/.test(word))) return [word];
  const { plans } = await readPlanFile(word);
  return plans.map(({ name }) => name).toReversed();
}
