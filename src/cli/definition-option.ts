import { existsSync } from "node:fs";
import type { Definition } from "../definition/definition.ts";
import { textOption, type Call } from "./call.ts";
import { loadFile } from "./load-module.ts";
import { misuse } from "./misuse.ts";

/** Where a definition is looked for when no file is named. */
const FILES = ["ts", "mts", "cts", "js", "mjs", "cjs"].map((end) => `underpin.config.${end}`);

/** The definition of `--definition`, or of `underpin.config` in the current directory. */
export async function definitionOption(call: Call): Promise<Definition> {
  const file = textOption(call, "definition") ?? FILES.find((name) => existsSync(name));
  if (file === undefined)
    throw misuse(
      "no definition was named",
      "Give --definition FILE, a module that exports one; or set the project up: underpin init",
    );
  const loaded = await loadFile(file);
  const inner = loaded["default"];
  const exported = { ...(typeof inner === "object" ? inner : {}), ...loaded };
  const found = [...new Set([inner, ...Object.values(exported)].filter(isDefinition))];
  const [definition] = found;
  if (definition !== undefined && found.length === 1) return definition;
  throw misuse(
    definition === undefined
      ? `${file} exports no definition`
      : `${file} exports ${found.length} definitions: ${found.map(({ name }) => name).join(", ")}`,
    "Export one: export const definition = defineDatabase({ … }), or combine(…) of several.",
  );
}

function isDefinition(value: unknown): value is Definition {
  return (
    typeof value === "object" &&
    value !== null &&
    ["name", "tables", "objects", "access", "seeds", "requires"].every((key) => key in value)
  );
}
