import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { UnderpinError } from "../../errors.ts";
import type { ColumnRename } from "../plan-change.ts";

/** How long drizzle-kit may take: it loads the schema and asks nobody. */
const TIMEOUT_MS = 120_000;

/** The program of the drizzle-kit that an application has installed. */
export function kitProgram(directory: string): string {
  try {
    let at = dirname(createRequire(join(directory, "package.json")).resolve("drizzle-kit"));
    for (; dirname(at) !== at; at = dirname(at))
      if (existsSync(join(at, "bin.cjs"))) return join(at, "bin.cjs");
  } catch {
    // Told below: which error a resolver throws differs.
  }
  throw new UnderpinError({
    code: "invalidInput",
    message: `drizzle-kit is not installed in ${directory}`,
    hint: 'npm install --save-dev "drizzle-kit@>=0.31 <0.32"',
  });
}

/**
 * drizzle-kit asks only at a terminal, and there is none: this makes it think so, and its questions come to us. Runs before its program, in its process.
 */
const AT_A_TERMINAL = `
process.argv.splice(1, 0, process.env.UNDERPIN_KIT_PROGRAM);
for (const stream of [process.stdin, process.stdout]) Object.defineProperty(stream, "isTTY", { value: true });
process.stdin.setRawMode = () => process.stdin;
process.stdout.columns = 400;
require(process.argv[1]);
`;

/**
 * Runs drizzle-kit and returns all that it said. Its exit code says nothing: 0.31 ends with 0 where the schema throws.
 *
 * Where it asks whether something is new or renamed, the answer is that it is new, unless a rename of that column was said: what goes is parked with its
 * rows, so that a wrong answer loses nothing.
 */
export function runKit(
  directory: string,
  words: readonly string[],
  renames: readonly ColumnRename[] = [],
): Promise<string> {
  const program = kitProgram(directory);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--eval", AT_A_TERMINAL, "--", ...words], {
      cwd: directory,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", UNDERPIN_KIT_PROGRAM: program },
      timeout: TIMEOUT_MS,
    });
    let said = "";
    const answered = new Set<string>();
    const hear = (chunk: Buffer) => {
      said += chunk.toString("utf8");
      const question = lastQuestion(plainText(said));
      if (question === undefined || answered.has(question.words)) return;
      answered.add(question.words);
      child.stdin.write(`${"\u001b[B".repeat(choiceOf(question, renames))}\r`);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    // It may have ended before it is answered.
    child.stdin.on("error", () => undefined);
    child.on("error", reject);
    child.on("close", () => {
      resolve(plainText(said));
    });
  });
}

interface Question {
  readonly words: string;
  readonly choices: readonly string[];
}

/** The last question that was asked, once all of its choices are there. */
function lastQuestion(said: string): Question | undefined {
  const at = said.lastIndexOf(" created or renamed from another ");
  if (at === -1) return undefined;
  const start = said.lastIndexOf("Is ", at);
  const [words = "", ...lines] = said.slice(start).split("\n");
  const choices = lines
    .map((line) => line.trim())
    .filter((line) => /^(?:\u276f )?[+~] /.test(line));
  return choices.length < 2 ? undefined : { words, choices };
}

/** Which of the choices to take: the first is that it is new. */
function choiceOf({ words, choices }: Question, renames: readonly ColumnRename[]): number {
  const found = choices.findIndex((choice) =>
    renames.some(
      ({ table, from, to }) =>
        choice.includes(` ${from} \u203a ${to} `) && words.includes(`column in ${table} table`),
    ),
  );
  return Math.max(found, 0);
}

function plainText(text: string): string {
  return text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, "").trim();
}

/** What drizzle-kit said when it wrote nothing, in words of what to do. */
export function kitFailure(said: string): UnderpinError {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  return new UnderpinError({
    code: "invalidInput",
    message: `drizzle-kit generate wrote no migration. It said:\n${lines.slice(0, 12).join("\n")}`,
    hint: "Run it alone to see all of it: npx drizzle-kit generate",
  });
}
