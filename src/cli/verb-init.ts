import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { initFiles, withScripts } from "./init-files.ts";
import type { Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { namesOption } from "./folder-option.ts";
import { misuse } from "./misuse.ts";
import { paint } from "./terminal.ts";

const DOMAINS = ["observations", "progress-card", "project-reports", "reporting", "test-cycles"];

/** `underpin init`: sets a project up. What is there stays as it is. */
export const initVerb: Verb = {
  name: "init",
  summary: "Set a project up: configuration, schema files, scripts, a CI workflow, a first test",
  operands: [],
  options: ["domains", "dry-run"],
  notes: "A file that is there is never written over. Call it again for further domains.",
  run: (call) => {
    const domains = namesOption(call, "domains");
    const unknown = domains.find((name) => !DOMAINS.includes(name));
    if (unknown !== undefined)
      throw misuse(
        `there is no domain ${JSON.stringify(unknown)}`,
        `The domains: ${DOMAINS.join(", ")}. One of your own needs no option: put its file into src/db.`,
      );
    const dryRun = call.options["dry-run"] === true;
    const files = initFiles(domains).map(([file, text]) => {
      const isThere = existsSync(file);
      if (!isThere && !dryRun) write(file, text);
      return { file, done: isThere ? "kept" : "written" };
    });
    const manifest = addScripts(dryRun);
    const all = [...files, manifest];
    if (call.options.json === true) call.terminal.out(JSON.stringify(all, null, 2));
    else
      call.terminal.out(
        [
          ...all.map(
            ({ file, done }) =>
              `${paint(call.terminal, done === "kept" ? "dim" : "green", done.padEnd(8))}${file}`,
          ),
          ...(dryRun ? ["nothing was written: --dry-run"] : []),
          "",
          "Next: npm install --save-dev drizzle-kit @electric-sql/pglite, then npx underpin generate --name init",
        ].join("\n"),
      );
    return Promise.resolve(EXIT.done);
  },
};

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function addScripts(dryRun: boolean): { readonly file: string; readonly done: string } {
  const file = "package.json";
  if (!existsSync(file))
    throw misuse("there is no package.json here", "Begin with: npm init --yes");
  const text = readFileSync(file, "utf8");
  const added = withScripts(text);
  if (added === text) return { file, done: "kept" };
  if (!dryRun) writeFileSync(file, added);
  return { file, done: "written" };
}
