import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, Step, Undo } from "../plan/step.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";
import { transactionsOf } from "./transactions.ts";

/**
 * The exact reverse of {@link planInstall}, object by object and without CASCADE: what the host has made of it stands in the way and is
 * named by PostgreSQL, never dropped.
 *
 * A role that another database of the cluster uses stays, and so does an extension. What belongs to a table goes with it; foreign keys go first, each
 * in a transaction of its own where it holds a table of the host.
 */
export function planUninstall(definition: Definition): Plan {
  const objects = objectsOf(definition);
  const settings = settingsFor(objects);
  const dropped = [...objects].reverse().filter((object) => !goesWithItsTable(object, objects));
  const steps = transactionsOf(dropped, ({ dropLocks }) => dropLocks).flatMap(
    ({ objects: together }) =>
      together.flatMap((object, at): readonly Step[] => {
        const transaction = at === together.length - 1 ? "commitAfter" : "inside";
        return uninstallStep(object, settings, transaction);
      }),
  );
  return { ...plan(`uninstall ${definition.name}`, steps), voids: [`install ${definition.name}`] };
}

/** Foreign keys hold two tables; anything else of a table or view that is dropped needs no statement of its own. */
function goesWithItsTable(object: DatabaseObject, objects: readonly DatabaseObject[]): boolean {
  if (object.drop === null) return true;
  if (object.kind === "constraint" && object.create.includes(" FOREIGN KEY ")) return false;
  if (object.kind === "schedule") return false;
  if (object.kind === "policy" && namesLaterFunction(object, objects)) return false;
  return (
    object.within !== null &&
    !object.within.startsWith("schema ") &&
    objects.some(({ id, drop }) => id === object.within && drop !== null)
  );
}

/** Whether a policy calls a function that reads its table: the function goes before the table, and the policy before the function. */
function namesLaterFunction(policy: DatabaseObject, objects: readonly DatabaseObject[]): boolean {
  const table = objects.findIndex(({ id }) => id === policy.within);
  return objects
    .slice(table + 1)
    .some(
      ({ kind, id }) =>
        kind === "function" &&
        policy.mentions.some((text) => text.includes(id.slice("function ".length))),
    );
}

function uninstallStep(
  { id, kind, create, drop, locks, dropLocks }: DatabaseObject,
  settings: string,
  transaction: "inside" | "commitAfter",
): readonly Step[] {
  if (drop === null) return [];
  const undo: Undo =
    kind === "table" || kind === "sequence"
      ? { kind: "irreversible", reason: "its rows are gone with it: restore them from a backup" }
      : { kind: "statement", sql: settings + create, locks, transaction: "inside" };
  return [{ kind: "sql", id, title: `Drop ${id}`, sql: drop, locks: dropLocks, transaction, undo }];
}
