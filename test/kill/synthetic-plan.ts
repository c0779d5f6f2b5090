import { plan } from "../../src/plan/plan.ts";
import type { Plan, Statement } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import type { Handler } from "../../src/run/options.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";

/** The schema of the synthetic plan's tables. */
export const SYNTHETIC_SCHEMA = `we"ird Schema`;

const TABLE = `ta"ble`;
const COLUMN = `co'l`;

/** The tables that the synthetic plan works on. A step that ran twice leaves two rows in `effects`. */
export function syntheticTables(schema = SYNTHETIC_SCHEMA): string {
  const items = qualified(schema, TABLE);
  return `CREATE SCHEMA ${ident(schema)};
CREATE TABLE ${items} (id integer CONSTRAINT "the key" PRIMARY KEY, label text);
INSERT INTO ${items} SELECT n, 'item ' || n FROM pg_catalog.generate_series(1, 15) AS n;
CREATE TABLE ${ident(schema)}.effects (step text NOT NULL);
CREATE TABLE ${ident(schema)}.calls (argument text CONSTRAINT calls_key PRIMARY KEY)`;
}

/** A plan that holds every kind of step, in every kind of transaction. */
export function syntheticPlan(schema = SYNTHETIC_SCHEMA): Plan {
  const items = qualified(schema, TABLE);
  const effects = qualified(schema, "effects");
  const column = ident(COLUMN);
  const change = {
    locks: [{ schema, name: TABLE, mode: "accessExclusive" }],
    transaction: "inside",
  } as const satisfies Partial<Statement>;
  const write = {
    locks: [{ schema, name: "effects", mode: "rowExclusive" }],
    transaction: "inside",
  } as const satisfies Partial<Statement>;
  return plan("synthetic", [
    {
      kind: "sql",
      id: "add-column",
      title: "Add the column",
      sql: `ALTER TABLE ${items} ADD COLUMN ${column} integer`,
      ...change,
      undo: { kind: "statement", sql: `ALTER TABLE ${items} DROP COLUMN ${column}`, ...change },
    },
    {
      kind: "sql",
      id: "note-effect",
      title: "Write a row in the same transaction",
      sql: `INSERT INTO ${effects} VALUES ('note-effect')`,
      ...write,
      undo: { kind: "statement", sql: `INSERT INTO ${effects} VALUES ('undo of it')`, ...write },
    },
    {
      kind: "sql",
      id: "add-check",
      title: "New rows must fill the column",
      sql: `ALTER TABLE ${items} ADD CONSTRAINT filled CHECK (${column} IS NOT NULL) NOT VALID`,
      ...change,
      transaction: "commitAfter",
      phase: "expanded",
      undo: { kind: "statement", sql: `ALTER TABLE ${items} DROP CONSTRAINT filled`, ...change },
    },
    {
      kind: "check",
      id: "has-rows",
      title: "There are rows to fill",
      sql: `SELECT pg_catalog.count(*) FROM ${items}`,
      expect: { atLeast: 15, atMost: 15 },
      rows: [{ schema, name: TABLE, access: "read" }],
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "gate",
      id: "deployed",
      title: "The application fills the column",
      question: "Is the new version deployed everywhere?",
      undo: { kind: "nothing" },
    },
    {
      kind: "call",
      id: "archive",
      title: "Archive the old rows",
      handler: "note",
      version: 1,
      argument: { what: "archive" },
      undo: { kind: "nothing" },
    },
    {
      kind: "backfill",
      id: "fill",
      title: "Fill the old rows",
      table: { schema, name: TABLE },
      key: [{ name: "id", type: "integer" }],
      set: `${column} = target.id * 10`,
      where: `target.${column} IS NULL`,
      // Looked at by the clock, a database has no moments of its own.
      throttleLimits: false,
      batchSize: 10,
      pauseMs: 1,
      undo: { kind: "nothing" },
    },
    {
      kind: "check",
      id: "is-filled",
      title: "No row was left out",
      sql: `SELECT id FROM ${items} WHERE ${column} IS NULL`,
      expect: "noRows",
      rows: [{ schema, name: TABLE, access: "read" }],
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "validate-check",
      title: "Scan the old rows",
      sql: `ALTER TABLE ${items} VALIDATE CONSTRAINT filled`,
      locks: [{ schema, name: TABLE, mode: "shareUpdateExclusive" }],
      transaction: "commitAfter",
      phase: "filled",
      undo: { kind: "nothing" },
    },
    createIndex({
      schema,
      table: TABLE,
      parts: [COLUMN, "label"],
      name: "by column",
      unique: true,
    }),
  ]);
}

/** A plan that breaks a rule: its handler is not idempotent, so that a kill after it shows. */
export function brokenPlan(): Plan {
  return plan("broken", [
    {
      kind: "call",
      id: "append",
      title: "Append a row, each time",
      handler: "append",
      version: 1,
      argument: null,
      undo: { kind: "nothing" },
    },
  ]);
}

/** The handlers of these plans: `note` is idempotent, as every handler must be, and `append` is not. */
export function handlersFor(schema = SYNTHETIC_SCHEMA): Readonly<Record<string, Handler>> {
  return {
    note: {
      version: 1,
      run: async (argument, { executor }) => {
        await executor.query(
          `INSERT INTO ${ident(schema)}.calls VALUES (${literal(JSON.stringify(argument))})
           ON CONFLICT DO NOTHING`,
        );
      },
    },
    append: {
      version: 1,
      run: async (_, { executor }) => {
        await executor.query(`INSERT INTO ${ident(schema)}.effects VALUES ('appended')`);
      },
    },
  };
}
