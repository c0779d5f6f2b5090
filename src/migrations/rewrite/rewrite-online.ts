import type { Facts } from "../../catalog/read-facts.ts";
import { UnderpinError } from "../../errors.ts";
import { plan } from "../../plan/plan.ts";
import type { Plan, Step } from "../../plan/step.ts";
import { allowanceFindings } from "../lint/allowance-findings.ts";
import { findingAt, findingsOf, type LintFinding } from "../lint/finding.ts";
import { problemFindings } from "../lint/problem-findings.ts";
import { readScript, type ReadScript } from "./read-script.ts";

/** How a script is read. */
export interface RewriteOptions {
  /** The name of the plan. @default "rewritten" */
  readonly name?: string;
  /** The schema of names that are given without one. @default "public" */
  readonly schema?: string;
}

/** A script as a plan, and what was found in it. */
export interface Rewritten {
  readonly plan: Plan;
  readonly findings: readonly LintFinding[];
}

/**
 * Turns a script of DDL into a plan of online steps.
 *
 * Each statement is read by PostgreSQL's own parser. What would make others wait becomes the steps of a recipe; what is safe stays
 * as it is, with its locks and its undo; what cannot be made safe stands behind a gate that says why. What can stand in no plan is
 * refused, with the place: no statement is passed over.
 *
 * With facts (`await readFacts(db)`) more can be made online, since keys, partitions and what hangs on a column are
 * known, tables of less than 1 MB are changed without ceremony, and more can be taken back.
 *
 * @example
 * import { rewriteOnline } from "underpin/migrations";
 *
 * const { plan, findings } = await rewriteOnline("ALTER TABLE users ALTER COLUMN email SET NOT NULL");
 * findings[0]?.check; // "set-not-null"
 * plan.steps.length; // 7
 */
export async function rewriteOnline(
  sql: string,
  facts?: Facts,
  { name = "rewritten", schema = "public" }: RewriteOptions = {},
): Promise<Rewritten> {
  const read = await readScript(sql, { facts, schema });
  const findings = [
    ...problemFindings(sql, read),
    ...allowanceFindings(sql, read),
    ...read.judged.flatMap(({ statement, verdicts }) =>
      verdicts.flatMap((verdict) => findingsOf({ sql, start: statement.start }, verdict)),
    ),
  ];
  refuseWhatNoPlanHolds(sql, read);
  const parts = read.judged.flatMap(({ verdicts }) => verdicts.flatMap((verdict) => verdict.parts));
  if (parts.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: "the script holds no statement that a plan could run",
      hint: "Comments, BEGIN and COMMIT alone are no change.",
    });
  return { plan: plan(name, inBoundedTransactions(parts)), findings };
}

function refuseWhatNoPlanHolds(sql: string, read: ReadScript): void {
  const refused = [
    ...problemFindings(sql, read),
    ...allowanceFindings(sql, read).filter(({ severity }) => severity === "error"),
    ...read.judged.flatMap(({ statement, verdicts }) =>
      verdicts.flatMap(({ refused: isRefused, hazards }) =>
        isRefused === true
          ? hazards.map((hazard) => findingAt({ sql, start: statement.start }, hazard))
          : [],
      ),
    ),
  ];
  const [first] = refused;
  if (first === undefined) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `no plan can hold this script:\n${refused.map(shown).join("\n")}`,
    hint: [...new Set(refused.map(({ advice }) => advice))].join(" "),
  });
}

function shown({ line, column, check, object, message }: LintFinding): string {
  const what = object === "" ? "" : `${object}: `;
  return `  ${line}:${column} ${check}: ${what}${message}`;
}

/** A transaction that makes more would fill much of the lock table. */
const CREATED_PER_COMMIT = 40;

function inBoundedTransactions(parts: readonly (Step | Plan)[]): readonly (Step | Plan)[] {
  let created = 0;
  return parts.map((part) => {
    if (!("kind" in part) || part.kind !== "sql" || part.transaction !== "inside") {
      created = 0;
      return part;
    }
    created += part.creates ?? 0;
    if (created < CREATED_PER_COMMIT) return part;
    created = 0;
    return { ...part, transaction: "commitAfter" } as const;
  });
}
