import type { DatabaseObject, ObjectKind } from "../objects/object.ts";
import { lockRank } from "../plan/lock.ts";
import type { Lock } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";

/** Relations that one transaction makes at most: each is in the lock table, of 6,400 places by default, until it ends. */
const MOST_RELATIONS = 200;

/** Objects in one step at most: what it holds, it holds for well under a second. */
const MOST_OBJECTS = 60;

/**
 * Puts neighbours of one kind together: what one step, in one transaction, makes or drops. A domain is some thirty steps that a person can read, instead
 * of several hundred.
 *
 * Whatever locks a table of the host stands alone, so that the lock is held for one statement.
 */
export function groupsOf(
  objects: readonly DatabaseObject[],
  locksOf: (object: DatabaseObject) => readonly Lock[],
): readonly (readonly DatabaseObject[])[] {
  const touchesHost = hostTouch(objects, locksOf);
  const groups: DatabaseObject[][] = [];
  let alone = false;
  for (const object of objects) {
    const group = groups.at(-1);
    const touches = touchesHost(object);
    const fits =
      group !== undefined &&
      !alone &&
      !touches &&
      group[0]?.kind === object.kind &&
      group.length < MOST_OBJECTS &&
      group.reduce((sum, { creates }) => sum + creates, object.creates) <= MOST_RELATIONS;
    if (fits) group.push(object);
    else groups.push([object]);
    alone = touches;
  }
  return groups;
}

/** Whether an object locks a relation that is none of the objects. */
function hostTouch(
  objects: readonly DatabaseObject[],
  locksOf: (object: DatabaseObject) => readonly Lock[],
): (object: DatabaseObject) => boolean {
  const own = new Set(
    objects.flatMap(({ id }) => {
      const name = /^(?:table|view|materialized view|sequence) (.+)$/.exec(id)?.[1];
      return name === undefined ? [] : [name];
    }),
  );
  // DROP INDEX locks the index too, which goes with a table of ours.
  return (object) =>
    object.kind !== "index" &&
    locksOf(object).some(({ schema, name }) => !own.has(qualified(schema, name)));
}

/** The locks of several statements: of each relation the strongest. */
export function locksTogether(locks: readonly Lock[]): readonly Lock[] {
  const strongest = new Map<string, Lock>();
  for (const lock of locks) {
    const key = qualified(lock.schema, lock.name);
    const other = strongest.get(key);
    if (other === undefined || lockRank(lock.mode) > lockRank(other.mode)) strongest.set(key, lock);
  }
  return [...strongest.values()];
}

const PLURAL: Readonly<Record<ObjectKind, string>> = {
  role: "roles",
  extension: "extensions",
  schema: "schemas",
  type: "types",
  sequence: "sequences",
  function: "functions",
  table: "tables",
  partition: "sets of first partitions",
  rows: "sets of seed rows",
  index: "indexes",
  constraint: "constraints",
  view: "views",
  materializedView: "materialized views",
  trigger: "triggers",
  rowSecurity: "switches of row security",
  policy: "policies",
  grant: "privileges",
  comment: "comments",
  schedule: "schedules",
};

/** What a step does, in one line: `Create 14 policies`. */
export function titleOf(verb: string, group: readonly DatabaseObject[]): string {
  const [first] = group;
  if (first === undefined) return verb;
  if (group.length === 1) return `${verb} ${first.id}`;
  return `${verb} ${group.length} ${PLURAL[first.kind]}`;
}

/** The statements of several objects as one text, each under its name. */
export function textOf(
  group: readonly DatabaseObject[],
  statement: (object: DatabaseObject) => string | null,
): string {
  const parts = group.flatMap((object) => {
    const sql = statement(object);
    if (sql === null) return [];
    // An id may hold a line break, which would end the comment.
    return [group.length === 1 ? sql : `-- ${object.id.replaceAll(/\s+/g, " ")}\n${sql}`];
  });
  return parts.join(";\n");
}
