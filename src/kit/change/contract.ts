import type { Facts } from "../../catalog/read-facts.ts";
import { textOf } from "../../install/groups.ts";
import type { DatabaseObject } from "../../objects/object.ts";
import type { Lock, Plan, RelationName, Step } from "../../plan/step.ts";
import { dropColumn } from "../../recipes/drop-column.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";

/** The gate behind which what was parked is dropped for good. */
export const CONTRACT_GATE = "contract: nobody misses it";

/** What begins with it was parked. */
export const PARKED = "underpin_parked_";

/** What goes, with what it holds. */
export interface Contract {
  readonly columns: readonly { readonly table: RelationName; readonly name: string }[];
  readonly tables: readonly DatabaseObject[];
  readonly facts: Facts;
  /** The objects as they were. */
  readonly objects: readonly DatabaseObject[];
}

/**
 * Drops columns and tables in two phases: behind one gate all are parked under other names, so that whoever still uses one fails at once and the
 * undo brings it back with its rows; behind a second gate they are dropped.
 */
export function contractSteps({ columns, tables, facts, objects }: Contract): readonly Step[] {
  const plans = columns.map(({ table, name }) =>
    dropColumn({ facts, schema: table.schema, table: table.name, column: name }),
  );
  const parked = plans.map(phasesOf);
  const names = [
    ...columns.map(({ table, name }) => `${qualified(table.schema, table.name)}.${ident(name)}`),
    ...tables.map(({ id }) => id),
  ];
  if (names.length === 0) return [];
  return [
    ...parked.flatMap(({ optional }) => optional),
    {
      kind: "gate",
      id: "contract: nobody uses it",
      title: `No application version uses ${count(names.length)} that goes`,
      question: `Is every version of every application gone that reads or writes ${names.join(", ")}? Bodies of functions count too.`,
      undo: { kind: "nothing" },
    },
    ...parked.flatMap(({ park }) => park),
    ...tables.map((table) => parkStep(table, objects)),
    {
      kind: "gate",
      id: CONTRACT_GATE,
      title: "What was parked may be dropped for good",
      question: `Has nobody missed ${names.join(", ")}? What follows destroys what they hold.`,
      undo: { kind: "nothing" },
    },
    ...parked.flatMap(({ drop }) => drop),
    ...tables.map((table) => dropTableStep(table, facts)),
  ];
}

function count(n: number): string {
  return n === 1 ? "what is the one thing" : `any of the ${n} things`;
}

/** The steps of `dropColumn` between its two gates, with ids that hold the plan's name. */
function phasesOf({
  name,
  steps,
}: Plan): Readonly<Record<"optional" | "park" | "drop", readonly Step[]>> {
  const phases = { optional: [] as Step[], park: [] as Step[], drop: [] as Step[] };
  const order = ["optional", "park", "drop"] as const;
  let at = 0;
  for (const step of steps) {
    if (step.kind === "gate") at += 1;
    else phases[order[at] ?? "drop"].push({ ...step, id: `${name}/${step.id}` });
  }
  return phases;
}

/** `table "app"."orders"` as its two names. */
export function relationOf(id: string): RelationName {
  const [, schema = "", name = ""] = /^[a-z ]+ "((?:[^"]|"")+)"\."((?:[^"]|"")+)"$/.exec(id) ?? [];
  const plain = (quoted: string) => quoted.replaceAll('""', '"');
  return { schema: plain(schema), name: plain(name) };
}

function parkedName(name: string): string {
  return shorten(`${PARKED}${name}`);
}

/** Nobody but the owner may do anything with a parked table. */
function parkStep({ id }: DatabaseObject, objects: readonly DatabaseObject[]): Step {
  const { schema, name } = relationOf(id);
  const grants = objects.filter(({ kind, within }) => kind === "grant" && within === id);
  const rename = (from: string, to: string) =>
    `ALTER TABLE ${qualified(schema, from)} RENAME TO ${ident(to)}`;
  const lock = (table: string): readonly Lock[] => [
    { schema, name: table, mode: "accessExclusive" },
  ];
  const revoke = textOf(grants.toReversed(), (grant) => grant.drop);
  const grant = textOf(grants, ({ create }) => create);
  const lines = (...parts: readonly string[]) => parts.filter((part) => part !== "").join(";\n");
  return {
    kind: "sql",
    id: `park ${id}`,
    title: `Park ${name} as ${parkedName(name)}: whoever still uses it fails at once`,
    sql: lines(revoke, rename(name, parkedName(name))),
    locks: lock(name),
    transaction: "commitAfter",
    phase: "parked",
    undo: {
      kind: "statement",
      sql: lines(rename(parkedName(name), name), grant),
      locks: lock(parkedName(name)),
      transaction: "commitAfter",
    },
  };
}

function dropTableStep({ id }: DatabaseObject, facts: Facts): Step {
  const { schema, name } = relationOf(id);
  const parked = parkedName(name);
  const referenced = facts.constraints.flatMap((each): readonly Lock[] =>
    each.schema === schema && each.table === name && each.references !== null
      ? [
          {
            schema: each.references.schema,
            name: each.references.name,
            mode: "accessExclusive",
            partitions: true,
          },
        ]
      : [],
  );
  return {
    kind: "sql",
    id: `drop ${id}`,
    title: `Drop ${parked}`,
    sql: `DROP TABLE ${qualified(schema, parked)}`,
    locks: [{ schema, name: parked, mode: "accessExclusive", partitions: true }, ...referenced],
    transaction: "commitAfter",
    phase: "dropped",
    undo: {
      kind: "irreversible",
      reason: `the rows of ${name} are gone: restore them from a backup`,
    },
  };
}
