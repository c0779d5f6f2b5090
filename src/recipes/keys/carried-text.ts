import { columnsIn, renameColumns } from "../../sql/column-references.ts";

/**
 * An expression that PostgreSQL has printed, about other columns of another type; undefined where it asks more of one than whether it is NULL,
 * how many are, or whether two are equal.
 */
export function carriedText(
  expression: string,
  names: ReadonlyMap<string, string>,
): string | undefined {
  const columns = [...names.keys()];
  const name = `(?:[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*|"(?:[^"]|"")*")`;
  const isOurs = (text: string) => columnsIn(text, columns).length > 0;
  // What is understood is taken out; what is left must not name a converted column.
  const rest = expression
    .replaceAll(new RegExp(`${name} IS (?:NOT )?NULL`, "g"), "true")
    .replaceAll(new RegExp(`num_(?:non)?nulls\\((?:${name}(?:, )?)+\\)`, "g"), "0")
    .replaceAll(
      new RegExp(`(${name}) (?:=|<>|IS (?:NOT )?DISTINCT FROM) (${name})`, "g"),
      (all, left: string, right: string) => (isOurs(left) && isOurs(right) ? "true" : all),
    );
  return isOurs(rest) ? undefined : renameColumns(expression, names);
}
