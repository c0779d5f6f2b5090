// Long because: one order of everything that is no table, column or key.
import type { Facts } from "../../catalog/read-facts.ts";
import { settingsFor } from "../../install/plan-install.ts";
import { needs, REMADE } from "../../install/needs.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import type { DatabaseObject, ObjectKind } from "../../objects/object.ts";
import type { SqlStep } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { Changed, Delta } from "./delta.ts";
import { createSteps, dropSteps, exchangeStep, type Exchange } from "./steps.ts";

/** What the objects of two snapshots and their difference make of a plan. */
export interface Objects {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly delta: Delta;
  readonly settings: Exchange["settings"];
}

/** The objects of a change, with what names mean before and after. */
export function objectsOfChange(before: Snapshot, after: Snapshot, delta: Delta): Objects {
  const settings = {
    before: settingsFor(before.made.objects),
    after: settingsFor(after.made.objects),
  };
  return { before, after, delta, settings };
}

/** What everything else may need: it is made first, and goes last. */
const BASE: readonly ObjectKind[] = [
  "role",
  "extension",
  "schema",
  "type",
  "sequence",
  "function",
  "table",
];

const isBase = ({ kind }: DatabaseObject): boolean => BASE.includes(kind);

/** What belongs to a table that is there before and after, and is told by it: its keys and indexes. */
function isKeyOf({ kind, id, within }: DatabaseObject, kept: ReadonlySet<string>): boolean {
  const isIndex = kind === "index" || (kind === "constraint" && id.startsWith("constraint "));
  return isIndex && within !== null && kept.has(within);
}

/** The tables that are there before and after. */
export function keptTables({ before, after }: Objects): ReadonlySet<string> {
  const tables = (snapshot: Snapshot) =>
    snapshot.made.objects.filter(({ kind }) => kind === "table").map(({ id }) => id);
  const is = new Set(tables(after));
  return new Set(tables(before).filter((id) => is.has(id)));
}

/** New roles, schemas, types, functions and tables, and functions that are another. */
export function baseParts(
  all: Objects,
  facts: { readonly before: Facts; readonly after: Facts },
): readonly SqlStep[] {
  const { added, changed } = all.delta;
  return [
    ...createSteps(added.filter(isBase), all.settings.after),
    ...changed
      .filter(({ is }) => is.kind === "function")
      .map((change) => functionStep(change, all, facts)),
    ...changed
      .filter(({ is }) => is.kind === "role" || is.kind === "schema" || is.kind === "extension")
      .map((change) => againStep(change, all)),
  ];
}

/** CREATE OR REPLACE keeps who may call: what is no longer granted is taken away beside it. */
function functionStep(
  { was, is }: Changed,
  { settings }: Objects,
  facts: { readonly before: Facts; readonly after: Facts },
): SqlStep {
  const callers = (of: Facts) =>
    of.grants
      .filter(
        ({ on, schema, name, detail }) =>
          on === "function" && is.id === `function ${qualified(schema, name)}(${detail ?? ""})`,
      )
      .map(({ grantee }) => grantee);
  const revoke = (from: Facts, to: Facts) =>
    callers(from)
      .filter((role) => role !== "public" && !callers(to).includes(role))
      .map((role) => `;\nREVOKE EXECUTE ON ${is.id} FROM ${ident(role)}`)
      .join("");
  const isOther = signatureOf(is.id, facts.before) !== signatureOf(is.id, facts.after);
  const remake = (gone: DatabaseObject, made: DatabaseObject) =>
    isOther && gone.drop !== null ? `${gone.drop};\n${made.create}` : made.create;
  return {
    kind: "sql",
    id: `change ${is.id}`,
    title: `Change ${is.id}`,
    sql: `${settings.after}${remake(was, is)}${isOther ? "" : revoke(facts.before, facts.after)}`,
    locks: [],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `${settings.before}${remake(is, was)}${isOther ? "" : revoke(facts.after, facts.before)}`,
      locks: [],
      transaction: "commitAfter",
    },
  };
}

/** What CREATE OR REPLACE cannot change (42P13). */
function signatureOf(id: string, { functions }: Facts): string {
  const fact = functions.find(
    ({ schema, name, signature }) => id === `function ${qualified(schema, name)}(${signature})`,
  );
  return JSON.stringify([fact?.kind, fact?.returns, fact?.arguments]);
}

