import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  pgPolicy,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from "drizzle-orm/pg-core";
import type { Sql } from "postgres";
import { beforeAll, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Definition } from "../../src/definition/definition.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { snapshot, type Snapshot } from "../../src/install/snapshot.ts";
import { drift } from "../../src/kit/index.ts";
import { pgComment, pgForceRowSecurity, pgFunction, pgGrant } from "../../src/index.ts";
import { partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { apply } from "../../src/run/apply.ts";
import { onEngines } from "../support/server.ts";

const SCHEMA = 'dri"ft Schema';

/** One of each thing of which drizzle-kit does not see that it has changed. */
function definitionFor(role: string): Definition {
  const schema = pgSchema(SCHEMA);
  const notes = schema
    .table(
      "notes",
      {
        id: integer("id").primaryKey(),
        body: text("body").notNull(),
        size: integer("size").generatedAlwaysAs(sql`length(body)`),
      },
      (t) => [
        check("notes_body_check", sql`length(body) < 100`),
        index("notes_partial")
          .on(t.id)
          .where(sql`id > 10`),
        index("notes_pattern").on(t.body.op("text_pattern_ops")),
        pgPolicy("notes_short", { using: sql`length(body) < 10` }),
      ],
    )
    .enableRLS();
  const events = schema.table(
    "events",
    { id: integer("id").notNull(), at: timestamp("at", { withTimezone: true }).notNull() },
    (t) => [primaryKey({ name: "events_pk", columns: [t.id, t.at] })],
  );
  const short = schema
    .view("short", { id: integer("id") })
    .as(sql`select id from ${notes} where length(body) < 10`);
  const count = pgFunction({
    schema: SCHEMA,
    name: "count_notes",
    returns: "integer",
    language: "sql",
    volatility: "stable",
    body: "SELECT 1",
  });
  return defineDatabase({
    name: "drift",
    tables: { schema, notes, events, short },
    objects: [
      count,
      pgGrant({ table: notes, to: role, privileges: ["select"] }),
      pgForceRowSecurity({ table: notes }),
      pgComment({ table: notes, text: "what was said" }),
    ],
    partitions: [partitionBy(events, range(events.at, { every: "1 month" }))],
  });
}

const S = '"dri""ft Schema"';
const NOTES = `table ${S}."notes"`;

/** What is done, what undoes it, and the object that has to be named. */
const CHANGES = (role: string): readonly (readonly [string, string, string, string])[] => [
  [
    "a policy's USING",
    `ALTER POLICY notes_short ON ${S}.notes USING (true)`,
    `ALTER POLICY notes_short ON ${S}.notes USING (length(body) < 10)`,
    `policy "notes_short" of ${NOTES}`,
  ],
  [
    "a CHECK",
    `ALTER TABLE ${S}.notes DROP CONSTRAINT notes_body_check, ADD CONSTRAINT notes_body_check CHECK (length(body) < 1000)`,
    `ALTER TABLE ${S}.notes DROP CONSTRAINT notes_body_check, ADD CONSTRAINT notes_body_check CHECK (length(body) < 100)`,
    `constraint "notes_body_check" of ${NOTES}`,
  ],
  [
    "the predicate of an index",
    `DROP INDEX ${S}.notes_partial; CREATE INDEX notes_partial ON ${S}.notes (id) WHERE id > 11`,
    `DROP INDEX ${S}.notes_partial; CREATE INDEX notes_partial ON ${S}.notes (id) WHERE id > 10`,
    `index "notes_partial" of ${NOTES}`,
  ],
  [
    "the operator class of an index",
    `DROP INDEX ${S}.notes_pattern; CREATE INDEX notes_pattern ON ${S}.notes (body)`,
    `DROP INDEX ${S}.notes_pattern; CREATE INDEX notes_pattern ON ${S}.notes (body text_pattern_ops)`,
    `index "notes_pattern" of ${NOTES}`,
  ],
  [
    "the query of a view",
    `CREATE OR REPLACE VIEW ${S}.short AS SELECT id FROM ${S}.notes`,
    `CREATE OR REPLACE VIEW ${S}.short AS SELECT id FROM ${S}.notes WHERE length(body) < 10`,
    `view ${S}."short"`,
  ],
  [
    "a generated expression",
    `ALTER TABLE ${S}.notes DROP COLUMN size, ADD COLUMN size integer GENERATED ALWAYS AS (length(body) + 1) STORED`,
    `ALTER TABLE ${S}.notes DROP COLUMN size, ADD COLUMN size integer GENERATED ALWAYS AS (length(body)) STORED`,
    `column "size" of ${NOTES}`,
  ],
  [
    "the body of a function",
    `CREATE OR REPLACE FUNCTION ${S}.count_notes() RETURNS integer LANGUAGE sql STABLE SET search_path TO '' AS 'SELECT 2'`,
    "repair",
    `function ${S}."count_notes"()`,
  ],
  [
    "a grant",
    `REVOKE SELECT ON ${S}.notes FROM ${role}`,
    `GRANT SELECT ON ${S}.notes TO ${role}`,
    `on ${NOTES}`,
  ],
  [
    "FORCE",
    `ALTER TABLE ${S}.notes NO FORCE ROW LEVEL SECURITY`,
    `ALTER TABLE ${S}.notes FORCE ROW LEVEL SECURITY`,
    NOTES,
  ],
  [
    "a comment",
    `COMMENT ON TABLE ${S}.notes IS 'other'`,
    `COMMENT ON TABLE ${S}.notes IS 'what was said'`,
    NOTES,
  ],
  [
    "row security that is off",
    `ALTER TABLE ${S}.notes DISABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${S}.notes ENABLE ROW LEVEL SECURITY`,
    NOTES,
  ],
  [
    "an index that nobody declared",
    `CREATE INDEX helpful ON ${S}.notes (body)`,
    `DROP INDEX ${S}.helpful`,
    `index "helpful" of ${NOTES}`,
  ],
  [
    "a column that nobody declared",
    `ALTER TABLE ${S}.notes ADD COLUMN more text`,
    `ALTER TABLE ${S}.notes DROP COLUMN more`,
    `column "more" of ${NOTES}`,
  ],
  [
    "a table that nobody declared, and nothing of what is in it",
    `CREATE TABLE ${S}.extra (id serial PRIMARY KEY)`,
    `DROP TABLE ${S}.extra`,
    `table ${S}."extra"`,
  ],
  [
    "a function that nobody declared",
    `CREATE FUNCTION ${S}.extra() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `DROP FUNCTION ${S}.extra()`,
    `function ${S}."extra"()`,
  ],
  [
    "statistics that no reader knows",
    `CREATE STATISTICS ${S}.extra ON id, body FROM ${S}.notes`,
    `DROP STATISTICS ${S}.extra`,
    "statistics object",
  ],
];

onEngines("drift", (engine) => {
  let role = "drift_reader";
  let definition: Definition;
  let expected: Snapshot;
  let single: Sql | undefined;
  const run = async (statements: string): Promise<void> => {
    const db = engine.db();
    if ("exec" in db) await db.exec(statements);
    else await single?.unsafe(statements);
  };
  const look = () => drift(engine.db(), definition, { expected });
  beforeAll(async () => {
    if (engine.server === undefined) await engine.executor().query(`CREATE ROLE ${role}`);
    else role = await engine.server.role("drift_reader", { login: false });
    definition = definitionFor(role);
    expected = await snapshot(definition);
    single = engine.server?.connect({ max: 1 });
    const { outcome, failure } = await apply(engine.db(), planInstall(definition));
    expect(outcome, failure?.message).toBe("applied");
  });

  it("finds nothing where nothing was changed", async () => {
    expect(await look()).toEqual([]);
  });

  for (const [what, change, back, object] of CHANGES("drift_reader"))
    it(`sees ${what}`, async () => {
      await run(change.replaceAll("drift_reader", role));
      const findings = await look();
      expect([...new Set(findings.map((finding) => finding.object))]).toEqual([
        expect.stringContaining(object),
      ]);
      await run(
        back === "repair" ? (findings[0]?.repair ?? "") : back.replaceAll("drift_reader", role),
      );
      expect(await look()).toEqual([]);
    });

  it("sees other bounds of a partition", async () => {
    const [leaf] = await engine.executor().query<{ name: string; bound: string }>(
      `SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
       FROM pg_class AS c JOIN pg_inherits AS i ON i.inhrelid = c.oid
       WHERE i.inhparent = '${S}.events'::regclass ORDER BY c.relname LIMIT 1`,
    );
    const { name = "", bound = "" } = leaf ?? {};
    const [, month = ""] = /FROM \('(\d{4}-\d\d)/.exec(bound) ?? [];
    const other = bound.replace(/TO \('\d{4}-\d\d-\d\d/, `TO ('${month}-15`);
    expect(other).not.toBe(bound);
    await run(
      `ALTER TABLE ${S}.events DETACH PARTITION ${name}; ALTER TABLE ${S}.events ATTACH PARTITION ${name} ${other}`,
    );
    const findings = await look();
    expect(findings.map(({ check }) => check)).toContain("partition-gap");
    await run(
      `ALTER TABLE ${S}.events DETACH PARTITION ${name}; ALTER TABLE ${S}.events ATTACH PARTITION ${name} ${bound}`,
    );
    expect(await look()).toEqual([]);
  });

  it("leaves nothing in a shadow of the same version, and finds the same by it", async () => {
    const server = engine.server;
    if (server === undefined) return;
    await run(`CREATE OR REPLACE VIEW ${S}.short AS SELECT id FROM ${S}.notes`);
    const shadow = server.connect(await server.database("shadow"));
    const findings = await drift(engine.db(), definition, { shadow });
    expect(findings.map(({ object }) => object)).toEqual([`view ${S}."short"`]);
    const [left] =
      await shadow`SELECT count(*)::int AS schemas FROM pg_namespace WHERE nspname = ${SCHEMA}`;
    expect(left?.["schemas"]).toBe(0);
    await run(
      `CREATE OR REPLACE VIEW ${S}.short AS SELECT id FROM ${S}.notes WHERE length(body) < 10`,
    );
  });

  it("refuses a shadow that is not empty", async () => {
    await expect(drift(engine.db(), definition, { shadow: engine.db() })).rejects.toMatchObject({
      code: "invalidInput",
    });
  });
});
