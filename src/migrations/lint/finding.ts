import type { Finding } from "../../catalog/finding.ts";
import { explain } from "../../plan/explain.ts";
import { PG_LOCK_MODE } from "../../plan/lock.ts";
import { plan } from "../../plan/plan.ts";
import { lineAt, placeAt } from "../../sql/parse-place.ts";
import { RULES, type RuleName } from "../rewrite/rules.ts";
import { pathOf, type Hazard, type Verdict } from "../rewrite/verdict.ts";

/** One finding of `lint`: a rule that a statement breaks, where, and what to write instead. */
export interface LintFinding extends Finding {
  /** The name of the rule. */
  readonly check: RuleName;
  /** From 1. Of a plan, in the SQL of the step. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The line that it stands in. */
  readonly text: string;
  /** The lock that others wait for: `ACCESS EXCLUSIVE on "public"."users"`. */
  readonly lock: string | null;
  /** What to do instead, in words. */
  readonly advice: string;
  /** Of a plan: the id of the step. */
  readonly step?: string;
}

/** Where something is found. */
export interface Spot {
  readonly sql: string;
  readonly start: number;
  readonly step?: string;
}

/** A hazard with its place. */
export function findingAt(spot: Spot, hazard: Hazard, repair: string | null = null): LintFinding {
  const { severity, why, instead } = RULES[hazard.rule];
  const { rule, object, lock, note } = hazard;
  return {
    check: rule,
    severity,
    object,
    message: note === undefined ? why : `${why} (${note})`,
    repair,
    ...placeAt(spot.sql, spot.start),
    text: lineAt(spot.sql, spot.start),
    lock:
      lock === undefined
        ? null
        : `${PG_LOCK_MODE[lock.mode]
            .replace(/Lock$/, "")
            .replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")
            .toUpperCase()} on ${pathOf(lock)}`,
    advice: instead,
    ...(spot.step === undefined ? {} : { step: spot.step }),
  };
}

/** The findings of a verdict. What takes its place is printed with the first. */
export function findingsOf(
  spot: Spot,
  { hazards, parts, online }: Verdict,
): readonly LintFinding[] {
  const repair =
    online === true && parts.length > 0 && hazards.length > 0
      ? explain(plan("instead", parts), { format: "sql" }).replace(/^-- instead, hash .*\n+/, "")
      : null;
  return hazards.map((hazard, at) => findingAt(spot, hazard, at === 0 ? repair : null));
}
