import { UnderpinError } from "../errors.ts";
import { OBJECT_KINDS, type DatabaseObject } from "../objects/object.ts";

/**
 * Puts objects into the order in which they can be made: each after what it needs, otherwise by kind, otherwise as given.
 *
 * What an object needs is what it says (`dependsOn`), and what its SQL names (`mentions`). A name without schema in SQL may
 * mean a column as well: such a dependency gives way where it would close a circle.
 */
export function orderObjects(objects: readonly DatabaseObject[]): readonly DatabaseObject[] {
  const nodes = nodesOf(objects);
  const done = new Set<string>();
  const waiting = new Set(nodes);
  const ordered: DatabaseObject[] = [];
  while (waiting.size > 0) {
    const next =
      firstReady(waiting, done, ["said", "qualified", "bare"]) ??
      firstReady(waiting, done, ["said", "qualified"]) ??
      firstReady(waiting, done, ["said"]);
    if (next === undefined) throw circle([...waiting], done);
    waiting.delete(next);
    done.add(next.object.id);
    ordered.push(next.object);
  }
  return ordered;
}

/** How sure it is that an object needs another. */
type Ground = "said" | "qualified" | "bare";

interface Node {
  readonly object: DatabaseObject;
  readonly needs: Readonly<Record<Ground, readonly string[]>>;
}

/** The objects by kind, with what each needs of the others. */
function nodesOf(objects: readonly DatabaseObject[]): readonly Node[] {
  const ids = new Set(objects.map(({ id }) => id));
  const byName = new Map<string, Name[]>();
  for (const { id } of objects) {
    const name = nameIn(id);
    if (name !== undefined) byName.set(name.name, [...(byName.get(name.name) ?? []), name]);
  }
  const rank = ({ kind }: DatabaseObject) => OBJECT_KINDS.indexOf(kind);
  return [...objects]
    .sort((a, b) => rank(a) - rank(b))
    .map((object) => {
      const said = object.dependsOn.filter((id) => ids.has(id));
      const mentioned = mentionsIn(object, byName);
      return { object, needs: { said, ...mentioned } };
    });
}

function firstReady(
  waiting: ReadonlySet<Node>,
  done: ReadonlySet<string>,
  grounds: readonly Ground[],
): Node | undefined {
  for (const node of waiting)
    if (grounds.every((ground) => node.needs[ground].every((id) => done.has(id)))) return node;
  return undefined;
}

interface Name {
  readonly id: string;
  readonly schema: string;
  readonly name: string;
}

const QUOTED = '"((?:[^"]|"")+)"';
const NAMED = new RegExp(
  `^(?:table|view|materialized view|sequence|type|function) ${QUOTED}\\.${QUOTED}(?:$|\\()`,
);

/** The schema and name in an id, of what SQL can name. */
function nameIn(id: string): Name | undefined {
  const [, schema, name] = NAMED.exec(id) ?? [];
  if (schema === undefined || name === undefined) return undefined;
  return { id, schema: unquote(schema), name: unquote(name) };
}

function unquote(name: string): string {
  return name.replaceAll('""', '"');
}

const IDENTIFIER = new RegExp(`(?:${QUOTED}|([A-Za-z_][\\w$]*))`, "g");

/** The declared objects whose names stand in the SQL of another, with and without their schema. */
function mentionsIn(
  object: DatabaseObject,
  byName: ReadonlyMap<string, readonly Name[]>,
): Readonly<Record<"qualified" | "bare", readonly string[]>> {
  const qualified = new Set<string>();
  const bare = new Set<string>();
  for (const text of object.mentions) {
    let before: { readonly name: string; readonly end: number } | undefined;
    for (const match of text.matchAll(IDENTIFIER)) {
      const name = match[1] === undefined ? (match[2] ?? "").toLowerCase() : unquote(match[1]);
      const isPart = before !== undefined && text.slice(before.end, match.index).trim() === ".";
      for (const found of byName.get(name) ?? []) {
        if (found.id === object.id) continue;
        if (!isPart) bare.add(found.id);
        else if (before?.name === found.schema) qualified.add(found.id);
      }
      before = { name, end: match.index + match[0].length };
    }
  }
  return { qualified: [...qualified], bare: [...bare].filter((id) => !qualified.has(id)) };
}

function circle(waiting: readonly Node[], done: ReadonlySet<string>): UnderpinError {
  // Each waits for another that waits: following one of them comes round.
  const trail: string[] = [];
  let [at] = waiting;
  while (at !== undefined && !trail.includes(at.object.id)) {
    trail.push(at.object.id);
    const next = at.needs.said.find((id) => !done.has(id));
    at = waiting.find(({ object }) => object.id === next);
  }
  const round = trail.slice(trail.indexOf(at?.object.id ?? ""));
  return new UnderpinError({
    code: "invalidInput",
    message: `these objects need each other: ${[...round, round[0]].join(" → ")}`,
    hint: "Take one out of the circle: a foreign key is added after both tables by itself; a function's body needs nothing; a view may need to become two.",
  });
}
