import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { toError } from "../errors.ts";
import { misuse } from "./misuse.ts";

const TYPESCRIPT = new Set([".ts", ".mts", ".cts"]);
const JAVASCRIPT = new Set([".js", ".mjs", ".cjs"]);

/** What a file holds: the exports of a module, or the value of a JSON file as its default export. */
export type Loaded = Readonly<Record<string, unknown>>;

/**
 * Loads a file that a person named.
 *
 * TypeScript goes through jiti on every Node: Node 20 cannot read it, and later ones read only a part of the language and
 * demand file endings in imports, which Drizzle schemas often leave out.
 */
export async function loadFile(file: string): Promise<Loaded> {
  const path = resolve(file);
  const ending = extname(path);
  if (!existsSync(path))
    throw misuse(
      `there is no file ${file}`,
      "Name a .json plan, or a module (.ts, .js, .mjs, .cjs) that exports a plan.",
    );
  if (!statSync(path).isFile())
    throw misuse(`${file} is not a file`, "Name the file that exports the plan.");
  if (ending === ".json") return { default: await readJson(file, path) };
  if (!TYPESCRIPT.has(ending) && !JAVASCRIPT.has(ending))
    throw misuse(
      `${file} is neither JSON nor a module: it ends in "${ending}"`,
      "Name a .json plan, or a module (.ts, .js, .mjs, .cjs) that exports a plan.",
    );
  try {
    return TYPESCRIPT.has(ending) ? await loadTypescript(path) : await loadJavascript(path);
  } catch (error) {
    throw misuse(
      `${file} cannot be loaded: ${firstLines(toError(error).message)}`,
      "The file itself throws or imports something that is not there: run it alone to see where.",
      error,
    );
  }
}

async function loadJavascript(path: string): Promise<Loaded> {
  return (await import(pathToFileURL(path).href)) as Loaded;
}

async function loadTypescript(path: string): Promise<Loaded> {
  const { createJiti } = await import("jiti");
  return createJiti(pathToFileURL(path).href, { interopDefault: false }).import<Loaded>(path);
}

async function readJson(file: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as unknown;
  } catch (error) {
    throw misuse(
      `${file} is not JSON: ${toError(error).message}`,
      "Write it anew: underpin plan FILE --format json > plan.json",
      error,
    );
  }
}

function firstLines(message: string): string {
  return message.split("\n").slice(0, 3).join("\n");
}
