import type { Node, TypeName } from "libpg-query";
import { ident } from "../../sql/quote.ts";
import { stringsOf } from "./scene.ts";

/** The short names that the parser gives to types of the SQL standard. */
const SHORT: Readonly<Record<string, string>> = { bpchar: "character", bool: "boolean" };

/** A type as SQL, without the length in its brackets: for the signature of a function. */
export function signatureType(type: TypeName | undefined): string {
  const words = stringsOf(type?.names);
  const [first, second] = words;
  const name =
    first === "pg_catalog" && second !== undefined
      ? (SHORT[second] ?? second)
      : words.map(ident).join(".");
  return `${name}${(type?.arrayBounds ?? []).map(() => "[]").join("")}`;
}

/** The last word of the name of a type: `int4`, `serial`, `mood`. */
export function typeWord(type: TypeName | undefined): string {
  const words = stringsOf(type?.names);
  return (type?.arrayBounds ?? []).length > 0 ? "array" : (words[words.length - 1] ?? "");
}

/** What a signature says of the arguments of a function: those that go in. */
export function signatureOf(parameters: readonly Node[] | undefined): string {
  return (parameters ?? [])
    .flatMap((node) => ("FunctionParameter" in node ? [node.FunctionParameter] : []))
    .filter(({ mode }) => mode !== "FUNC_PARAM_OUT" && mode !== "FUNC_PARAM_TABLE")
    .map(({ argType }) => signatureType(argType))
    .join(", ");
}
