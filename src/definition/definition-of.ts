import { isPgEnum } from "drizzle-orm/pg-core";
import type { DatabaseObject } from "../objects/object.ts";
import type { AccessData } from "./access.ts";
import type { Definition, DrizzleEntity, Requirements, Seed } from "./definition.ts";
import { refuseAny } from "./fault.ts";
import { accessNameFaults } from "./name-faults.ts";
import type { Scheme } from "./scheme.ts";

/** What a database should be made of. */
export interface DefinitionOptions {
  readonly name: string;
  /** Everything that the schema exports, by name: tables, views, enums, sequences, schemas, roles. Anything else is ignored. */
  readonly tables: Readonly<Record<string, unknown>>;
  readonly objects?: readonly DatabaseObject[];
  readonly partitions?: readonly Scheme[];
  readonly access?: AccessData;
  readonly seeds?: readonly Seed[];
  readonly requires?: Requirements;
}

/**
 * A definition as it is given, without a look at its tables. What a binding may rename is looked at: the roles.
 *
 * For domains that are held to be sound by tests: reading the configuration of twenty tables takes longer than all that a module needs to load.
 */
export function definitionOf(options: DefinitionOptions): Definition {
  const definition = gathered(options);
  refuseAny(definition.name, definition.access.flatMap(accessNameFaults));
  return definition;
}

/** A definition as it is given. */
export function gathered(options: DefinitionOptions): Definition {
  const { name, objects = [], partitions = [], seeds = [], requires = {}, access } = options;
  const tables = Object.fromEntries(
    Object.entries(options.tables).filter((entry): entry is [string, DrizzleEntity] =>
      isEntity(entry[1]),
    ),
  );
  const accesses = access === undefined ? [] : [access];
  return { name, tables, objects, partitions, access: accesses, seeds, requires };
}

function isEntity(value: unknown): value is DrizzleEntity {
  return isPgEnum(value) || DRIZZLE_KINDS.has(entityKindOf(value));
}

const DRIZZLE_KINDS: ReadonlySet<unknown> = new Set([
  "PgTable",
  "PgView",
  "PgMaterializedView",
  "PgSequence",
  "PgSchema",
  "PgRole",
  "PgPolicy",
]);

/** Drizzle marks its classes by a symbol of the global registry, so that another copy's values are known too. */
function entityKindOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  let at: unknown = Object.getPrototypeOf(value);
  while (typeof at === "object" && at !== null) {
    const kind = (at as { constructor?: Record<symbol, unknown> }).constructor?.[ENTITY_KIND];
    if (DRIZZLE_KINDS.has(kind)) return kind;
    at = Object.getPrototypeOf(at);
  }
  return undefined;
}

const ENTITY_KIND = Symbol.for("drizzle:entityKind");
