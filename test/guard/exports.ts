import ts from "typescript";
import { walk, type SourceText } from "./source.ts";

/** The public names of an entry, types with the word `type`; what hides names is returned as a fault. */
export function exportedNames(entry: SourceText): { names: string[]; faults: string[] } {
  const names: string[] = [];
  const faults: string[] = [];
  walk(entry, (node) => {
    if (ts.isExportDeclaration(node)) {
      if (node.exportClause === undefined || !ts.isNamedExports(node.exportClause))
        faults.push(`${entry.path}: export * hides what is public`);
      else
        for (const { name, isTypeOnly } of node.exportClause.elements)
          names.push(`${node.isTypeOnly || isTypeOnly ? "type " : ""}${name.text}`);
    } else if (
      ts.isStatement(node) &&
      !ts.isImportDeclaration(node) &&
      ts.isSourceFile(node.parent)
    )
      faults.push(`${entry.path}: defines something itself, it may only re-export`);
  });
  return { names: names.sort(), faults };
}
