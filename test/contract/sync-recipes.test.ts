import type { Plan } from "../../src/plan/step.ts";
import { changeColumnType } from "../../src/recipes/change-column-type.ts";
import { renameColumn } from "../../src/recipes/rename-column.ts";
import { renameTable } from "../../src/recipes/rename-table.ts";
import { mergeColumns, splitColumn } from "../../src/recipes/split-column.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

/** Up to the gate before the old side is dropped for good: that cannot be taken back, and has its own tests. */
const reversible = ({ steps, ...plan }: Plan): Plan => ({
  ...plan,
  steps: steps.slice(
    0,
    steps.findIndex(({ kind }) => kind === "gate"),
  ),
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
  setup: (names) =>
    `${laden(names)}; GRANT SELECT ON ${qualified(names.schema, names.table)} TO PUBLIC`,
  plan: ({ schema, table }, facts) => {
    const made = renameTable({ facts, schema, table, to: `${table} of to'day` });
    return { ...made, steps: made.steps.slice(0, 2) };
  },
  insert,
});

contract({
  name: "splitColumn",
  setup: laden,
  plan: ({ schema, table, column }, facts) =>
    reversible(
      splitColumn({
        facts,
        schema,
        table,
        column,
        value: `concat("le'ft", "right")`,
        into: [
          { name: "le'ft", type: "character varying(1)", value: `"left"(${ident(column)}, 1)` },
          { name: "right", type: "text", value: `substr(${ident(column)}, 2)` },
        ],
      }),
    ),
  insert,
  rows: true,
});

contract({
  name: "mergeColumns on partitions",
  setup: ({ schema, table, column }) => `
    CREATE TABLE ${qualified(schema, table)} (id integer PRIMARY KEY, ${ident(column)} text NOT NULL, other text)
      PARTITION BY RANGE (id);
    CREATE TABLE ${qualified(schema, `${table}_low`)} PARTITION OF ${qualified(schema, table)} FOR VALUES FROM (0) TO (100);
    CREATE TABLE ${qualified(schema, `${table}_rest`)} PARTITION OF ${qualified(schema, table)} DEFAULT;
    INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g, 'y' FROM generate_series(1, 150) g`,
  plan: ({ schema, table, column }, facts) =>
    reversible(
      mergeColumns({
        facts,
        schema,
        table,
        columns: [
          { column, value: "split_part(joined, '/', 1)" },
          { column: "other", value: "split_part(joined, '/', 2)" },
        ],
        into: {
          name: "joined",
          type: "text",
          value: `${ident(column)} || '/' || coalesce(other, '')`,
        },
      }),
    ),
  insert,
  rows: true,
});

/** A number with all that a column can have, whose text form another type holds. */
const numbers = ({ schema, table, column }: ContractNames) => {
  const [path, name] = [qualified(schema, table), ident(column)];
  return `
  CREATE TABLE ${qualified(schema, "kinds")} (id integer PRIMARY KEY);
  INSERT INTO ${qualified(schema, "kinds")} SELECT generate_series(0, 9999);
  CREATE TABLE ${path} (id integer, ${name} serial NOT NULL CONSTRAINT "a key" PRIMARY KEY, other text,
    CONSTRAINT "not zero" CHECK (${name} <> 0), CONSTRAINT "no two" UNIQUE (id, ${name}),
    CONSTRAINT "a kind" FOREIGN KEY (${name}) REFERENCES ${qualified(schema, "kinds")} (id));
  CREATE INDEX "by half" ON ${path} ((${name} / 2) DESC) INCLUDE (other) WITH (fillfactor = 80) WHERE ${name} <> 3;
  COMMENT ON COLUMN ${path}.${name} IS 'laden';
  COMMENT ON INDEX ${qualified(schema, "by half")} IS 'half';
  COMMENT ON CONSTRAINT "not zero" ON ${path} IS 'zero';
  ALTER TABLE ${path} ALTER COLUMN ${name} SET STATISTICS 7;
  GRANT SELECT (${name}), UPDATE (${name}) ON ${path} TO PUBLIC;
  CREATE POLICY "few" ON ${path} TO pg_monitor USING (${name} < 9) WITH CHECK (true);
  CREATE VIEW ${qualified(schema, "seen")} WITH (security_invoker) AS SELECT id, ${name} FROM ${path};
  GRANT SELECT ON ${qualified(schema, "seen")} TO PUBLIC;
  COMMENT ON VIEW ${qualified(schema, "seen")} IS 'seen';
  CREATE VIEW ${qualified(schema, "again")} AS SELECT ${name} AS n FROM ${qualified(schema, "seen")} WHERE id > 0;
  INSERT INTO ${path} (id) SELECT g FROM generate_series(1, 50) g`;
};

contract({
  name: "changeColumnType",
  setup: numbers,
  plan: ({ schema, table, column }, facts) =>
    reversible(changeColumnType({ facts, schema, table, column, type: "bigint", batchSize: 20 })),
  insert: ({ schema, table }) => `INSERT INTO ${qualified(schema, table)} (id) VALUES (9999)`,
  rows: true,
});

contract({
  name: "changeColumnType without a rewrite",
  setup: ({ schema, table, column }) => {
    const [path, name] = [qualified(schema, table), ident(column)];
    return `
    CREATE TABLE ${path} (id integer PRIMARY KEY, ${name} varchar(40) NOT NULL DEFAULT 'none',
      CONSTRAINT "not empty" CHECK (${name} <> ''), UNIQUE (${name}, id));
    CREATE INDEX ON ${path} (${name});
    CREATE VIEW ${qualified(schema, "seen")} AS SELECT id, ${name} FROM ${path};
    INSERT INTO ${path} (id, ${name}) SELECT g, 'x' || g FROM generate_series(1, 50) g`;
  },
  plan: ({ schema, table, column }, facts) =>
    changeColumnType({ facts, schema, table, column, type: "text" }),
  insert,
});
