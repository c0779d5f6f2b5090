import type { ContextName } from "./cell.ts";

/** One thing that was tried. */
export interface Cell {
  /** A persona; `owner`, `control` and `catalog` stand for the table's owner, who sees everything, and what the catalog says. */
  readonly persona: string;
  /** The path of the table, view, function or role. */
  readonly object: string;
  readonly command: string;
  readonly context: ContextName;
  readonly expected: string;
  readonly actual: string;
  /**
   * `vacuous`: nothing was refused or hidden that could have been had: there is no positive control beside it. `accepted`: a key answers
   * for all tenants, and the table's rules accept it by `globalKeys`.
   */
  readonly status: "held" | "broken" | "vacuous" | "accepted";
  /** Why it is not held, or why it is accepted; null where it is held. */
  readonly reason: string | null;
}

/** One way to break the protection, and whether a cell showed it. */
export interface MutationResult {
  readonly title: string;
  readonly object: string;
  readonly sql: string;
  /** `behaviour`: somebody saw or did what they must not, or could no longer do what they may; `catalog`: only the catalog shows it. */
  readonly shownBy: "behaviour" | "catalog" | null;
  /** The cell that turned red, or why the mutation could not be made. */
  readonly reason: string;
  readonly status: "shown" | "survived" | "impossible";
}

/** The mutations that turned a cell red among those that could be made. */
export interface MutationScore {
  readonly shown: number;
  readonly total: number;
  /** Of those shown, how many by what somebody saw or did. */
  readonly byBehaviour: number;
}

/** What was proven of a definition in a database. */
export interface Proof {
  readonly definition: string;
  /** Everything held or is accepted, nothing was vacuous, every mutation was shown. */
  readonly ok: boolean;
  readonly server: string;
  readonly seed: number;
  /** Rows that were made, by the path of their table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly cells: readonly Cell[];
  readonly mutations: readonly MutationResult[];
  readonly score: MutationScore;
  /** Rows that could not be made, and why. */
  readonly problems: readonly string[];
  readonly milliseconds: number;
}
