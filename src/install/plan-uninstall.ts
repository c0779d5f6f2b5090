import type { Definition } from "../definition/definition.ts";
import type { Scheme } from "../definition/scheme.ts";
import { namedPath } from "../catalog/path.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { dropPartitions } from "../partitioning/drop-partitions.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, Step, Undo } from "../plan/step.ts";
import { targetOf } from "../plan/target.ts";
import { dependentsStep } from "./dependents.ts";
import { groupsOf, locksTogether, textOf, titleOf } from "./groups.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";

/**
 * The exact reverse of {@link planInstall}, object by object and without CASCADE: what the host has made of it is
 * named before anything is dropped, and never dropped itself.
 *
 * A role that another database of the cluster uses stays, and so does an extension. What belongs to a table goes with it; foreign keys go first, each
 * in a transaction of its own where it holds a table of the host.
 */
export function planUninstall(definition: Definition): Plan {
  const objects = objectsOf(definition);
  const settings = settingsFor(objects);
  const dropped = [...objects].reverse().filter((object) => !goesWithItsTable(object, objects));
  const groups = groupsOf(dropped, ({ dropLocks }) => dropLocks);
  // A partition that something points to goes after the foreign key; all others go first, so that nothing has to lock them all.
  const pointedTo = (scheme: Scheme) => isPointedTo(scheme, objects);
  const tables = groups.findIndex(([first]) => first?.kind === "table");
  const steps = [
    dependentsStep(definition.name, objects),
    ...definition.partitions.filter((scheme) => !pointedTo(scheme)).map(partitionStep),
    ...groups.slice(0, tables).map((group) => uninstallStep(group, settings)),
    ...definition.partitions.filter(pointedTo).map(partitionStep),
    ...groups.slice(tables).map((group) => uninstallStep(group, settings)),
  ];
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

function isPointedTo(scheme: Scheme, objects: readonly DatabaseObject[]): boolean {
  const { schema, name } = targetOf(scheme);
  const path = namedPath("table", schema, name);
  return objects.some(
    ({ kind, within, dependsOn }) =>
      kind === "constraint" && within !== path && dependsOn.includes(path),
  );
}

/** The partitions of a table leave twenty at a time: DROP TABLE of a root with thousands ends in 53200. */
function partitionStep(scheme: Scheme): Step {
  const target = targetOf(scheme);
  return {
    kind: "sql",
    id: `partitions of ${namedPath("table", target.schema, target.name)}`,
    title: `Drop the partitions of ${target.name}, twenty at a time`,
    sql: dropPartitions(scheme).sql,
    // Where there are none, that is none of somebody else's doing; and it may run twice.
    probe: { sql: "SELECT 'absent' AS state" },
    locks: [{ ...target, mode: "accessExclusive", partitions: true }],
    transaction: "outside",
    undo: {
      kind: "irreversible",
      reason: "the rows are gone with it: restore them from a backup",
    },
  };
}

function uninstallStep(group: readonly DatabaseObject[], settings: string): Step {
  const reversed = [...group].reverse();
  const hasRows = group.some(({ kind }) => kind === "table" || kind === "sequence");
  const undo: Undo = hasRows
    ? { kind: "irreversible", reason: "the rows are gone with it: restore them from a backup" }
    : {
        kind: "statement",
        sql: settings + textOf(reversed, ({ create }) => create),
        locks: locksTogether(reversed.flatMap(({ locks }) => locks)),
        transaction: "commitAfter",
      };
  return {
    kind: "sql",
    id: group[0]?.id ?? "",
    title: titleOf("Drop", group),
    sql: textOf(group, ({ drop }) => drop),
    locks: locksTogether(group.flatMap(({ dropLocks }) => dropLocks)),
    transaction: "commitAfter",
    undo,
  };
}
