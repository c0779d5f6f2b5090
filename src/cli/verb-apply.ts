import { apply } from "../run/apply.ts";
import { operand, textOption, type Verb } from "./call.ts";
import { dryRun } from "./dry-run.ts";
import { handlersOption } from "./handlers-option.ts";
import { inOrder } from "./in-order.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { readPlanFile } from "./plan-file.ts";
import { runOptions } from "./run-options.ts";
import { formatOption } from "./verb-plan.ts";

/** `underpin apply FILE`: runs plans, or goes on with them. */
export const applyVerb: Verb = {
  name: "apply",
  summary: "Run the plans of a file, in order; go on where an earlier call stopped",
  operands: [
    { name: "FILE", help: "A .json plan, or a module (.ts, .js, .mjs, .cjs) that exports one" },
  ],
  options: ["dry-run", "format", "handlers", ...DATABASE, ...RUNNING],
  notes:
    "Ctrl-C stops between two statements, and apply goes on from there; a second Ctrl-C ends the process at once.",
  run: async (call) => {
    const file = operand(call, 0);
    const { plans, handlers: own } = await readPlanFile(file);
    const handlers = await handlersOption(call, own);
    if (call.options["dry-run"] === true) return dryRun(call, plans);
    if (textOption(call, "format") !== undefined)
      throw misuse(
        "--format is for --dry-run",
        `underpin apply ${file} --dry-run --format markdown`,
      );
    formatOption(call);
    return withDatabase(call, ({ db, executor: { driver } }) =>
      withDirect(call, (direct) =>
        inOrder(call, file, "begins", plans, (plan, onEvent) =>
          apply(db, plan, runOptions(call, { driver, direct, handlers, onEvent })),
        ),
      ),
    );
  },
};
