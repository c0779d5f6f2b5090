import { refuseFaults } from "../definition/define-database.ts";
import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, SqlStep } from "../plan/step.ts";
import { ident } from "../sql/quote.ts";
import { groupsOf, locksTogether, textOf, titleOf } from "./groups.ts";
import { objectsOf } from "./objects-of.ts";
import { requirementSteps } from "./requirements.ts";
import { validateBodies } from "./validate-bodies.ts";

/**
 * Everything that a definition is made of, as one plan in the order of what needs what.
 *
 * It needs no drizzle-kit. Neighbours of one kind are one step and one transaction; a foreign key to a table of the host has one to itself and takes
 * SHARE ROW EXCLUSIVE there, for a moment, since its own table is empty. Seed rows come before row security. Functions are made without a look at their
 * bodies, which may name what comes later, and are looked at in the end.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { defineDatabase, planInstall } from "underpin";
 *
 * const drafts = pgTable("drafts", { id: uuid("id").primaryKey().defaultRandom() });
 * const plan = planInstall(defineDatabase({ name: "drafts", tables: { drafts } }));
 * plan.steps.map(({ title }) => title);
 * // ["What drafts needs of its host is there", 'Create table "public"."drafts"']
 */
export function planInstall(definition: Definition): Plan {
  refuseFaults(definition);
  const objects = objectsOf(definition);
  const settings = settingsFor(objects);
  const steps = groupsOf(objects, ({ locks }) => locks).map((group) =>
    installStep(group, settings),
  );
  const install = plan(`install ${definition.name}`, [
    ...requirementSteps(definition, objects),
    ...steps,
    ...validateBodies(objects),
  ]);
  return { ...install, voids: [`uninstall ${definition.name}`] };
}

/**
 * What the texts of a definition are read under: names without schema are those of its own schemas, of `public` and of the
 * extensions. They are bound when an object is made, so that nobody's search_path matters afterwards.
 */
export function settingsFor(objects: readonly DatabaseObject[]): string {
  const own = objects
    .filter(({ kind }) => kind === "schema")
    .map(({ id }) => id.slice("schema ".length));
  const path = [...new Set([...own, ident("public"), ident("extensions")])].join(", ");
  // A run switches row security off, so that it is an error where it hides rows: here nothing has rows yet that a foreign key could miss.
  return `SET LOCAL search_path TO ${path};\nSET LOCAL check_function_bodies TO off;\nSET LOCAL row_security TO on;\n`;
}

/** One step that makes neighbours of one kind. */
export function installStep(group: readonly DatabaseObject[], settings: string): SqlStep {
  const reversed = [...group].reverse();
  const drop = textOf(reversed, (object) => object.drop);
  return {
    kind: "sql",
    id: group[0]?.id ?? "",
    title: titleOf(group[0]?.kind === "rows" ? "Insert" : "Create", group),
    sql: settings + textOf(group, ({ create }) => create),
    locks: locksTogether(group.flatMap(({ locks }) => locks)),
    creates: group.reduce((sum, { creates }) => sum + creates, 0),
    transaction: "commitAfter",
    undo:
      drop === ""
        ? { kind: "nothing" }
        : {
            kind: "statement",
            sql: drop,
            locks: locksTogether(reversed.flatMap(({ dropLocks }) => dropLocks)),
            transaction: "commitAfter",
          },
  };
}
