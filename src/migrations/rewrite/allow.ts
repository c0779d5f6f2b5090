import type { SqlComment, SqlStatement } from "../../sql/parse.ts";
import { placeAt } from "../../sql/parse-place.ts";
import { isRuleName, type RuleName } from "./rules.ts";

/** `-- underpin-lint: allow <rule> because <reason>`, for the statement that it stands at, or `allow-file` for all. */
export interface Allowance {
  readonly rule: string;
  readonly reason: string;
  readonly start: number;
  /** The statement that it is about; undefined for the whole file, or where there is none. */
  readonly statement: SqlStatement | undefined;
  readonly wholeFile: boolean;
}

const WORDS =
  /underpin-lint:\s*(allow(?:-file)?)\s+([\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+because\b[:\s]*(.*))?/i;

/** The allowances of a script. A comment belongs to the statement before it on its line, else to the next. */
export function allowancesIn(
  text: string,
  comments: readonly SqlComment[],
  statements: readonly SqlStatement[],
): readonly Allowance[] {
  return comments.flatMap((comment): readonly Allowance[] => {
    const found = WORDS.exec(comment.text.replace(/\*\/$/, ""));
    if (found === null) return [];
    const [, way = "", rules = "", reason = ""] = found;
    const line = placeAt(text, comment.start).line;
    const before = statements.findLast(
      (each) =>
        each.start < comment.start && placeAt(text, each.start + each.text.length).line === line,
    );
    const next = statements.find((each) => each.start + each.text.length > comment.start);
    const wholeFile = way.toLowerCase() === "allow-file";
    return rules.split(",").map((rule) => ({
      rule: rule.trim(),
      reason: reason.trim(),
      start: comment.start,
      statement: wholeFile ? undefined : (before ?? next),
      wholeFile,
    }));
  });
}

/** The rules that are switched off for a statement: those that exist, with a reason. */
export function allowedFor(
  allowances: readonly Allowance[],
  statement: SqlStatement,
): ReadonlySet<RuleName> {
  return new Set(
    allowances.flatMap((each) =>
      (each.wholeFile || each.statement === statement) &&
      each.reason !== "" &&
      isRuleName(each.rule)
        ? [each.rule]
        : [],
    ),
  );
}
