import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as underpin from "../../src/index.ts";
import * as migrations from "../../src/migrations/index.ts";
import * as testing from "../../src/testing/index.ts";
import {
  moduleOf,
  needsServer,
  readBlocks,
  ROOT,
  type Block,
  type Source,
} from "../support/docs-blocks.ts";

const ENTRIES = {
  underpin: { module: underpin, file: "src/index.ts" },
  "underpin/migrations": { module: migrations, file: "src/migrations/index.ts" },
  "underpin/testing": { module: testing, file: "src/testing/index.ts" },
} as const;

/** The sources of every subpath, as the types find them. */
const SUBPATHS = (
  JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")) as {
    readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly [string]>> };
  }
).compilerOptions.paths;

/** What a fragment may take for granted. */
const GIVEN: Readonly<Record<string, Source>> = {
  database: {
    value: `await createTestDatabase({ setup: "CREATE TABLE users (id integer PRIMARY KEY, email text)" })`,
  },
  db: { value: "database.db" },
  executor: { value: "database.executor" },
  sql: { module: "drizzle-orm" },
  drizzle: { module: "drizzle-orm/node-postgres" },
  Pool: { module: "pg" },
};

/** The public names, the names of the file that the block stands in, and what is given. */
async function sourcesFor({ file }: Block): Promise<ReadonlyMap<string, Source>> {
  const sources = new Map<string, Source>(Object.entries(GIVEN));
  if (file.startsWith("src/")) {
    const module = join(ROOT, file);
    const own = (await import(pathToFileURL(module).href)) as object;
    for (const name of Object.keys(own)) sources.set(name, { module });
  }
  for (const [module, entry] of Object.entries(ENTRIES))
    for (const name of Object.keys(entry.module)) sources.set(name, { module });
  return sources;
}

const blocks = readBlocks();
let directory = "";
const fileOf = (at: number, kind: "typed" | "run") => join(directory, `${kind}-${at}.ts`);

beforeAll(async () => {
  mkdirSync(join(ROOT, ".underpin"), { recursive: true });
  directory = mkdtempSync(join(ROOT, ".underpin", "docs-"));
  for (const [at, block] of blocks.entries()) {
    const code = moduleOf(block, await sourcesFor(block));
    writeFileSync(fileOf(at, "typed"), code);
    // The package's own name leads to what was built: here it has to lead to the sources.
    const toSources = Object.entries(SUBPATHS).reduce(
      (text, [name, [file]]) =>
        text.replaceAll(`from "${name}";`, `from ${JSON.stringify(join(ROOT, file))};`),
      code,
    );
    writeFileSync(fileOf(at, "run"), toSources);
  }
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the examples of pages and comments", () => {
  it("are there", () => {
    expect(blocks.filter(({ file }) => file === "README.md").length).toBeGreaterThan(0);
    expect(blocks.filter(({ file }) => file.startsWith("src/")).length).toBeGreaterThan(3);
  });

  it("have the types that they should, each with its imports as a reader would write them", () => {
    const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), (path) =>
      readFileSync(path, "utf8"),
    ) as { config: unknown };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
    const files = blocks.map((_, at) => fileOf(at, "typed"));
    const program = ts.createProgram(files, options);
    const problems = files.flatMap((file, at) => {
      const source = program.getSourceFile(file);
      const found = [
        ...program.getSyntacticDiagnostics(source),
        ...program.getSemanticDiagnostics(source),
      ];
      return found.map(
        ({ messageText }) =>
          `${blocks[at]?.where}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
      );
    });
    expect(problems).toEqual([]);
  }, 180_000);

  it.each(
    blocks
      .map((block, at) => ({ where: block.where, block, at }))
      .filter(({ block }) => !needsServer(block)),
  )("run, and say what their comments say: $where", async ({ at }) => {
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    try {
      await import(pathToFileURL(fileOf(at, "run")).href);
    } finally {
      log.mockRestore();
    }
  });
});

describe("a page that shows a plan", () => {
  const pages = ["set-not-null", "create-index", "add-check", "enum-values"].map(
    (name) => `docs/recipes/${name}.md`,
  );
  it.each(pages)("shows it as explain prints it: %s", (page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const shown = [...text.matchAll(/<!-- explain: (.*) -->\n\n((?:\|.*\n)*)/g)];
    expect(shown.length).toBeGreaterThan(0);
    for (const [, expression = "", table = ""] of shown) {
      const plan = evaluate(expression);
      const printed = underpin.explain(plan, { format: "markdown" });
      expect(table.trimEnd()).toBe(printed.slice(printed.indexOf("|")));
    }
  });
});

/** `setNotNull({ table: "users", column: "email" })`: a recipe and its options as JSON with bare keys. */
function evaluate(expression: string): underpin.Plan {
  const [, recipe = "", options = ""] = /^(\w+)\((.*)\)$/.exec(expression) ?? [];
  const json = JSON.parse(options.replaceAll(/(\w+): /g, '"$1": ')) as never;
  return migrations[recipe as "setNotNull" | "createIndex"](json);
}
