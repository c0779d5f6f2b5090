import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The row types of a module's tables as TypeScript infers them, one line for each property: of a row that is read, and with a
 * question mark where an insert may leave it out.
 */
export function rowTypes(modules: readonly string[]): ReadonlyMap<string, string> {
  const config = ts.readConfigFile(`${ROOT}tsconfig.json`, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT, {}, undefined);
  const paths = modules.map((module) => `${ROOT}${module}`);
  const program = ts.createProgram(paths, options);
  const checker = program.getTypeChecker();
  return new Map(
    paths.map((path, i) => {
      const file = program.getSourceFile(path);
      const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file);
      const exports = symbol === undefined ? [] : checker.getExportsOfModule(symbol);
      const tables = exports
        .map((each) => tableText(checker, each))
        .filter((text) => text !== undefined);
      return [modules[i] ?? "", tables.sort().join("\n")];
    }),
  );
}

function tableText(checker: ts.TypeChecker, symbol: ts.Symbol): string | undefined {
  const type = checker.getTypeOfSymbol(symbol);
  const select = rowOf(checker, type, "$inferSelect");
  const insert = rowOf(checker, type, "$inferInsert");
  if (select === undefined || insert === undefined) return undefined;
  const given = new Map(insert.getProperties().map((property) => [property.name, property]));
  const lines = select.getProperties().map((property) => {
    const written = given.get(property.name);
    const mark = written === undefined ? " (made)" : isOptional(written) ? "?" : "";
    return `  ${property.name}${mark}: ${printed(checker, checker.getTypeOfSymbol(property))}`;
  });
  return `${symbol.name}\n${lines.sort().join("\n")}\n`;
}

function rowOf(checker: ts.TypeChecker, table: ts.Type, name: string): ts.Type | undefined {
  const property = table.getProperty(name);
  return property === undefined ? undefined : checker.getTypeOfSymbol(property);
}

function isOptional({ flags }: ts.Symbol): boolean {
  return (flags & ts.SymbolFlags.Optional) !== 0;
}

function printed(checker: ts.TypeChecker, type: ts.Type): string {
  return checker.typeToString(
    type,
    undefined,
    ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias,
  );
}
