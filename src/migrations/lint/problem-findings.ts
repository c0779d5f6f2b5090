import type { ReadScript } from "../rewrite/read-script.ts";
import { findingAt, type LintFinding } from "./finding.ts";

/** What is no SQL, with its place and what could stand there. */
export function problemFindings(sql: string, { script }: ReadScript): readonly LintFinding[] {
  return script.problems.map(({ kind, start, message, expected }) =>
    findingAt(
      { sql, start },
      {
        rule: kind === "syntax" ? "syntax-error" : "psql-command",
        object: "",
        note: expected.length === 0 ? message : `${message}; expected ${expected.join(" or ")}`,
      },
    ),
  );
}
