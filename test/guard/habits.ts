import ts from "typescript";
import { placeOf, walk, type SourceText } from "./source.ts";

const MAX_LINES = 300;

/** Classes of the language itself: there is one of each in a process, whoever asks. */
const OWN_CLASSES = new Set([
  "Error",
  "AggregateError",
  "Date",
  "Map",
  "Set",
  "Uint8Array",
  "RegExp",
]);

/** Files that are longer than one can read at once and do not say why. */
export function lengthFaults(sources: readonly SourceText[]): string[] {
  return sources
    .filter(({ text }) => {
      const lines = text.trimEnd().split("\n");
      const head = lines.slice(0, 10).join("\n");
      return lines.length > MAX_LINES && !/^\/\/ Long because: \S/m.test(head);
    })
    .map(({ path }) => `${path}: over ${MAX_LINES} lines without "// Long because: …" at its head`);
}

/** `process.exit` ends the host's process too: only the program may. */
export function exitFaults(sources: readonly SourceText[]): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    if (source.path === "src/cli/main.ts") continue;
    walk(source, (node, file) => {
      if (ts.isPropertyAccessExpression(node) && node.getText(file) === "process.exit")
        faults.push(`${placeOf(node, file)}: process.exit outside src/cli/main.ts`);
    });
  }
  return faults;
}

/** `instanceof` fails between the ESM and the CJS copy of a package; a class of the same file is safe. */
export function instanceofFaults(sources: readonly SourceText[]): string[] {
  const faults: string[] = [];
  for (const source of sources)
    walk(source, (node, file) => {
      if (!ts.isBinaryExpression(node)) return;
      if (node.operatorToken.kind !== ts.SyntaxKind.InstanceOfKeyword) return;
      const name = node.right.getText(file);
      const isOfThisFile = new RegExp(`^(?:export )?class ${name}\\b`, "m").test(source.text);
      if (!OWN_CLASSES.has(name) && !isOfThisFile)
        faults.push(`${placeOf(node, file)}: instanceof ${name}`);
    });
  return faults;
}

const BLOCKS = /^(?:describe|onServers|onEngines)\b/;
const TESTS = /^(?:it|test|itNeedsServer)\b/;

/** Tests of one file with the same name in the same block: a failure would not say which. */
export function testNameFaults(sources: readonly SourceText[]): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    const seen = new Set<string>();
    walk(source, (node, file) => {
      const name = nameIn(node, file, TESTS);
      if (name === undefined) return;
      const blocks: string[] = [];
      for (let at: ts.Node = node.parent; !ts.isSourceFile(at); at = at.parent)
        blocks.unshift(nameIn(at, file, BLOCKS) ?? "");
      const path = [...blocks, name].filter((part) => part !== "").join(" › ");
      if (seen.has(path)) faults.push(`${placeOf(node, file)}: a second test named ${path}`);
      seen.add(path);
    });
  }
  return faults;
}

function nameIn(node: ts.Node, file: ts.SourceFile, callee: RegExp): string | undefined {
  if (!ts.isCallExpression(node) || !callee.test(node.expression.getText(file))) return undefined;
  const [first] = node.arguments;
  if (first === undefined) return undefined;
  // A callee that is itself a call is `it.each(…)`, whose argument is a table.
  if (/\.(?:each|for|skipIf|runIf)$/.test(node.expression.getText(file))) return undefined;
  return ts.isStringLiteralLike(first) ? first.text : first.getText(file);
}
