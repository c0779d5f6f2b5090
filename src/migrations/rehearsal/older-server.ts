import type { Finding } from "../../catalog/finding.ts";
import { lint } from "../lint/lint.ts";
import type { PostgresMajor } from "../lint/versions.ts";
import { finding } from "./findings.ts";
import type { Rehearsable } from "./rehearse-plan.ts";

/** What an older server would refuse: PGlite is PostgreSQL 18, and takes it. */
export async function olderServerFindings(
  { name, source }: Rehearsable,
  postgres: PostgresMajor,
): Promise<readonly Finding[]> {
  const found = await lint(source, { postgres });
  return found
    .filter(({ check }) => check === "newer-postgres")
    .map(({ message, line, step }) =>
      finding(
        "newer-postgres",
        "error",
        step === undefined ? `line ${line} of "${name}"` : `step "${step}" of "${name}"`,
        message,
      ),
    );
}
