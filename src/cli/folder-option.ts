import { existsSync } from "node:fs";
import type { Allowance } from "../migrations/runner/folder-finding.ts";
import { textOption, type Call } from "./call.ts";
import { misuse } from "./misuse.ts";
import type { OptionName } from "./options.ts";

/** Where a folder of migrations is looked for when none is named. */
const FOLDERS = ["drizzle", "migrations"];

/** The folder of migrations that a call means. */
export function folderOption(call: Call): string {
  const given = textOption(call, "folder") ?? FOLDERS.find((name) => existsSync(name));
  if (given !== undefined && given !== "") return given;
  throw misuse(
    "no folder of migrations was named",
    "Give --folder DIRECTORY; without it ./drizzle and ./migrations are looked for.",
  );
}

const ALLOWANCES: readonly Allowance[] = ["gap", "out-of-order", "missing"];

/** What is allowed though it looks like a mistake. */
export function allowOption(call: Call): readonly Allowance[] {
  return namesOption(call, "allow").map((word) => {
    const known = ALLOWANCES.find((one) => one === word);
    if (known === undefined)
      throw misuse(
        `--allow does not know ${JSON.stringify(word)}`,
        `It is one or more of ${ALLOWANCES.join(", ")}: --allow gap,out-of-order`,
      );
    return known;
  });
}

/** An option that is a list of names, with commas between them. */
export function namesOption(call: Call, name: OptionName): readonly string[] {
  const text = textOption(call, name);
  return text === undefined ? [] : text.split(",").map((word) => word.trim());
}

/** A value under a name, where there is one. */
export function given<K extends string, V>(name: K, value: V | undefined): { [k in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [k in K]?: V };
}
