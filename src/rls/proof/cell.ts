import type { Question } from "./runner.ts";

/** The contexts in which a command is tried. */
export type ContextName =
  /** Tenant and user belong together. */
  | "right"
  /** The user of one tenant, with the id of the other. */
  | "other tenant"
  /** The other tenant's user, after the first tenant's on the same connection and plan. */
  | "switched"
  /** A tenant and no user. */
  | "no user"
  /** Never set in this session. */
  | "missing"
  | "empty"
  | "malformed"
  /** What a transaction left behind. */
  | "leftover"
  /** None is needed. */
  | "any";

/** One thing that is tried, with what has to come of it. */
export interface PlannedCell {
  readonly persona: string;
  /** Path of the table, view, function or role. */
  readonly object: string;
  readonly command: string;
  readonly context: ContextName;
  readonly question: Question;
  /** What is expected, in words. */
  readonly expected: string;
  /** Why an answer is not what is expected; null where it is. */
  readonly judge: (answer: string) => string | null;
  /** What the answer is in words. */
  readonly told?: (answer: string) => string;
  /** Whether something is refused or hidden, so that a positive control has to stand beside it. */
  readonly denies: boolean;
  /** What is compared with another answer: both have to be the same. */
  readonly pair?: string;
  /** Why the answers of a pair may differ. */
  readonly accepted?: string;
}

/** Judges by a list of answers that are right; one that ends in `…` stands for all that begin so. */
export function oneOf(...right: readonly string[]): (answer: string) => string | null {
  return (answer) =>
    right.some((each) =>
      each.endsWith("…") ? answer.startsWith(each.slice(0, -1)) : each === answer,
    )
      ? null
      : told(answer);
}

/** An answer in words. */
export function told(answer: string): string {
  if (!answer.startsWith("ok")) return answer;
  const list = answer.slice(3);
  return list === "" ? "no row" : `${list.split("\u001f").length} rows`;
}
