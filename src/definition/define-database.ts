import { is } from "drizzle-orm";
import { isPgEnum, PgTable } from "drizzle-orm/pg-core";
import type { DatabaseObject } from "../objects/object.ts";
import { qualified } from "../sql/quote.ts";
import { accessFaults } from "./access-faults.ts";
import type { Definition } from "./definition.ts";
import { gathered, type DefinitionOptions } from "./definition-of.ts";
import { emit } from "./emit/emit.ts";
import { refuseAny, type DefinitionFault } from "./fault.ts";
import { accessNameFaults, objectNameFaults } from "./name-faults.ts";
import { schemeFaults } from "./scheme-faults.ts";
import { seedFaults } from "./seed-faults.ts";
import { tableFaults } from "./table-faults.ts";

/**
 * Puts together what a database should be, and refuses what Drizzle's types cannot: in one error that names every table and column.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { defineDatabase } from "underpin";
 *
 * const notes = pgTable("notes", { id: uuid("id").primaryKey().defaultRandom() });
 * const definition = defineDatabase({ name: "app", tables: { notes } });
 * definition.name; // "app"
 */
export function defineDatabase(options: DefinitionOptions): Definition {
  const definition = gathered(options);
  refuseFaults(definition, accessFaults(definition));
  return definition;
}

/** Throws one error for everything that is wrong. */
export function refuseFaults(
  definition: Definition,
  others: readonly DefinitionFault[] = [],
): void {
  refuseAny(definition.name, [...faultsOf(definition), ...others]);
}

function faultsOf({
  tables,
  partitions,
  seeds,
  objects,
  access,
}: Definition): readonly DefinitionFault[] {
  const entities = Object.values(tables);
  const own = entities.filter((entity) => is(entity, PgTable));
  const enums = new Set(
    entities
      .filter(isPgEnum)
      .map(({ schema, enumName }) => qualified(schema ?? "public", enumName)),
  );
  const faults = [
    ...own.flatMap((table) => tableFaults(table, { tables: own, enums })),
    ...partitions.flatMap((scheme) => schemeFaults(scheme, own)),
    ...seeds.flatMap((seed) => seedFaults(seed, own)),
    ...access.flatMap(accessNameFaults),
    ...objectNameFaults(objects),
  ];
  // Only what is sound by itself can be emitted.
  return faults.length > 0 ? faults : duplicates([...emit(entities, partitions), ...objects]);
}

function duplicates(objects: readonly DatabaseObject[]): readonly DefinitionFault[] {
  const seen = new Map<string, DatabaseObject>();
  const faults: DefinitionFault[] = [];
  for (const object of objects) {
    // An extension may be named by several parts.
    const other = seen.get(object.id);
    if (other !== undefined && other.create !== object.create)
      faults.push({
        table: object.id,
        what: "is declared twice",
        fix: "Rename one of them, or give one of the domains another schema.",
      });
    seen.set(object.id, object);
  }
  return faults;
}
