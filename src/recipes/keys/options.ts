import type { CheckStep, Step } from "../../plan/step.ts";
import type { DrizzleColumn, DrizzleTable } from "../../plan/target.ts";
import type { BackfillPace } from "../shadow-column.ts";
import type { KeyStrategy } from "./conversion.ts";
import type { KeyFacts } from "./graph.ts";
import type { WatchedQuery } from "./watched.ts";

/** A table by its name, with its schema before it where that is not `schema`, or as a Drizzle table. */
export type KeyTable = string | DrizzleTable;

/** What has to be true before a phase begins. */
export interface ReadinessCheck {
  /** One line for a person: `no e-mail address is there twice`. */
  readonly title: string;
  readonly sql: string;
  /** As in a check step. @default "noRows" */
  readonly expect?: CheckStep["expect"];
  /** The phase before which it is asked. @default the first */
  readonly phase?: string;
}

/** A column that refers to the rows of a table, in some of its own rows. */
export interface KeyReference {
  readonly table: KeyTable;
  readonly column: string | DrizzleColumn;
  /** In a column of jsonb the way to the integer, whose UUID is put beside it: `["user_id"]` gets `["user_uuid"]`. */
  readonly path?: readonly [string, ...string[]];
  readonly to: KeyTable;
  /** In which rows, as SQL over the row; what is not built in with its schema: `entity_type = 'user'`. @default "true" */
  readonly when?: string;
}

/** Which keys are converted, and how. */
export interface ConvertPrimaryKeyOptions extends BackfillPace {
  /** Readings of the catalog, of every schema that may refer to the tables: `await readFacts(db)`. */
  readonly facts: KeyFacts;
  /** The schema of tables that are given by name, and of the mapping. @default "public", or that of the first Drizzle table */
  readonly schema?: string;
  /** The tables whose keys change; those that refer to them follow by themselves. `"all"`: every one of the facts whose key is one integer. */
  readonly tables: readonly KeyTable[] | "all";
  readonly to: "uuid";
  /**
   * `derived`: the UUID is computed from the integer, by everybody alike (`uuidOf`). `random`: it says nothing, and is known by the mapping alone.
   *
   * @default "derived"
   */
  readonly strategy?: KeyStrategy;
  /** Comes before `<schema>.<table>` in what UUIDs are derived from: a secret makes them hard to guess. @default "" */
  readonly namespace?: string;
  /** The new columns, by table and column: `{ users: { user_id: "key" } }`. @default `user_id` → `user_uuid`, `id` → `uuid` */
  readonly names?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Tables whose key of several columns gives place to one of its own, with its name: `{ cycle_reports: "id" }`. */
  readonly surrogates?: Readonly<Record<string, string>>;
  /** Which keys change up to one deployment, in order. @default leaves (which nothing refers to), then hubs */
  readonly phases?: readonly { readonly name: string; readonly tables: readonly KeyTable[] }[];
  readonly checks?: readonly ReadinessCheck[];
  /** Columns that refer to rows without a foreign key: their UUIDs follow as those of others do. */
  readonly references?: readonly KeyReference[];
  /** Queries that are measured before the first cutover and after each: the plan fails where one takes longer than it may. */
  readonly watch?: readonly WatchedQuery[];
  /** Whether the UUIDs get the names of the integers, which become `legacy_…`, once no old version lives. @default false */
  readonly rename?: boolean;
  /** What replaces views, functions and policies that read the integers, before the names change or the integers go. */
  readonly replace?: readonly Step[];
  /** Indexes and CHECKs that stay with the integers and go with them, and functions that may name them to the end. */
  readonly leave?: readonly string[];
  /** Roles that may ask the mapping, as `resolveKey` does. @default none */
  readonly resolvers?: readonly string[];
}
