import { relative } from "node:path";
import type { GeneratedMigration } from "../kit/generate.ts";
import type { ColumnRename } from "../kit/plan-change.ts";
import { explain } from "../plan/explain.ts";
import { textOption, type Call, type Verb } from "./call.ts";
import { definitionOption } from "./definition-option.ts";
import { EXIT } from "./exit-code.ts";
import { given, namesOption } from "./folder-option.ts";
import { misuse } from "./misuse.ts";

/** `underpin generate --name NAME`: writes the next migration. */
export const generateVerb: Verb = {
  name: "generate",
  summary:
    "Write the next migration: drizzle-kit's, completed, made online, with a proven way back",
  operands: [],
  options: ["name", "definition", "config", "renames"],
  notes:
    "Needs no database: the proof runs in this process, on PGlite. Where it fails, the folder stays as it was.",
  run: async (call) => {
    const name = textOption(call, "name");
    if (name === undefined)
      throw misuse("the migration has no name", "underpin generate --name add_scores");
    const renames = namesOption(call, "renames").map(renameOf);
    const definition = await definitionOption(call);
    const { generate } = await import("../kit/generate.ts");
    const made = await generate({
      definition,
      name,
      renames,
      ...given("config", textOption(call, "config")),
    });
    call.terminal.out(
      call.options.json === true ? JSON.stringify(made, null, 2) : textOf(made, call),
    );
    return EXIT.done;
  },
};

function textOf({ tag, folder, files, plan }: GeneratedMigration, { terminal }: Call): string {
  if (tag === null || plan === null) return "nothing differs: no migration was written";
  const shown = relative(process.cwd(), folder) || ".";
  return [
    explain(plan, { format: terminal.interactive ? "text" : "markdown" }),
    "",
    ...files.map((file) => `wrote ${shown}/${file}`),
    "proven from empty: up, down and up again",
  ].join("\n");
}

/** `app.notes.title=headline` */
function renameOf(text: string): ColumnRename {
  const [, schema = "public", table, from, to] =
    /^(?:([^.=]+)\.)?([^.=]+)\.([^.=]+)=([^.=]+)$/.exec(text) ?? [];
  if (table === undefined || from === undefined || to === undefined)
    throw misuse(
      `--renames does not understand ${JSON.stringify(text)}`,
      "Write the old name and the new: --renames app.notes.title=headline",
    );
  return { schema, table, from, to };
}
