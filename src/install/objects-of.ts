import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import { emit } from "../definition/emit/emit.ts";
import { orderObjects } from "../definition/order.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { schemeObjects } from "../partitioning/scheme-objects.ts";
import { objectsFor } from "../rls/objects-for.ts";
import { withdrawalId } from "../rls/protect-table.ts";
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
  return orderObjects(afterTriggers(afterWithdrawals([...byId.values()])));
}

/** The first partitions take the triggers that their root has when they are made: those of TRUNCATE are not cloned later. */
function afterTriggers(objects: readonly DatabaseObject[]): readonly DatabaseObject[] {
  return objects.map((object) => {
    if (object.kind !== "partition") return object;
    const triggers = objects.filter(
      ({ kind, within }) => kind === "trigger" && within === object.within,
    );
    return { ...object, dependsOn: [...object.dependsOn, ...triggers.map(({ id }) => id)] };
  });
}

/** What a declared grant gives must not be taken back by the withdrawal of all that nobody declared. */
function afterWithdrawals(objects: readonly DatabaseObject[]): readonly DatabaseObject[] {
  const relationIn = (path: string | null) =>
    path?.replace(/^(?:table|view|materialized view) /, "") ?? "";
  const withdrawals = new Map(
    objects
      .filter(({ id, within }) => within !== null && id === withdrawalId(within))
      .map(({ id, within }) => [relationIn(within), id]),
  );
  return objects.map((object) => {
    const first = withdrawals.get(relationIn(object.within));
    return object.kind !== "grant" || first === undefined || first === object.id
      ? object
      : { ...object, dependsOn: [...object.dependsOn, first] };
  });
}

/** The Drizzle tables of a definition. */
export function tablesOf({ tables }: Definition): readonly PgTable[] {
  return Object.values(tables).filter((entity) => is(entity, PgTable));
}
