import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { toError } from "../errors.ts";
import type { Plan } from "../plan/step.ts";
import { misuse } from "./misuse.ts";
import { readPlanFile } from "./plan-file.ts";

/** What is to be looked at, under the name that it was given by. */
export interface LintInput {
  readonly file: string;
  readonly content: string | Plan;
}

/** Reads scripts, plans, folders of scripts, and `-` for what comes in on stdin. */
export async function readLintInputs(names: readonly string[]): Promise<readonly LintInput[]> {
  const inputs: LintInput[] = [];
  for (const name of names) {
    if (name === "-")
      inputs.push({ file: "<stdin>", content: textOf("<stdin>", readOf("<stdin>", 0)) });
    else for (const file of filesOf(name)) inputs.push(...(await inputsOf(file)));
  }
  return inputs;
}

async function inputsOf(file: string): Promise<readonly LintInput[]> {
  if (!/\.(?:json|[cm]?[jt]s)$/.test(file))
    return [{ file, content: textOf(file, readOf(file, file)) }];
  const { plans } = await readPlanFile(file);
  return plans.map((content) => ({ file, content }));
}

function filesOf(name: string): readonly string[] {
  const stat = statSync(name, { throwIfNoEntry: false });
  if (stat === undefined)
    throw misuse(`there is no ${name}`, "Name a file with SQL, a plan, a folder, or - for stdin.");
  if (!stat.isDirectory()) return [name];
  const files = readdirSync(name, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".sql"))
    .sort();
  if (files.length === 0)
    throw misuse(`${name} holds no file that ends in .sql`, "Name the folder of your migrations.");
  return files.map((file) => join(name, file));
}

function readOf(name: string, source: string | number): Buffer {
  try {
    return readFileSync(source);
  } catch (error) {
    throw misuse(
      `${name} cannot be read: ${toError(error).message}`,
      "Is it yours to read?",
      error,
    );
  }
}

function textOf(name: string, bytes: Buffer): string {
  try {
    // The mark stays, so that columns count it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const isWide =
      (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    throw misuse(
      `${name} is not UTF-8${isWide ? ", but UTF-16" : ""}`,
      `Write it again in UTF-8: iconv -f ${isWide ? "UTF-16" : "LATIN1"} -t UTF-8`,
    );
  }
}
