import { UnderpinError } from "../errors.ts";
import { OBJECT_KINDS, type DatabaseObject, type ObjectKind } from "../objects/object.ts";

/**
 * Puts objects into the order in which they can be made: each after what it needs, otherwise by kind, otherwise as given.
 *
 * What an object needs is what it says (`dependsOn`), and what its SQL names (`mentions`). A name without schema in SQL may
 * mean a column as well: such a dependency gives way where it would close a circle.
 */
export function orderObjects(objects: readonly DatabaseObject[]): readonly DatabaseObject[] {
  const nodes = nodesOf(objects);
  const queue = new Queue(nodes);
  const ordered: DatabaseObject[] = [];
  while (ordered.length < nodes.length) {
    const next = queue.take(ordered.at(-1)?.kind) ?? queue.takeRelaxed();
    if (next === undefined) throw circle(nodes, ordered);
    ordered.push(next);
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

/** Nodes that wait for others, and those that wait for nothing more, by kind. */
class Queue {
  readonly #waiting = new Map<string, { readonly node: Node; readonly for: Set<string> }>();
  readonly #waitedFor = new Map<string, string[]>();
  readonly #ready = new Map<ObjectKind, DatabaseObject[]>(OBJECT_KINDS.map((kind) => [kind, []]));

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) {
      const needed = new Set(Object.values(node.needs).flat());
      if (needed.size === 0) this.#ready.get(node.object.kind)?.push(node.object);
      else this.#waiting.set(node.object.id, { node, for: needed });
      for (const id of needed)
        this.#waitedFor.set(id, [...(this.#waitedFor.get(id) ?? []), node.object.id]);
    }
  }

  /** The next that is ready: of the kind of the last one if there is one, since neighbours of a kind become one step. */
  take(kind: ObjectKind | undefined): DatabaseObject | undefined {
    for (const each of kind === undefined ? OBJECT_KINDS : [kind, ...OBJECT_KINDS]) {
      const next = this.#ready.get(each)?.shift();
      if (next !== undefined) return this.#taken(next);
    }
    return undefined;
  }

  /** When all wait: one whose only unmet needs are names without schema, or else names at all. */
  takeRelaxed(): DatabaseObject | undefined {
    for (const grounds of [["said", "qualified"], ["said"]] as const)
      for (const [id, { node, for: unmet }] of this.#waiting)
        if (grounds.every((ground) => !node.needs[ground].some((need) => unmet.has(need)))) {
          this.#waiting.delete(id);
          return this.#taken(node.object);
        }
    return undefined;
  }

  #taken(object: DatabaseObject): DatabaseObject {
    for (const id of this.#waitedFor.get(object.id) ?? []) {
      const waiting = this.#waiting.get(id);
      waiting?.for.delete(object.id);
      if (waiting?.for.size !== 0) continue;
      this.#waiting.delete(id);
      this.#ready.get(waiting.node.object.kind)?.push(waiting.node.object);
    }
    return object;
  }
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

function circle(nodes: readonly Node[], ordered: readonly DatabaseObject[]): UnderpinError {
  const done = new Set(ordered.map(({ id }) => id));
  const waiting = nodes.filter(({ object }) => !done.has(object.id));
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
