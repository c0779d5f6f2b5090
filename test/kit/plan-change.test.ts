// Long because: one list of everything that may change between two definitions.
import { sql } from "drizzle-orm";
import {
  check,
  foreignKey,
  index,
  integer,
  pgPolicy,
  pgSchema,
  text,
  unique,
  varchar,
} from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Definition } from "../../src/definition/definition.ts";
import {
  pgComment,
  pgForceRowSecurity,
  pgFunction,
  pgGrant,
  pgGroupRole,
  pgMaterializedViewIndex,
  pgTrigger,
  snapshot,
  verify,
} from "../../src/index.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planChange } from "../../src/kit/index.ts";
import { applyThroughGates } from "../../src/run/measure/through-gates.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";

const S = 'cha"nge Schema';

/** What may be another between the two. */
interface Version {
  readonly body: string;
  readonly maximum: number;
  readonly limit: number;
  readonly isNew: boolean;
}

const OLD: Version = { body: "SELECT 1", maximum: 100, limit: 10, isNew: false };
const NEW: Version = { body: "SELECT 2", maximum: 200, limit: 20, isNew: true };

function definitionOf({ body, maximum, limit, isNew }: Version): Definition {
  const schema = pgSchema(S);
  const mood = schema.enum("mood", isNew ? ["sad", "calm", "happy", "wild"] : ["sad", "happy"]);
  const people = schema.table("people", { id: integer("id").primaryKey(), name: text("name") });
  const notes = schema
    .table(
      "notes",
      {
        id: integer("id").primaryKey(),
        body: text("body").notNull(),
        mood: mood("mood").notNull().default("sad"),
        title: isNew ? varchar("title", { length: 80 }) : varchar("title", { length: 40 }),
        state: isNew ? text("state").notNull().default("new") : text("state"),
        ...(isNew ? { added: integer("added").notNull().default(3) } : { gone: text("gone") }),
        author: integer("author"),
      },
      (t) => [
        check("notes_body_check", sql.raw(`length(body) < ${maximum}`)),
        index("notes_partial")
          .on(t.id)
          .where(sql.raw(`id > ${limit}`)),
        ...(isNew
          ? [
              unique("notes_body_key").on(t.body),
              index("notes_author_index").on(t.author),
              foreignKey({
                name: "notes_author_fk",
                columns: [t.author],
                foreignColumns: [people.id],
              }),
            ]
          : [index("notes_title_index").on(t.title), unique("notes_title_key").on(t.title)]),
        pgPolicy("notes_short", { using: sql.raw(`length(body) < ${limit}`) }),
        ...(isNew ? [pgPolicy("notes_more", { for: "insert", withCheck: sql`true` })] : []),
      ],
    )
    .enableRLS();
  const short = schema
    .view("short", { id: integer("id") })
    .as(sql.raw(`select id from "cha""nge Schema"."notes" where length(body) < ${limit}`));
  const shorter = schema
    .view("a_shorter", { id: integer("id") })
    .as(sql.raw(`select id from "cha""nge Schema"."short" where id < ${limit}`));
  const totals = schema
    .materializedView("totals", { mood: text("mood"), n: integer("n") })
    .as(sql.raw(`select mood, count(*) as n from "cha""nge Schema"."notes" group by mood`));
  const extra = schema.table("extra", { id: integer("id").primaryKey() });
  const count = pgFunction({
    schema: S,
    name: "count_notes",
    returns: "integer",
    language: "sql",
    volatility: "stable",
    executeTo: isNew ? ["change_writer"] : ["change_reader"],
    body,
  });
  const touch = pgFunction({
    schema: S,
    name: "touch",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    body: "BEGIN RETURN NEW; END",
  });
  return defineDatabase({
    name: "change",
    tables: {
      schema,
      mood,
      people,
      notes,
      short,
      shorter,
      totals,
      extra: isNew ? extra : undefined,
    },
    objects: [
      pgGroupRole("change_reader"),
      pgGroupRole("change_writer"),
      count,
      touch,
      pgTrigger({
        table: notes,
        name: "touch",
        timing: "before",
        events: isNew ? ["insert", "update"] : ["update"],
        execute: touch,
      }),
      pgGrant({
        table: notes,
        to: "change_reader",
        privileges: isNew ? ["select", "insert"] : ["select", "update"],
      }),
      pgGrant({ table: people, to: "change_writer", privileges: ["select"] }),
      pgMaterializedViewIndex({
        schema: S,
        view: "totals",
        name: "totals_key",
        columns: isNew ? ["mood"] : ["mood", "n"],
        unique: true,
      }),
      pgComment({ table: notes, text: isNew ? "what was said" : "notes" }),
      ...(isNew
        ? [pgForceRowSecurity({ table: notes }), pgComment({ table: people, text: "who" })]
        : []),
    ],
  });
}

