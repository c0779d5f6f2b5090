import { retryFailed } from "../run/control.ts";
import { workBackfill } from "../run/backfill/work-backfill.ts";
import { operand, textOption, type Verb } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { handlersOption } from "./handlers-option.ts";
import { inOrder } from "./in-order.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { progressTeller } from "./progress.ts";
import { runOptions } from "./run-options.ts";
import { requireRunSchema, runSchemaName } from "./run-schema-guard.ts";

/** `underpin backfill work|retry NAME`: helps with the backfills of a run, or tries the rows again that were set aside. */
export const backfillVerb: Verb = {
  name: "backfill",
  summary: "Help with the backfills of a run from this host, or retry the rows that were set aside",
  operands: [
    { name: "work", help: "What is to be done: work or retry" },
    { name: "NAME", help: "The name of the plan, as underpin runs lists it" },
  ],
  options: ["workers", "handlers", ...DATABASE, ...RUNNING],
  notes:
    "Any number of hosts may help: each claims ranges of rows that nobody else has. A helper ends with the run, and waits while it is paused.",
  run: async (call) => {
    const what = operand(call, 0);
    const name = operand(call, 1);
    if (what !== "work" && what !== "retry")
      throw misuse(
        `underpin backfill does not know "${what}"`,
        "underpin backfill work NAME, or underpin backfill retry NAME",
      );
    const workers = workersOption(textOption(call, "workers"));
    const handlers = await handlersOption(call);
    return withDatabase(call, async ({ db, executor }) => {
      const { driver } = executor;
      await requireRunSchema(executor, runSchemaName(call), name);
      if (what === "retry")
        return withDirect(call, (direct) =>
          inOrder(call, undefined, "begins", [name], (_, onEvent) =>
            retryFailed(db, name, runOptions(call, { driver, direct, handlers, onEvent })),
          ),
        );
      const { terminal } = call;
      const json = call.options.json === true;
      const onEvent = json ? () => {} : progressTeller(terminal, "begins");
      const options = runOptions(call, { driver, direct: undefined, handlers, onEvent });
      const report = await workBackfill(db, name, {
        ...options,
        ...(workers === undefined ? {} : { workers }),
      });
      terminal.out(json ? JSON.stringify(report, null, 2) : `"${name}" is ${report.ended}`);
      return exitOf(report.ended);
    });
  },
};

function exitOf(ended: Awaited<ReturnType<typeof workBackfill>>["ended"]): ExitCode {
  return ended === "applied" || ended === "cancelled" ? EXIT.done : EXIT.failed;
}

function workersOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
  throw misuse(
    `--workers is ${JSON.stringify(text)}, not a number of workers`,
    "Write a whole number from 1 up: --workers 4",
  );
}
