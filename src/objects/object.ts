/**
 * What a database is made of, as data: each object with the statements that make it and take it away.
 *
 * Drizzle's tables, enums and views become such objects too (`src/definition/emit`), so that one order, one plan and one
 * comparison hold for everything.
 */
import { createHash } from "node:crypto";
import type { Lock } from "../plan/step.ts";

/** The kinds of objects, in the order in which they are made where nothing else decides. */
export const OBJECT_KINDS = [
  "role",
  "extension",
  "schema",
  "type",
  "sequence",
  "function",
  "table",
  "partition",
  "rows",
  "index",
  "constraint",
  "view",
  "materializedView",
  "trigger",
  "rowSecurity",
  "policy",
  "grant",
  "comment",
  "schedule",
] as const;

/** What kind of object it is. */
export type ObjectKind = (typeof OBJECT_KINDS)[number];

/** One object of a database, as data. */
export interface DatabaseObject {
  readonly kind: ObjectKind;
  /** What it is called, once in a definition: where the catalog shows it, its path in the canonical projection. */
  readonly id: string;
  /** The statements that make it, in one text. */
  readonly create: string;
  /** The statements that take it away; null where it goes with what it belongs to. */
  readonly drop: string | null;
  /** The ids of what must be there first. One that is declared nowhere belongs to the host. */
  readonly dependsOn: readonly string[];
  /**
   * SQL in which the names of other objects count as dependencies: an expression, a query, a signature. Not the body
   * of a function: PostgreSQL looks at it when it runs.
   */
  readonly mentions: readonly string[];
  /** The id of what it belongs to and goes with. */
  readonly within: string | null;
  /** The locks of `create` on relations that are there before. */
  readonly locks: readonly Lock[];
  /** The locks of `drop`. */
  readonly dropLocks: readonly Lock[];
  /** How many relations it creates. */
  readonly creates: number;
}

/** The parts of an object that are not the usual ones. */
export type ObjectParts = Pick<DatabaseObject, "kind" | "id" | "create"> &
  Partial<Omit<DatabaseObject, "kind" | "id" | "create">>;

/** Makes an object of its parts; what is left out is nothing. For what no builder covers. */
export function databaseObject(parts: ObjectParts): DatabaseObject {
  return {
    drop: null,
    dependsOn: [],
    mentions: [],
    within: null,
    locks: [],
    dropLocks: [],
    creates: 0,
    ...parts,
  };
}

/** The content of an object as one short text: what a snapshot compares to know that a function's body has changed. */
export function contentHash({ create, drop }: DatabaseObject): string {
  return createHash("sha256")
    .update(JSON.stringify([create, drop]))
    .digest("hex")
    .slice(0, 32);
}
