import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A piece of code that a reader may paste. */
export interface Block {
  /** File and line: where to mend it. */
  readonly where: string;
  readonly file: string;
  readonly code: string;
}

/** The TypeScript blocks of the pages, and the examples in the comments of the sources. */
export function readBlocks(): readonly Block[] {
  const pages = ["README.md", ...filesBelow("docs", ".md"), ...filesBelow("examples", ".md")];
  return [...pages.flatMap(blocksOfPage), ...filesBelow("src", ".ts").flatMap(examplesOfSource)];
}

function filesBelow(directory: string, ending: string): readonly string[] {
  return readdirSync(`${ROOT}${directory}`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => `${directory}/${file}`)
    .sort();
}

function blocksOfPage(file: string): readonly Block[] {
  const text = readFileSync(`${ROOT}${file}`, "utf8");
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) =>
    blockAt(file, text, match.index, match[1] ?? ""),
  );
}

function examplesOfSource(file: string): readonly Block[] {
  const text = readFileSync(`${ROOT}${file}`, "utf8");
  return [...text.matchAll(/^ *\* @example *\n((?: *\*(?!\/)(?! *@).*\n)+)/gm)].map((match) =>
    blockAt(file, text, match.index, (match[1] ?? "").replaceAll(/^ *\* ?/gm, "")),
  );
}

function blockAt(file: string, text: string, index: number, code: string): Block {
  return { where: `${file}:${text.slice(0, index).split("\n").length}`, file, code };
}

/** Whether a block reaches for a server of the reader's: its types are checked, and it is not run. */
export function needsServer({ code }: Block): boolean {
  return code.includes("process.env");
}

/** Where a name comes from that a fragment uses and does not declare. */
export type Source = { readonly module: string } | { readonly value: string };

/**
 * A block as a module: what it uses and does not declare is put before it, and each `expression; // literal` becomes a
 * comparison, so that what a comment says is true.
 */
export function moduleOf({ code }: Block, sources: ReadonlyMap<string, Source>): string {
  const parsed = ts.createSourceFile("block.ts", code, ts.ScriptTarget.ES2022, true);
  const declared = new Set<string>();
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const declares =
        (ts.isVariableDeclaration(parent) && parent.name === node) ||
        (ts.isBindingElement(parent) && parent.name === node) ||
        (ts.isParameter(parent) && parent.name === node) ||
        ts.isImportSpecifier(parent) ||
        ts.isImportClause(parent);
      const member =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node);
      if (declares) declared.add(node.text);
      else if (!member) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  const missing = [...used].filter((name) => !declared.has(name) && sources.has(name));
  const prelude: string[] = [];
  const needs = new Set<string>();
  const add = (name: string): void => {
    const source = sources.get(name);
    if (source === undefined || needs.has(name) || declared.has(name)) return;
    needs.add(name);
    if ("module" in source) {
      prelude.unshift(`import { ${name} } from ${JSON.stringify(source.module)};`);
      return;
    }
    for (const word of source.value.match(/\w+/g) ?? []) add(word);
    prelude.push(`const ${name} = ${source.value};`);
  };
  for (const name of missing) add(name);
  const body = code.replaceAll(
    /^([^\s/].*); \/\/ ("[^"]*"|\d+|true|false|\[.*\])$/gm,
    (_, expression: string, literal: string) => {
      const declares = /^(?:const|let) (\w+) = /.exec(expression)?.[1];
      return declares === undefined
        ? `__same(${expression}, ${literal});`
        : `${expression};\n__same(${declares}, ${literal});`;
    },
  );
  return [
    `import { expect as __expect } from "vitest";`,
    "const __same = (is: unknown, said: unknown): void => __expect(is).toEqual(said);",
    ...prelude,
    body,
    needs.has("database") ? "await database.close();" : "",
    "export {};",
    "",
  ].join("\n");
}
