import { rollback } from "../migrations/rollback.ts";
import { textOption, type Call, type Verb } from "./call.ts";
import { folderOption, given } from "./folder-option.ts";
import { tellMigrations } from "./migration-text.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { progressTeller } from "./progress.ts";
import { runOptions } from "./run-options.ts";
import { requireRunSchema, runSchemaName } from "./run-schema-guard.ts";

/** `underpin rollback`: takes applied migrations back. */
export const rollbackVerb: Verb = {
  name: "rollback",
  summary: "Take applied migrations back, the last one first, by what the ledger has stored",
  operands: [],
  options: ["steps", "to", "folder", ...DATABASE, ...RUNNING],
  notes:
    "Without --steps and --to it is one. --to names the last one that stays; --to 0 takes back all. What cannot be taken back refuses before anything is touched.",
  run: async (call) => {
    const steps = stepsOption(call);
    const to = textOption(call, "to");
    return withDatabase(call, async ({ db, executor }) => {
      await requireRunSchema(executor, runSchemaName(call), "migrations");
      return withDirect(call, async (direct) => {
        const onEvent =
          call.options.json === true ? () => {} : progressTeller(call.terminal, "is taken back");
        const report = await rollback(db, {
          ...runOptions(call, { driver: executor.driver, direct, handlers: {}, onEvent }),
          ...given("folder", folderIfAny(call)),
          ...given("steps", steps),
          ...given("to", to),
        });
        return tellMigrations(call, report);
      });
    });
  },
};

/** The folder is needed for functions of modules alone. */
function folderIfAny(call: Call): string | undefined {
  try {
    return folderOption(call);
  } catch {
    return undefined;
  }
}

function stepsOption(call: Call): number | undefined {
  const text = textOption(call, "steps");
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw misuse(
    `--steps is ${JSON.stringify(text)}, not a number of migrations`,
    "Write a whole number from 1 up: --steps 1",
  );
}
