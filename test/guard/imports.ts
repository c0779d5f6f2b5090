import { posix } from "node:path";
import ts from "typescript";
import { placeOf, walk, type SourceText } from "./source.ts";

/** One import, export-from or `import()` of a file. */
export interface Import {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** The project's file it names; undefined for a package. */
  readonly target: string | undefined;
  readonly kind: "value" | "type" | "dynamic";
  readonly place: string;
}

/** What a file imports, types included. */
export function importsOf(source: SourceText): Import[] {
  const found: Import[] = [];
  walk(source, (node, file) => {
    const add = (specifier: string, kind: Import["kind"]): void => {
      const target = specifier.startsWith(".")
        ? posix.join(posix.dirname(source.path), specifier)
        : undefined;
      found.push({ from: source.path, specifier, target, kind, place: placeOf(node, file) });
    };
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
      add(node.moduleSpecifier.text, isTypeOnly(node) ? "type" : "value");
    else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier !== undefined &&
      ts.isStringLiteral(node.moduleSpecifier)
    )
      add(node.moduleSpecifier.text, node.isTypeOnly ? "type" : "value");
    else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    )
      add(node.argument.literal.text, "type");
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteral(argument)) add(argument.text, "dynamic");
    }
  });
  return found;
}

function isTypeOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.length > 0 &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}
