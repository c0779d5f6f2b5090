/**
 * Who may do what to which rows, as plain data. `src/rls` makes it and turns it into policies, grants and their proof.
 */

/** The four commands that row security knows apart. */
export const COMMANDS = ["select", "insert", "update", "delete"] as const;

/** One of the four commands. */
export type Command = (typeof COMMANDS)[number];

/** Which rows a persona reaches. Columns are those of the database. */
export type RowClass =
  /** The rows of the user: the column is the user's id. */
  | { readonly kind: "own"; readonly column: string }
  /** The rows whose column is among the ids that a lookup yields. */
  | { readonly kind: "among"; readonly lookup: string; readonly column: string }
  /** All rows of the tenant. */
  | { readonly kind: "tenant" }
  /** All rows. Only of a table without tenant. */
  | { readonly kind: "public" }
  /** No row. */
  | { readonly kind: "none" }
  /** A predicate written by hand, as SQL, and why it must be. */
  | { readonly kind: "custom"; readonly predicate: string; readonly reason: string }
  /** Rows that are in one of several classes. */
  | { readonly kind: "anyOf"; readonly classes: readonly RowClass[] };

/** The rules of one table: what is left out is `none`. */
export interface TableRules {
  /** The id of the access that they were made by. */
  readonly access: string;
  /** The column that holds the tenant; null for a table that belongs to nobody. */
  readonly tenantColumn: string | null;
  /** Rows are never changed or deleted, by nobody. */
  readonly appendOnly: boolean;
  /** Keys that hold across tenants, by the constraint's name, and why that may be: one tenant learns from them what another has. */
  readonly globalKeys: Readonly<Record<string, string>>;
  /** Columns that no persona reads, and why. */
  readonly unread: Readonly<Record<string, string>>;
  /** Columns that a lookup reads and who asks it may write, and what keeps them from choosing by it what they may see. */
  readonly lookupColumns: Readonly<Record<string, string>>;
  readonly rules: Readonly<Record<Command, Readonly<Record<string, RowClass>>>>;
}

/** A function that yields the ids which a user reaches: `assigned`, `children`. */
export interface Lookup {
  readonly name: string;
  readonly type: IdType;
  /** As SQL, with `current_user_id()` and `current_tenant_id()` of the access; null until `access.with`. */
  readonly query: string | null;
  /** The relations that the query reads: the reader role gets a policy on each. */
  readonly reads: readonly { readonly schema: string; readonly name: string }[];
}

/** The types that an id may have. */
export type IdType = "uuid" | "integer" | "bigint" | "text";

/** Personas, tenant and lookups. It knows no table. */
export interface AccessData {
  /** The schema of its functions, by which it is known. */
  readonly schema: string;
  readonly target: "postgres" | "supabase" | "citus";
  /** Role names by persona. */
  readonly roles: Readonly<Record<string, string>>;
  /** Owns the lookups and materialized views; neither superuser nor BYPASSRLS. */
  readonly readerRole: string;
  /** Reaches every row of every table, by SET ROLE, for migrations only. */
  readonly migratorRole: string;
  readonly tenant: { readonly setting: string; readonly type: IdType };
  readonly user: { readonly setting: string; readonly type: IdType };
  readonly lookups: readonly Lookup[];
}

/** Policies carry their rule under this symbol, so that the matrix can be collected from the tables. */
export const RULES = Symbol.for("underpin:rules");
