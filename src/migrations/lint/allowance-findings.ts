import { isRuleName } from "../rewrite/rules.ts";
import type { Allowance } from "../rewrite/allow.ts";
import type { ReadScript } from "../rewrite/read-script.ts";
import { findingAt, type LintFinding } from "./finding.ts";

/** Allowances that are of no use, of no rule, or without a reason. `found` are rules that were found beside the verdicts. */
export function allowanceFindings(
  sql: string,
  read: ReadScript,
  found: (allowance: Allowance) => boolean = () => false,
): readonly LintFinding[] {
  return read.allowances.flatMap((allowance) => {
    const { rule, reason, start, statement, wholeFile } = allowance;
    const at = { sql, start };
    if (!isRuleName(rule)) return [findingAt(at, { rule: "unknown-rule", object: rule })];
    if (reason === "") return [findingAt(at, { rule: "allow-without-reason", object: rule })];
    const isUsed = read.judged.some(
      (each) => (wholeFile || each.statement === statement) && each.unallowed.has(rule),
    );
    return isUsed || found(allowance)
      ? []
      : [findingAt(at, { rule: "unused-allow", object: rule })];
  });
}