const before = definitionOf(OLD);
const after = definitionOf(NEW);

it("plans nothing between two alike", async () => {
  const plan = await planChange(await snapshot(before), definitionOf(OLD));
  expect(plan.steps.map(({ id }) => id)).toEqual(["nothing"]);
});

it("takes a function body and a policy's predicate for changes, and another spelling for none", async () => {
  const plan = await planChange(await snapshot(before), definitionOf({ ...OLD, body: "SELECT 3" }));
  expect(plan.steps.map(({ id }) => id)).toEqual([
    `change function "cha""nge Schema"."count_notes"()`,
  ]);
  const spelt = definitionOf(OLD);
  expect((await planChange(await snapshot(spelt), before)).steps).toHaveLength(1);
});

it("survives a file", async () => {
  const kept = JSON.parse(JSON.stringify(await snapshot(before))) as Awaited<
    ReturnType<typeof snapshot>
  >;
  expect((await planChange(kept, after)).steps).not.toHaveLength(0);
});

onEngines("a planned change of twenty things", (engine) => {
  it("goes up, down and up on a live database, and is verified each time", async () => {
    const db = engine.db();
    const plan = await planChange(await snapshot(before), after);
    const installed = await apply(db, planInstall(before));
    expect(installed.outcome, installed.failure?.message).toBe("applied");
    await engine
      .executor()
      .query(
        `INSERT INTO "cha""nge Schema".notes (id, body, state, gone, title) VALUES (1, 'a', 's', 'kept', 't')`,
      );
    const waits = await upToContract();
    expect(waits).toBe("waiting");
    const back = await undo(db, plan);
    expect(back.outcome, back.failure?.message).toBe("undone");
    expect((await verify(db, before)).filter(({ check }) => check !== "type-labels")).toEqual([]);
    const [row] = await engine
      .executor()
      .query<{ gone: string }>(`SELECT gone FROM "cha""nge Schema".notes`);
    expect(row?.gone).toBe("kept");
    const again = await applyThroughGates(db, plan, {});
    expect(again.outcome, again.failure?.message).toBe("applied");
    expect(await verify(db, after)).toEqual([]);

    async function upToContract(): Promise<string> {
      const { applyUpTo } = await import("../../src/kit/change/scratch.ts");
      const report = await applyUpTo(
        { executor: engine.executor() },
        plan,
        "contract: nobody misses it",
      );
      expect(report.failure?.message).toBeUndefined();
      return report.outcome;
    }
  });
});

it("refuses to switch row security off, and says so with all else that it refuses", async () => {
  const schema = pgSchema("open");
  const closed = schema.table("t", { id: integer("id").primaryKey() }).enableRLS();
  const open = schema.table("t", { id: integer("id").primaryKey() });
  const old = await snapshot(defineDatabase({ name: "open", tables: { schema, closed } }));
  await expect(
    planChange(old, defineDatabase({ name: "open", tables: { schema, open } })),
  ).rejects.toThrow(/row security of table "open"."t" would be switched off/);
});

it("parks a table that goes, and drops it behind a gate", async () => {
  const schema = pgSchema("park");
  const kept = schema.table("kept", { id: integer("id").primaryKey() });
  const gone = schema.table("gone", { id: integer("id").primaryKey() });
  const old = await snapshot(defineDatabase({ name: "park", tables: { schema, kept, gone } }));
  const plan = await planChange(old, defineDatabase({ name: "park", tables: { schema, kept } }));
  expect(plan.steps.map(({ kind }) => kind)).toEqual(["gate", "sql", "gate", "sql"]);
});
