import { confirm, pause, resume } from "../run/control.ts";
import { operand, type Call, type Verb } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { handlersOption } from "./handlers-option.ts";
import { inOrder } from "./in-order.ts";
import { withDatabase, withDirect, type OpenDatabase } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { runOptions, schemaOption } from "./run-options.ts";
import { requireRunSchema, runSchemaName } from "./run-schema-guard.ts";
import { shellWord } from "./shell-word.ts";

const NAME = { name: "NAME", help: "The name of the plan, as underpin runs lists it" } as const;

/** `underpin pause NAME`. */
export const pauseVerb: Verb = {
  name: "pause",
  summary: "Ask a run to stop after the statement or batch that it is at",
  operands: [NAME],
  options: DATABASE,
  run: (call) =>
    withRun(call, async ({ db }, name) => {
      await pause(db, name, schemaOption(call));
      return told(call, { run: name, pauseRequested: true }, [
        `"${name}" stops after the statement or batch that it is at`,
        `next: underpin resume ${shellWord(name)}`,
      ]);
    }),
};

/** `underpin resume NAME`. */
export const resumeVerb: Verb = {
  name: "resume",
  summary: "Take a pause back and go on with the run, by the plan that is stored with it",
  operands: [NAME],
  options: ["handlers", ...DATABASE, ...RUNNING],
  run: async (call) => {
    const handlers = await handlersOption(call);
    return withRun(call, ({ db, executor: { driver } }, name) =>
      withDirect(call, (direct) =>
        inOrder(call, undefined, "begins", [name], (_, onEvent) =>
          resume(db, name, runOptions(call, { driver, direct, handlers, onEvent })),
        ),
      ),
    );
  },
};

/** `underpin confirm NAME GATE`. */
export const confirmVerb: Verb = {
  name: "confirm",
  summary: "Confirm a gate that a run waits at; the run goes on at the next apply",
  operands: [NAME, { name: "GATE", help: "The id of the gate" }],
  options: DATABASE,
  run: (call) =>
    withRun(call, async ({ db }, name) => {
      const gate = operand(call, 1);
      await confirm(db, name, gate, schemaOption(call));
      return told(call, { run: name, confirmed: gate }, [
        `gate "${gate}" of "${name}" is confirmed`,
        `next: underpin resume ${shellWord(name)}   or underpin apply FILE`,
      ]);
    }),
};

function withRun(
  call: Call,
  work: (database: OpenDatabase, name: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  const name = operand(call, 0);
  return withDatabase(call, async (database) => {
    await requireRunSchema(database.executor, runSchemaName(call), name);
    return work(database, name);
  });
}

function told(call: Call, json: object, lines: readonly string[]): ExitCode {
  call.terminal.out(call.options.json === true ? JSON.stringify(json, null, 2) : lines.join("\n"));
  return EXIT.done;
}
