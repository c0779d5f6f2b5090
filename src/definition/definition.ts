/**
 * A Definition: what a database should be, as one readonly value.
 */
import type {
  PgEnum,
  PgMaterializedView,
  PgPolicy,
  PgRole,
  PgSchema,
  PgSequence,
  PgTable,
  PgView,
} from "drizzle-orm/pg-core";
import type { DatabaseObject } from "../objects/object.ts";
import type { RelationName } from "../plan/step.ts";
import type { AccessData } from "./access.ts";
import type { Scheme } from "./scheme.ts";

/** What Drizzle can say: everything that a schema file exports. */
export type DrizzleEntity =
  | PgTable
  | PgView
  | PgMaterializedView
  | PgEnum<[string, ...string[]]>
  | PgSequence
  | PgSchema
  | PgPolicy
  | PgRole;

/** Rows that are there from the beginning. */
export interface Seed {
  readonly table: PgTable;
  /** Property names of columns that are unique together: a row that is there is left as it is. */
  readonly key: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** What must be there before, and belongs to the host. */
export interface Requirements {
  /** The oldest major version of PostgreSQL. @default 15 */
  readonly server?: number;
  /** By name; as a Drizzle table where a lookup or a function reads it, since whoever verifies has to make one like it. */
  readonly tables?: readonly (RelationName | PgTable)[];
  readonly functions?: readonly RelationName[];
  /** Beside those that the definition makes itself. */
  readonly extensions?: readonly string[];
}

/** What a database should be. */
export interface Definition {
  readonly name: string;
  /** Tables, views, enums, sequences, schemas and roles by the names under which they are exported. */
  readonly tables: Readonly<Record<string, DrizzleEntity>>;
  readonly objects: readonly DatabaseObject[];
  readonly partitions: readonly Scheme[];
  /** One for each domain; a definition that is not combined has at most one. */
  readonly access: readonly AccessData[];
  readonly seeds: readonly Seed[];
  readonly requires: Requirements;
}
