import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import { plan } from "../../plan/plan.ts";
import type { RelationName, Step } from "../../plan/step.ts";
import { addCheck } from "../../recipes/add-check.ts";
import { addForeignKey, type ForeignKeyAction } from "../../recipes/add-foreign-key.ts";
import { addPrimaryKey, addUnique } from "../../recipes/add-unique.ts";
import { refuse } from "../../recipes/table-facts.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import type { Part } from "./columns.ts";
import { inverse } from "./inverse.ts";
import { gatedSteps } from "./steps.ts";

/** The constraints of a table that are new, gone, or another: what must go comes last. */
export function constraintParts(
  table: RelationName,
  current: Facts,
  after: Facts,
): readonly Part[] {
  const was = constraintsOf(table, current);
  const is = constraintsOf(table, after);
  const parts: Part[] = [];
  for (const [name, fact] of is) {
    const other = was.get(name);
    if (other === undefined) parts.push(...adding(fact, current));
    else if (textOf(other) !== textOf(fact)) parts.push(...replacing(other, fact, current));
  }
  for (const [name, fact] of was) if (!is.has(name)) parts.push(removing(fact, current));
  return parts;
}

function constraintsOf(
  { schema, name }: RelationName,
  { constraints }: Facts,
): ReadonlyMap<string, ConstraintFact> {
  return new Map(
    constraints
      .filter((each) => each.schema === schema && each.table === name && each.parent === null)
      .filter(({ kind }) => kind !== "notNull" && kind !== "trigger")
      .map((each) => [each.name, each]),
  );
}

/** Whether a foreign key may wait is changed without making it anew, by an object of its own. */
function textOf({ definition, kind }: ConstraintFact): string {
  return kind === "foreignKey"
    ? definition.replace(/ DEFERRABLE(?: INITIALLY DEFERRED)?(?= |$)/, "")
    : definition;
}

/** Adds a constraint that the catalog of the definition has, under its name or another. */
export function adding(
  fact: ConstraintFact,
  facts: Facts,
  name: string = fact.name,
): readonly Part[] {
  const { schema, table, columns, kind } = fact;
  const target = { schema, table, name };
  const [first, ...rest] = columns;
  if (kind === "check" && fact.expression !== null && !fact.noInherit)
    return [addCheck({ ...target, expression: fact.expression })];
  if (kind === "foreignKey" && fact.references?.match === "simple" && first !== undefined)
    return [addForeignKey(foreignKeyOf(fact, name, facts))];
  const isPlain = /^(?:UNIQUE|PRIMARY KEY) \((?!.*\) )/.test(fact.definition);
  if (isPlain && first !== undefined && (kind === "unique" || kind === "primaryKey")) {
    const add = kind === "unique" ? addUnique : addPrimaryKey;
    return [add({ ...target, facts: without(facts, fact), columns: [first, ...rest] })];
  }
  const path = qualified(schema, table);
  return gatedSteps({
    id: `add ${ident(name)} of ${path}`,
    title: `Add ${name} to ${table}`,
    why: `PostgreSQL looks at every row of ${path} while reads and writes wait.`,
    sql: `ALTER TABLE ${path} ADD CONSTRAINT ${ident(name)} ${fact.definition}`,
    undo: `ALTER TABLE ${path} DROP CONSTRAINT ${ident(name)}`,
    locks: [{ schema, name: table, mode: "accessExclusive", partitions: true }],
  });
}

const ACTIONS = {
  noAction: "no action",
  restrict: "restrict",
  cascade: "cascade",
  setNull: "set null",
  setDefault: "set default",
} as const satisfies Record<string, ForeignKeyAction>;

function foreignKeyOf(
  { schema, table, columns, references, initiallyDeferred }: ConstraintFact,
  name: string,
  facts: Facts,
): Parameters<typeof addForeignKey>[0] {
  const listOf = (names: readonly string[]) => names as readonly [string, ...string[]];
  return {
    facts,
    schema,
    table,
    name,
    columns: listOf(columns),
    references: {
      schema: references?.schema ?? schema,
      table: references?.name ?? "",
      columns: listOf(references?.columns ?? []),
    },
    ...(references === null || references.onDelete === "noAction"
      ? {}
      : { onDelete: ACTIONS[references.onDelete] }),
    ...(references === null || references.setColumns.length === 0
      ? {}
      : { onDeleteColumns: references.setColumns }),
    ...(references === null || references.onUpdate === "noAction"
      ? {}
      : { onUpdate: ACTIONS[references.onUpdate] }),
    deferred: initiallyDeferred,
  };
}

/** The catalog as it is before the constraint is there: its own index is no other's. */
function without(facts: Facts, fact: ConstraintFact): Facts {
  const isIt = (each: { readonly schema: string; readonly table: string; readonly name: string }) =>
    each.schema === fact.schema && each.table === fact.table && each.name === fact.name;
  return {
    ...facts,
    constraints: facts.constraints.filter((each) => !isIt(each)),
    indexes: facts.indexes.filter((each) => !isIt(each)),
  };
}

/** Takes a constraint away; the way back adds it as online as it was added. */
function removing(fact: ConstraintFact, facts: Facts): Part {
  const name = `remove ${ident(fact.name)} of ${qualified(fact.schema, fact.table)}`;
  return inverse(name, plan(name, adding(fact, without(facts, fact))), "backOnly");
}

/** The new one is proven under another name before the old one goes: at no moment is a row let in that both refuse. */
function replacing(was: ConstraintFact, is: ConstraintFact, facts: Facts): readonly Part[] {
  if (is.kind === "primaryKey" || was.kind !== is.kind)
    refuse(
      `${is.name} of ${qualified(is.schema, is.table)} becomes another key: ${was.definition} is to be ${is.definition}`,
      "Add the new key under another name first, and drop the old one in a later change.",
    );
  const fresh = shorten(`underpin_new_${is.name}`);
  return [...adding(is, facts, fresh), removing(was, facts), renaming(is, fresh)];
}

function renaming({ schema, table, name }: ConstraintFact, fresh: string): Step {
  const path = qualified(schema, table);
  const rename = (from: string, to: string) =>
    `ALTER TABLE ${path} RENAME CONSTRAINT ${ident(from)} TO ${ident(to)}`;
  const locks = [{ schema, name: table, mode: "accessExclusive", partitions: true }] as const;
  return {
    kind: "sql",
    id: `name ${ident(name)} of ${path}`,
    title: `The new constraint of ${table} is called ${name}`,
    sql: rename(fresh, name),
    locks,
    transaction: "commitAfter",
    undo: { kind: "statement", sql: rename(name, fresh), locks, transaction: "commitAfter" },
  };
}
