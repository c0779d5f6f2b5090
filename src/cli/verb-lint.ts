import { readFacts, type Facts } from "../catalog/read-facts.ts";
import type { LintFinding } from "../migrations/lint/finding.ts";
import { lint } from "../migrations/lint/lint.ts";
import type { PostgresMajor } from "../migrations/lint/versions.ts";
import { textOption, type Call, type Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { readLintInputs } from "./lint-files.ts";
import { misuse } from "./misuse.ts";
import { withDatabase } from "./open-database.ts";
import { paint, type Terminal } from "./terminal.ts";

/** `underpin lint [FILE …]`: what scripts and plans would do to those who use the database meanwhile. */
export const lintVerb: Verb = {
  name: "lint",
  summary: "Say whom SQL or a plan would keep waiting, and what to write; exit code 3 on findings",
  operands: [
    {
      name: "FILE",
      help: "SQL, a plan (.json, .ts, .js), a folder of .sql files, or - for stdin [default: -]",
      many: true,
    },
  ],
  options: ["postgres", "url", "connect-timeout-ms"],
  notes:
    "With --url it reads the catalog, and knows small tables, validated CHECKs and partitions; DATABASE_URL alone is not used. A rule is switched off by a comment: -- underpin-lint: allow RULE because REASON",
  run: async (call) => {
    const postgres = postgresOption(call);
    const inputs = await readLintInputs(call.operands.length === 0 ? ["-"] : call.operands);
    const facts = await factsOption(call);
    const found: FoundIn[] = [];
    for (const { file, content } of inputs) {
      const findings = await lint(content, {
        ...(postgres === undefined ? {} : { postgres }),
        ...(facts === undefined ? {} : { facts }),
      });
      found.push(...findings.map((finding) => ({ file, ...finding })));
    }
    if (call.options.json === true)
      call.terminal.out(JSON.stringify({ inputs: inputs.length, findings: found }, null, 2));
    else call.terminal.out(lintText(found, inputs.length, call.terminal));
    return found.some(({ severity }) => severity !== "info") ? EXIT.findings : EXIT.done;
  },
};

type FoundIn = LintFinding & { readonly file: string };

const MAJORS: readonly PostgresMajor[] = [15, 16, 17, 18];

/** The oldest server that something is for. */
export function postgresOption(call: Call): PostgresMajor | undefined {
  const text = textOption(call, "postgres");
  if (text === undefined) return undefined;
  const major = MAJORS.find((each) => String(each) === text);
  if (major === undefined)
    throw misuse(`--postgres is ${JSON.stringify(text)}`, `It is one of ${MAJORS.join(", ")}.`);
  return major;
}

async function factsOption(call: Call): Promise<Facts | undefined> {
  if (textOption(call, "url") === undefined) return undefined;
  return withDatabase(call, ({ executor }) => readFacts(executor));
}

function lintText(found: readonly FoundIn[], inputs: number, terminal: Terminal): string {
  const counts = (["error", "warning", "info"] as const).flatMap((severity) => {
    const n = found.filter((each) => each.severity === severity).length;
    return n === 0
      ? []
      : [severity === "info" ? `${n} info` : `${n} ${severity}${n === 1 ? "" : "s"}`];
  });
  const where = `${inputs} ${inputs === 1 ? "file" : "files"}`;
  const last = counts.length === 0 ? `${where}: nothing found` : `${where}: ${counts.join(", ")}`;
  return [...found.map((finding) => `${findingText(finding, terminal)}\n`), last].join("\n");
}

const COLOURS = { error: "red", warning: "yellow", info: "cyan" } as const;

function findingText(finding: FoundIn, terminal: Terminal): string {
  const { file, step, line, column, severity, check, object, message, text, lock, repair, advice } =
    finding;
  const place = `${file}:${step === undefined ? "" : `${step}:`}${line}:${column}`;
  const shown = text.replaceAll("\t", " ");
  const number = String(line).padStart(5);
  return [
    `${paint(terminal, "bold", place)}: ${paint(terminal, COLOURS[severity], severity)} ${check}: ${object === "" ? "" : `${object}: `}${message}`,
    `${number} | ${shown}`,
    `${" ".repeat(5)} | ${" ".repeat(column - 1)}^`,
    ...(lock === null ? [] : [`      lock: ${lock}`]),
    `      instead: ${advice}`,
    ...(repair === null ? [] : [repair.replaceAll(/^(?=.)/gm, "        ")]),
  ].join("\n");
}
