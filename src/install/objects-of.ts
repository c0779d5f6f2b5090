import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import { emit } from "../definition/emit/emit.ts";
import { orderObjects } from "../definition/order.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { schemeObjects } from "../partitioning/scheme-objects.ts";
import { objectsFor } from "../rls/objects-for.ts";
import { seedObject } from "./seed-object.ts";

/** Everything that a definition is made of, each object once, in the order in which it can be made. */
export function objectsOf(definition: Definition): readonly DatabaseObject[] {
  const { tables, objects, partitions, access, seeds } = definition;
  const entities = Object.values(tables);
  const all = [
    ...emit(entities, partitions),
    ...objects,
    ...partitions.flatMap(schemeObjects),
    ...access.flatMap((each) => objectsFor(each, entities)),
    ...seeds.map(seedObject),
  ];
  const byId = new Map<string, DatabaseObject>();
  for (const object of all) if (!byId.has(object.id)) byId.set(object.id, object);
  return orderObjects([...byId.values()]);
}

/** The Drizzle tables of a definition. */
export function tablesOf({ tables }: Definition): readonly PgTable[] {
  return Object.values(tables).filter((entity) => is(entity, PgTable));
}
