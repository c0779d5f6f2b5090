import type { Facts } from "../../catalog/read-facts.ts";
import { textOf } from "../../install/groups.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import type { DatabaseObject } from "../../objects/object.ts";
import type { SqlStep } from "../../plan/step.ts";
import { parseScript } from "../../sql/parse.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { relationOf } from "../change/contract.ts";
import { deltaOf } from "../change/delta.ts";
import {
  baseParts,
  dependentParts,
  goneTables,
  keptTables,
  objectsOfChange,
  removedBase,
} from "../change/objects.ts";
import type { ColumnRename } from "../plan-change.ts";
import type { KitStatement } from "./kit-statements.ts";
import { parkColumnSql, parkedName, plainTableSql } from "./plain-tables.ts";

/** One end of a change. */
export interface End {
  readonly snapshot: Snapshot;
  readonly facts: Facts;
}

/** A migration as plain SQL, there and back. */
export interface MigrationSql {
  readonly up: string;
  readonly down: string;
}

/**
 * The statements of drizzle-kit for tables, columns, keys, enums and sequences, in one order with those of everything that it cannot say. What it would drop
 * with rows in it is parked under another name.
 */
export async function migrationSql(
  kit: readonly KitStatement[],
  before: End,
  after: End,
): Promise<MigrationSql> {
  const delta = deltaOf(before.snapshot, after.snapshot);
  const kept = keptTables(objectsOfChange(before.snapshot, after.snapshot, delta));
  const added = new Set(
    delta.added
      .filter(
        ({ kind, within }) =>
          kind === "table" ||
          kind === "type" ||
          kind === "sequence" ||
          (within !== null && !kept.has(within)),
      )
      .map(({ id }) => id),
  );
  const theirs = new Map<string, string>();
  for (const statement of kit)
    if (statement.kind === "makes" && statement.isQualified && added.has(statement.id))
      theirs.set(statement.id, statement.text);
  const withTheirs = (objects: readonly DatabaseObject[]) =>
    objects.map((object) => taken(object, theirs.get(object.id)));
  const all = objectsOfChange(
    before.snapshot,
    {
      ...after.snapshot,
      made: { ...after.snapshot.made, objects: withTheirs(after.snapshot.made.objects) },
    },
    { ...delta, added: withTheirs(delta.added) },
  );
  const ends = { before: before.facts, after: after.facts };
  const base = baseParts(all, ends);
  const dependents = dependentParts(all);
  const gone = [...goneTables(all)];
  const parks = gone.length > 0 || kit.some(({ kind }) => kind === "dropsColumn");
  // What is parked may still need them: they go with it.
  const removed = parks ? [] : removedBase(all);
  const renames = kit.flatMap((each): readonly ColumnRename[] =>
    each.kind === "renames" ? [each.rename] : [],
  );
  const up = [
    all.settings.after,
    ...base.map(({ sql }) => bare(sql, all.settings.after)),
    // A name without schema is drizzle-kit's for one in public.
    publicFirst(all.settings.after),
    ...kit.flatMap((statement) => changeSql(statement, added, before.facts)),
    ...gone.flatMap((id) => parkTableSql(id, before.snapshot)),
    all.settings.after,
    ...dependents.map(({ sql }) => bare(sql, all.settings.after)),
    ...removed.map(({ sql }) => bare(sql, all.settings.after)),
    RESET,
  ];
  const tables = [...kept].map(relationOf);
  const down = [
    all.settings.before,
    ...backwards([...dependents, ...removed], all.settings.before),
    ...gone.flatMap((id) => unparkTableSql(id, before.snapshot)),
    ...plainTableSql(tables, after.facts, before.facts, renames),
    ...backwards(base, all.settings.before),
    RESET,
  ];
  return { up: await oneByOne(up), down: await oneByOne(down) };
}

/** What a migrator runs afterwards in the same transaction finds the settings that it had. */
const RESET =
  "SET LOCAL search_path TO DEFAULT;\nSET LOCAL check_function_bodies TO DEFAULT;\nSET LOCAL row_security TO DEFAULT";

function publicFirst(settings: string): string {
  return settings.replace(/search_path TO (.+);/, (_, path: string) => {
    const others = path.split(", ").filter((name) => name !== ident("public"));
    return `search_path TO ${[ident("public"), ...others].join(", ")};`;
  });
}

function bare(sql: string, settings: string): string {
  return sql.startsWith(settings) ? sql.slice(settings.length) : sql;
}

function backwards(steps: readonly SqlStep[], settings: string): readonly string[] {
  return steps
    .toReversed()
    .flatMap(({ undo }) => (undo.kind === "statement" ? [bare(undo.sql, settings)] : []));
}

/** An object of ours with drizzle-kit's statement in the place of ours, and the clause that it has no word for. */
function taken(object: DatabaseObject, theirs: string | undefined): DatabaseObject {
  if (theirs === undefined) return object;
  const partitions = /\) (PARTITION BY [^\n]+)$/.exec(object.create)?.[1];
  return { ...object, create: partitions === undefined ? theirs : `${theirs} ${partitions}` };
}

function changeSql(
  statement: KitStatement,
  added: ReadonlySet<string>,
  facts: Facts,
): readonly string[] {
  switch (statement.kind) {
    case "ours":
    case "dropsTable":
      return [];
    case "makes":
      return added.has(statement.id) ? [] : [statement.text];
    case "dropsColumn":
      return parkColumnSql(statement.table, statement.column, facts);
    case "renames":
    case "other":
      return [statement.text];
  }
}

function parkTableSql(id: string, { made }: Snapshot): readonly string[] {
  const { schema, name } = relationOf(id);
  const grants = made.objects.filter(({ kind, within }) => kind === "grant" && within === id);
  return [
    textOf(grants.toReversed(), (grant) => grant.drop),
    `ALTER TABLE ${qualified(schema, name)} RENAME TO ${ident(parkedName(name))}`,
  ];
}

function unparkTableSql(id: string, { made }: Snapshot): readonly string[] {
  const { schema, name } = relationOf(id);
  const grants = made.objects.filter(({ kind, within }) => kind === "grant" && within === id);
  return [
    `ALTER TABLE ${qualified(schema, parkedName(name))} RENAME TO ${ident(name)}`,
    textOf(grants, ({ create }) => create),
  ];
}

/** Each statement by itself: a driver that prepares what it sends takes no two at once. */
async function oneByOne(texts: readonly string[]): Promise<string> {
  const script = texts
    .map((text) => text.trim().replace(/;$/, ""))
    .filter((text) => text !== "")
    .join(";\n");
  const { statements } = await parseScript(script);
  return `${statements.map(({ text }) => `${text};`).join("\n--> statement-breakpoint\n")}\n`;
}
