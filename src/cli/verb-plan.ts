import { explain, type ExplainOptions } from "../plan/explain.ts";
import type { Plan } from "../plan/step.ts";
import { operand, textOption, type Call, type Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { misuse } from "./misuse.ts";
import { readPlanFile } from "./plan-file.ts";

/** `underpin plan FILE`: prints what a plan would do. */
export const planVerb: Verb = {
  name: "plan",
  summary: "Print what a plan does: statements, locks, transactions, undo. Needs no database",
  operands: [
    { name: "FILE", help: "A .json plan, or a module (.ts, .js, .mjs, .cjs) that exports one" },
  ],
  options: ["format"],
  run: async (call) => {
    const { plans } = await readPlanFile(operand(call, 0));
    call.terminal.out(printed(plans, formatOption(call)));
    return EXIT.done;
  },
};

type Format = NonNullable<ExplainOptions["format"]>;

const FORMATS: readonly Format[] = ["text", "markdown", "json", "sql"];

/** In which form to print plans; `--json` is the same as `--format json`. */
export function formatOption(call: Call): Format {
  const text = textOption(call, "format");
  const format = FORMATS.find((one) => one === (text ?? "text"));
  if (format === undefined)
    throw misuse(`--format is ${JSON.stringify(text)}`, `It is one of ${FORMATS.join(", ")}.`);
  if (call.options.json !== true) return format;
  if (text !== undefined && format !== "json")
    throw misuse(`--json and --format ${format} contradict each other`, "Leave one of them out.");
  return "json";
}

/** Prints plans. One plan as JSON is itself a plan file; several are a list of plans, which is one too. */
export function printed(plans: readonly Plan[], format: Format): string {
  const texts = plans.map((plan) => explain(plan, { format }));
  if (format !== "json") return texts.join("\n\n");
  return plans.length === 1 ? texts.join("") : `[${texts.join(",\n")}]`;
}
