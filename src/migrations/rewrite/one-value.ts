import type { Node } from "libpg-query";
import { stringsOf, walkNodes } from "./scene.ts";

/** Functions of PostgreSQL that give one value within a statement (STABLE or IMMUTABLE) and are used as defaults. */
const STEADY = new Set([
  "now",
  "transaction_timestamp",
  "statement_timestamp",
  "current_setting",
  "current_schema",
  "date_trunc",
  "timezone",
  "to_jsonb",
  "jsonb_build_object",
  "jsonb_build_array",
  "json_build_object",
  "json_build_array",
  "to_timestamp",
  "make_interval",
  "lower",
  "upper",
  "md5",
  "coalesce",
  "abs",
]);

/**
 * Whether a default is one value for all rows, which ADD COLUMN keeps beside them since 11: constants, what is made of them,
 * and the time of the transaction. A function that is not known counts as volatile.
 */
export function isOneValue(expression: Node | undefined): boolean {
  if (expression === undefined) return true;
  let steady = true;
  walkNodes({ expression }, (key, value) => {
    if (key === "SubLink") steady = false;
    if (key !== "FuncCall") return;
    const words = stringsOf((value as { funcname?: readonly Node[] }).funcname);
    const schema = words.length > 1 ? words[0] : "pg_catalog";
    if (schema !== "pg_catalog" || !STEADY.has(words[words.length - 1] ?? "")) steady = false;
  });
  return steady;
}

/** Whether an expression is NULL, also with a cast: a default that says nothing. */
export function isNull(expression: Node | undefined): boolean {
  if (expression === undefined) return true;
  if ("TypeCast" in expression) return isNull(expression.TypeCast.arg);
  return "A_Const" in expression && expression.A_Const.isnull === true;
}
