import { statSync } from "node:fs";
import { variablesOfUrl } from "../migrations/backup/connection-of.ts";
import { inScratchDatabase } from "../migrations/backup/scratch-database.ts";
import { rehearsalText } from "../migrations/rehearsal/rehearsal-text.ts";
import { rehearse, type RehearseOptions } from "../migrations/rehearse.ts";
import { baseOption } from "./base-option.ts";
import { operand, textOption, type Call, type Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { handlersOption } from "./handlers-option.ts";
import { misuse } from "./misuse.ts";
import { readPlanFile } from "./plan-file.ts";
import { schemaOption } from "./run-options.ts";
import { postgresOption } from "./verb-lint.ts";
import { formatOption } from "./verb-plan.ts";

/** `underpin rehearse FILE|FOLDER`: runs plans or migrations up and down in a scratch database, and tells what was measured. */
export const rehearseVerb: Verb = {
  name: "rehearse",
  summary:
    "Run plans or migrations up and down in a scratch database, and tell who would wait; exit code 3 on findings",
  operands: [
    {
      name: "FILE|FOLDER",
      help: "A .json plan, a module (.ts, .js, .mjs, .cjs) that exports plans, or a folder of migrations",
    },
  ],
  options: ["base", "first", "on", "postgres", "rows", "format", "handlers", "run-schema"],
  notes:
    "Without --on it runs in this process, on PGlite. With it a database is made on that server and dropped again.",
  run: async (call) => {
    const format = formatOption(call);
    if (format === "sql") throw misuse("--format sql is for plans", "Take text, markdown or json.");
    const what = operand(call, 0);
    const isFolder = statSync(what, { throwIfNoEntry: false })?.isDirectory() === true;
    const { plans, handlers: own } = isFolder
      ? { plans: what, handlers: {} }
      : await readPlanFile(what);
    const first = textOption(call, "first");
    const postgres = postgresOption(call);
    const base = await baseOption(call);
    const options: RehearseOptions = {
      ...(base === undefined ? {} : { base }),
      ...(first === undefined ? {} : { first }),
      ...(postgres === undefined ? {} : { postgres }),
      ...rowsOption(call),
      ...schemaOption(call),
      handlers: await handlersOption(call, own),
      signal: call.signal,
    };
    const url = textOption(call, "on");
    const rehearsal =
      url === undefined
        ? await rehearse(plans, options)
        : await inScratchDatabase(
            variablesOfUrl(url),
            { prefix: "underpin_rehearsal" },
            ({ executor }) => rehearse(plans, { ...options, on: executor }),
          );
    call.terminal.out(rehearsalText(rehearsal, { format }));
    return rehearsal.ok ? EXIT.done : EXIT.findings;
  },
};

function rowsOption(call: Call): Pick<RehearseOptions, "rows"> {
  const text = textOption(call, "rows");
  if (text === undefined) return {};
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1 && rows <= 1_000) return { rows };
  throw misuse(
    `--rows is ${JSON.stringify(text)}, not a number of rows`,
    "Write a whole number from 1 to 1000: --rows 50",
  );
}