/** What is used as it is where it is there, said once more. */
function againStep({ is }: Changed, { settings }: Objects): SqlStep {
  return {
    kind: "sql",
    id: `again ${is.id}`,
    title: `Make sure of ${is.id}`,
    sql: settings.after + is.create,
    locks: is.locks,
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** Views with what is upon them, then what is new on new tables, then each table's own in one transaction, then the rest. */
export function dependentParts(all: Objects): readonly SqlStep[] {
  const kept = keptTables(all);
  const { added, removed, changed } = all.delta;
  const isRest = (object: DatabaseObject) => !isBase(object) && !isKeyOf(object, kept);
  const onKept = ({ kind, within }: DatabaseObject) =>
    within !== null && kept.has(within) && ON_TABLE.has(kind);
  const views = viewStep(all);
  const isNew = (object: DatabaseObject) =>
    isRest(object) && !onKept(object) && !views.made.has(object.id);
  const gone = goneTables(all);
  const others = changed.filter(({ is }) => isRest(is) && !onKept(is) && !views.made.has(is.id));
  const went = removed.filter(
    (object) =>
      isRest(object) &&
      !onKept(object) &&
      !views.gone.has(object.id) &&
      (object.within === null || !gone.has(object.within)),
  );
  return [
    ...views.steps,
    ...createSteps(added.filter(isNew), all.settings.after),
    ...[...kept].flatMap((table) => tableStep(table, all, views)),
    ...others.map(({ was, is }) =>
      is.kind === "rows" || is.drop === null
        ? againStep({ was, is }, all)
        : exchangeStep({
            id: `change ${is.id}`,
            title: `Change ${is.id}`,
            drop: [was],
            create: [is],
            settings: all.settings,
          }),
    ),
    ...dropSteps(went, all.settings),
  ];
}

/** What changes what a table does, and so changes together. */
const ON_TABLE: ReadonlySet<ObjectKind> = new Set<ObjectKind>([
  "trigger",
  "rowSecurity",
  "policy",
  "grant",
  "comment",
  "constraint",
]);

function tableStep(table: string, all: Objects, views: ViewStep): readonly SqlStep[] {
  const { added, removed, changed } = all.delta;
  const isOwn = (object: DatabaseObject) =>
    object.within === table && ON_TABLE.has(object.kind) && !isKeyOf(object, new Set([table]));
  const drop = [...removed, ...changed.map(({ was }) => was)].filter(
    (object) => isOwn(object) && !views.gone.has(object.id),
  );
  const create = [...added, ...changed.map(({ is }) => is)].filter(
    (object) => isOwn(object) && !views.made.has(object.id),
  );
  if (drop.length + create.length === 0) return [];
  return [
    exchangeStep({
      id: `what holds on ${table}`,
      title: `Change ${[...new Set([...drop, ...create].map(({ kind }) => WORD[kind] ?? kind))].join(", ")} of ${table}`,
      drop: inOrder(drop, all.before),
      create: inOrder(create, all.after),
      settings: all.settings,
    }),
  ];
}

const WORD: Partial<Record<ObjectKind, string>> = {
  trigger: "triggers",
  rowSecurity: "row security",
  policy: "policies",
  grant: "privileges",
  comment: "comments",
  constraint: "constraints",
};

function inOrder(
  objects: readonly DatabaseObject[],
  { made }: Snapshot,
): readonly DatabaseObject[] {
  const ids = new Set(objects.map(({ id }) => id));
  return made.objects.filter(({ id }) => ids.has(id));
}

interface ViewStep {
  readonly steps: readonly SqlStep[];
  /** What it drops, and what it makes. */
  readonly gone: ReadonlySet<string>;
  readonly made: ReadonlySet<string>;
}

/** Views that are another or go, with everything that stands upon them, dropped and made again in one transaction. */
function viewStep(all: Objects): ViewStep {
  const { changed, removed } = all.delta;
  const isView = ({ kind }: DatabaseObject) => kind === "view" || kind === "materializedView";
  const first = [...changed.map(({ was }) => was), ...removed].filter(isView);
  const gone = upon(first, all.before.made.objects);
  const came = new Set(gone.map(({ id }) => id));
  const made = all.after.made.objects.filter(({ id }) => came.has(id));
  // What came with a view that is there no more is none of what is made.
  return {
    gone: came,
    made: new Set(made.map(({ id }) => id)),
    steps:
      gone.length === 0
        ? []
        : [
            exchangeStep({
              id: `views: ${first[0]?.id ?? ""}`,
              title: `Change ${first.length === 1 ? (first[0]?.id ?? "") : `${first.length} views`}`,
              drop: gone,
              create: made,
              settings: all.settings,
            }),
          ],
  };
}

/** Objects, what belongs to them, and what would keep them from being dropped, in the order in which they were made. */
function upon(
  first: readonly DatabaseObject[],
  objects: readonly DatabaseObject[],
): readonly DatabaseObject[] {
  const found = new Map(first.map((object) => [object.id, object]));
  for (const object of objects) {
    if (found.has(object.id)) continue;
    const within = object.within !== null && found.has(object.within);
    const isUpon =
      REMADE.has(object.kind) && [...found.values()].some((other) => needs(object, other));
    if (within || isUpon) found.set(object.id, object);
  }
  return objects.filter(({ id }) => found.has(id));
}

/** The tables that go. */
export function goneTables({ delta }: Objects): ReadonlySet<string> {
  return new Set(delta.removed.filter(({ kind }) => kind === "table").map(({ id }) => id));
}

/** Functions, types, sequences, schemas and roles that go: when nothing needs them any more. */
export function removedBase(all: Objects): readonly SqlStep[] {
  return dropSteps(
    all.delta.removed.filter((object) => isBase(object) && object.kind !== "table"),
    all.settings,
  );
}

/** Objects of which the catalog shows another than the one that is to be, though their text is the same. */
export function remadeParts(paths: ReadonlySet<string>, all: Objects): readonly SqlStep[] {
  const was = new Map(all.before.made.objects.map((object) => [object.id, object]));
  const found = all.after.made.objects.filter(
    ({ id, kind }) => paths.has(id) && REMADE.has(kind) && was.has(id),
  );
  const drop = upon(found, all.after.made.objects);
  if (drop.length === 0) return [];
  return [
    exchangeStep({
      id: `again: ${found[0]?.id ?? ""}`,
      title: `Make ${found.length} objects again over what has changed below them`,
      drop,
      create: drop,
      settings: all.settings,
    }),
  ];
}
