import type { Facts } from "../../catalog/read-facts.ts";
import type { Plan } from "../../plan/step.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { readScript } from "../rewrite/read-script.ts";
import { isRuleName } from "../rewrite/rules.ts";
import type { Hazard } from "../rewrite/verdict.ts";
import { allowanceFindings } from "./allowance-findings.ts";
import { findingAt, findingsOf, type LintFinding } from "./finding.ts";
import { lintPlan } from "./lint-plan.ts";
import { problemFindings } from "./problem-findings.ts";
import { styleHazards } from "./style.ts";
import { transactionHazards } from "./transactions.ts";
import { newerThan, type PostgresMajor } from "./versions.ts";

/** What a script or plan is looked at for. */
export interface LintOptions {
  /** The oldest server that it is for: what that refuses is found. @default 18, or what the facts say */
  readonly postgres?: PostgresMajor;
  /** The database that it is for: with it small tables, validated CHECKs and partitions are known. `await readFacts(db)` */
  readonly facts?: Facts;
  /** The schema of names that are given without one. @default "public" */
  readonly schema?: string;
}

/**
 * Finds what a script or a plan would do to those who use the database meanwhile: locks that make them wait, names that they
 * know and that go, statements that the server is too old for.
 *
 * Statements are read by PostgreSQL's own parser; what the script itself has made is nobody's yet, and needs no ceremony. A rule
 * is switched off by a comment with a reason: `-- underpin-lint: allow drop-table because it was never released`.
 *
 * @example
 * import { lint } from "underpin/migrations";
 *
 * const findings = await lint("CREATE INDEX users_email_idx ON users (email)");
 * findings[0]?.check; // "create-index"
 * findings[0]?.repair; // the same CONCURRENTLY, with what surrounds it
 */
export async function lint(
  input: string | Plan,
  options: LintOptions = {},
): Promise<readonly LintFinding[]> {
  const { facts, schema = "public" } = options;
  const postgres = options.postgres ?? majorOf(facts);
  if (typeof input !== "string") return lintPlan(input, { facts, schema, postgres });
  const read = await readScript(input, { facts, schema });
  const transactions = transactionHazards(read.judged);
  const beside = new Map<SqlStatement, readonly Hazard[]>(
    read.judged.map(({ statement, scene }) => [
      statement,
      [
        ...(transactions.get(statement) ?? []),
        ...newerThan(statement, scene, postgres),
        ...styleHazards(scene, statement),
      ],
    ]),
  );
  const isAllowed = (statement: SqlStatement, { rule }: Hazard) =>
    read.allowances.some(
      (each) =>
        each.rule === rule &&
        each.reason !== "" &&
        (each.wholeFile || each.statement === statement),
    );
  const findings = [
    ...problemFindings(input, read),
    ...allowanceFindings(input, read, ({ rule, statement, wholeFile }) =>
      [...beside].some(
        ([each, hazards]) =>
          (wholeFile || each === statement) &&
          isRuleName(rule) &&
          hazards.some((hazard) => hazard.rule === rule),
      ),
    ),
    ...read.judged.flatMap(({ statement, verdicts }) => {
      const spot = { sql: input, start: statement.start };
      return [
        ...verdicts.flatMap((verdict) => findingsOf(spot, verdict)),
        ...(beside.get(statement) ?? [])
          .filter((hazard) => !isAllowed(statement, hazard))
          .map((hazard) => findingAt(spot, hazard)),
      ];
    }),
  ];
  return findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function majorOf(facts: Facts | undefined): PostgresMajor {
  const major = facts === undefined ? 18 : facts.server.major;
  return major <= 15 ? 15 : major === 16 ? 16 : major === 17 ? 17 : 18;
}
