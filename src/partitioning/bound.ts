import { UnderpinError } from "../errors.ts";

/** One end of a range: a value as PostgreSQL prints it, without quotes, or beyond all values. */
export type Edge = { readonly value: string } | "minimum" | "maximum";

/** Which rows a partition takes, as `pg_get_expr(relpartbound, oid)` prints it. */
export type Bound =
  | { readonly strategy: "default" }
  /** Null stands for NULL. */
  | { readonly strategy: "list"; readonly values: readonly (string | null)[] }
  /** From the lower end, which it takes, to the upper, which it does not. One edge for each column of the key. */
  | { readonly strategy: "range"; readonly lower: readonly Edge[]; readonly upper: readonly Edge[] }
  | { readonly strategy: "hash"; readonly modulus: number; readonly remainder: number };

const LITERAL = String.raw`E?'(?:[^']|'')*'|[^',()\s]+`;
const LIST = `\\((?:${LITERAL})(?:, (?:${LITERAL}))*\\)`;
const FORMS = new RegExp(
  `^(?:(DEFAULT)|FOR VALUES IN (${LIST})|FOR VALUES FROM (${LIST}) TO (${LIST})|FOR VALUES WITH \\(modulus (\\d+), remainder (\\d+)\\))$`,
  "i",
);

/** Reads a bound. What is none of the four forms is an error and never passed over. */
export function parseBound(text: string): Bound {
  const [, isDefault, list, lower, upper, modulus, remainder] = FORMS.exec(text) ?? [];
  if (isDefault !== undefined) return { strategy: "default" };
  if (list !== undefined)
    return {
      strategy: "list",
      values: literals(list).map((each) => (each === "NULL" ? null : unquoted(each))),
    };
  if (lower !== undefined && upper !== undefined)
    return {
      strategy: "range",
      lower: literals(lower).map(edge),
      upper: literals(upper).map(edge),
    };
  if (modulus !== undefined)
    return { strategy: "hash", modulus: Number(modulus), remainder: Number(remainder) };
  throw new UnderpinError({
    code: "invalidInput",
    message: `the bound of a partition is not understood: ${text}`,
    hint: "Please report it with the version of the server.",
  });
}

function literals(list: string): readonly string[] {
  return list.slice(1, -1).match(new RegExp(LITERAL, "g")) ?? [];
}

function edge(text: string): Edge {
  if (text === "MINVALUE") return "minimum";
  return text === "MAXVALUE" ? "maximum" : { value: unquoted(text) };
}

/** `E'…'` doubles its backslashes; a number or a boolean has no quotes. */
function unquoted(text: string): string {
  if (text.startsWith("E'")) return unquoted(text.slice(1)).replaceAll("\\\\", "\\");
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
