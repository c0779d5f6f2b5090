import { UnderpinError } from "../../errors.ts";
import type { Finding, Findings } from "../../catalog/finding.ts";

/** What may be wrong with a folder, or between it and the ledger, and is allowed all the same. */
export type Allowance =
  /** A number is left out. */
  | "gap"
  /** A migration that was not applied stands before one that was. */
  | "out-of-order"
  /** A migration that was applied is not in the folder, and others are to be applied. */
  | "missing";

/** A finding that stops every run. */
export function folderError(check: string, object: string, message: string, hint: string): Finding {
  return { check, severity: "error", object, message: `${message}. ${hint}`, repair: null };
}

/** A finding that a person should know of. */
export function folderWarning(
  check: string,
  object: string,
  message: string,
  hint: string,
): Finding {
  return { check, severity: "warning", object, message: `${message}. ${hint}`, repair: null };
}

/** What each allowance lets pass. */
const ALLOWS: Readonly<Record<Allowance, string>> = {
  gap: "number-gap",
  "out-of-order": "out-of-order",
  missing: "applied-missing",
};

/** The findings that stop a run, given what is allowed. */
export function stopping(findings: Findings, allow: readonly Allowance[] = []): Findings {
  const allowed = new Set(allow.map((one) => ALLOWS[one]));
  return findings.filter(({ severity, check }) => severity === "error" && !allowed.has(check));
}

/** Refuses to run while something is wrong; all of it is named at once. */
export function refuseFindings(
  findings: Findings,
  where: "migrationFolder" | "migrationLedger",
): void {
  const [first] = findings;
  if (first === undefined) return;
  const allowance = (Object.keys(ALLOWS) as Allowance[]).find((one) => ALLOWS[one] === first.check);
  throw new UnderpinError({
    code: where,
    message: findings.map(({ message }) => message).join("\n"),
    hint:
      allowance === undefined
        ? "Nothing was run. See all of it: underpin check (the folder), underpin status (the folder and the database)."
        : `Nothing was run. If it is meant so: { allow: ["${allowance}"] }, on the command line --allow ${allowance}.`,
  });
}
