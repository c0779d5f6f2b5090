import type { Command } from "../definition/access.ts";
import type { RowClassOf } from "./row-class.ts";

/** The rules of one table over the columns `C`: for each command and persona the rows; what is left out is none. */
export type RulesOf<C extends string, P extends string, L extends string> = {
  readonly [K in Command]?: { readonly [persona in P]?: RowClassOf<C, L> };
} & {
  /** Rows are never changed or deleted, by nobody, the owner included. */
  readonly appendOnly?: true;
  /**
   * Keys without the tenant that are accepted, by the constraint's name, each with its reason: "duplicate key" tells one tenant that another
   * has the value.
   */
  readonly globalKeys?: Readonly<Record<string, string>>;
  /**
   * Columns that no persona reads, each with its reason: the hash of a password. SELECT is then granted on the other columns by name, and `select *`
   * is refused to personas (42501), which a relational query of Drizzle says of what it joins: best in a table of their own. Whoever may insert or update
   * a row may write them.
   */
  readonly unread?: { readonly [column in C]?: string };
  /**
   * Columns that a lookup reads and that a persona who asks it may write, each with what keeps them from choosing by it what they may see: a trigger, a key.
   */
  readonly lookupColumns?: { readonly [column in C]?: string };
};
