import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { Definition } from "../definition/definition.ts";
import { toError } from "../errors.ts";
import type { RehearsalBase } from "../migrations/rehearsal/base.ts";
import { textOption, type Call } from "./call.ts";
import { loadFile } from "./load-module.ts";
import { misuse } from "./misuse.ts";

/** The state before a rehearsal: an SQL file as it is, or the definition that a module exports. */
export async function baseOption(call: Call): Promise<RehearsalBase | undefined> {
  const file = textOption(call, "base");
  if (file === undefined) return undefined;
  if (extname(file) === ".sql") {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      throw misuse(
        `${file} cannot be read: ${toError(error).message}`,
        "Make it: pg_dump --schema-only --file base.sql DATABASE",
        error,
      );
    }
  }
  const loaded = await loadFile(file);
  const inner = loaded["default"];
  const exported = { ...(typeof inner === "object" ? inner : {}), ...loaded };
  const found = [...new Set(Object.values(exported).filter(isDefinition))];
  const [definition] = found;
  if (definition !== undefined && found.length === 1) return definition;
  throw misuse(
    definition === undefined
      ? `${file} exports no definition`
      : `${file} exports ${found.length} definitions: ${found.map(({ name }) => name).join(", ")}`,
    "Export one: export default defineDatabase({ … }), or combine(…) of several. Or name SQL: pg_dump --schema-only --file base.sql",
  );
}

function isDefinition(value: unknown): value is Definition {
  return (
    typeof value === "object" &&
    value !== null &&
    ["name", "tables", "objects", "access", "seeds", "requires"].every((key) => key in value)
  );
}
