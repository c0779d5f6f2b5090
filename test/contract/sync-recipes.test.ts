import type { Plan } from "../../src/plan/step.ts";
import { renameColumn } from "../../src/recipes/rename-column.ts";
import { renameTable } from "../../src/recipes/rename-table.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

/** Up to what drops the old side for good, which cannot be taken back and has its own tests. */
const reversible = ({ steps, ...plan }: Plan): Plan => ({
  ...plan,
  steps: steps.filter(({ undo }) => undo.kind !== "irreversible"),
});

const insert = ({ schema, table, column }: ContractNames) =>
  `INSERT INTO ${qualified(schema, table)} (id, ${ident(column)}) VALUES (9999, 'born during the change')`;

/** A column with all that may hang on one. */
const laden = ({ schema, table, column }: ContractNames) => {
  const [path, name] = [qualified(schema, table), ident(column)];
  return `
  CREATE TABLE ${path} (id integer PRIMARY KEY, ${name} varchar(40) COLLATE "C" NOT NULL DEFAULT 'none', other text,
    CONSTRAINT "not empty" CHECK (${name} <> ''), UNIQUE (${name}, id));
  CREATE INDEX ON ${path} (lower(${name}) text_pattern_ops DESC) INCLUDE (other) WITH (fillfactor = 80) WHERE ${name} <> 'x';
  COMMENT ON COLUMN ${path}.${name} IS 'laden';
  ALTER TABLE ${path} ALTER COLUMN ${name} SET STATISTICS 7;
  GRANT SELECT (${name}), UPDATE (${name}) ON ${path} TO PUBLIC;
  CREATE VIEW ${qualified(schema, "seen")} WITH (security_invoker) AS SELECT id, ${name} FROM ${path};
  INSERT INTO ${path} (id, ${name}) SELECT g, 'x' || g FROM generate_series(1, 50) g`;
};

contract({
  name: "renameColumn",
  setup: laden,
  plan: ({ schema, table, column }, facts) =>
    reversible(renameColumn({ facts, schema, table, column, to: `${column}_new`, batchSize: 20 })),
  insert,
  rows: true,
});

/** The old name as old versions know it: a view. What comes after has its own tests. */
contract({
  name: "renameTable",
  setup: laden,
  plan: ({ schema, table }, facts) => {
    const made = renameTable({ facts, schema, table, to: `${table} of to'day` });
    return { ...made, steps: made.steps.slice(0, 2) };
  },
  insert,
});
