/** How bad a finding is. */
export type Severity = "error" | "warning" | "info";

/** One thing about a database that a person should look at, and what mends it. */
export interface Finding {
  /** What was looked at, as `index-invalid`: stable, for suppressions and SARIF. */
  readonly check: string;
  /** An `error` lets somebody see or change what they must not, or breaks a promise; a `warning` will; an `info` costs. */
  readonly severity: Severity;
  /** The object, by its path in the canonical projection. */
  readonly object: string;
  /** What is wrong, with the values. */
  readonly message: string;
  /** SQL that mends it; null where a person has to decide. */
  readonly repair: string | null;
}

/** Findings, in the order of their objects; empty where all is well. */
export type Findings = readonly Finding[];
