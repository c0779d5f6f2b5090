import { UnderpinError } from "../errors.ts";

/**
 * The only place that quotes. A guard test keeps it so.
 */

/**
 * Double-quotes an identifier: `a"b` becomes `"a""b"`.
 *
 * PostgreSQL cuts identifiers at 63 bytes with a notice only, so that two long names may become one: use
 * {@link shorten} where a name is made.
 */
export function ident(name: string): string {
  refuseNul(name);
  return `"${name.replaceAll('"', '""')}"`;
}

/** Schema-qualified name. There is no form without a schema: `search_path` is never trusted. */
export function qualified(schema: string, name: string): string {
  return `${ident(schema)}.${ident(name)}`;
}

/**
 * Single-quotes a text, right under both settings of `standard_conforming_strings`.
 *
 * A backslash makes it an escape string, since plain quotes read it in two ways.
 */
export function literal(text: string): string {
  refuseNul(text);
  const doubled = text.replaceAll("'", "''");
  return text.includes("\\") ? ` E'${doubled.replaceAll("\\", "\\\\")}'` : `'${doubled}'`;
}

function refuseNul(text: string): void {
  if (text.includes("\0"))
    throw new UnderpinError({
      code: "invalidInput",
      message: `a name or text holds a NUL character: ${JSON.stringify(text)}`,
      hint: "PostgreSQL cannot store it: remove the character.",
    });
}
