import type { Plan } from "../../src/plan/step.ts";
import { addCheck } from "../../src/recipes/add-check.ts";
import { addColumn } from "../../src/recipes/add-column.ts";
import { addPrimaryKey, addUnique } from "../../src/recipes/add-unique.ts";
import { createMaterializedView } from "../../src/recipes/create-materialized-view.ts";
import { dropColumn } from "../../src/recipes/drop-column.ts";
import { dropIndex } from "../../src/recipes/drop-index.ts";
import { enableRls } from "../../src/recipes/enable-rls.ts";
import { renameEnumValue } from "../../src/recipes/enum-value.ts";
import { removeEnumValue } from "../../src/recipes/remove-enum-value.ts";
import { replaceIndex } from "../../src/recipes/replace-index.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

const plain = ({ schema, table, column }: ContractNames) => `
  CREATE TABLE ${qualified(schema, table)} (id integer PRIMARY KEY, ${ident(column)} text, other text);
  INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g, NULL FROM generate_series(1, 500) g`;

const partitioned = ({ schema, table, column }: ContractNames) => `
  CREATE TABLE ${qualified(schema, table)} (id integer NOT NULL, ${ident(column)} text, other text)
    PARTITION BY RANGE (id);
  CREATE TABLE ${qualified(schema, `${table}_low`)} PARTITION OF ${qualified(schema, table)}
    FOR VALUES FROM (0) TO (100) PARTITION BY LIST (id);
  CREATE TABLE ${qualified(schema, `${table}_low_all`)} PARTITION OF ${qualified(schema, `${table}_low`)} DEFAULT;
  CREATE TABLE ${qualified(schema, `${table}_high`)} PARTITION OF ${qualified(schema, table)}
    FOR VALUES FROM (100) TO (10000);
  INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g FROM generate_series(1, 200) g`;

const insert = ({ schema, table, column }: ContractNames) =>
  `INSERT INTO ${qualified(schema, table)} (id, ${ident(column)}) VALUES (9999, 'born during the change')`;

const and =
  (
    setup: (names: ContractNames) => string,
    more: (table: string, names: ContractNames) => string,
  ) =>
  (names: ContractNames) =>
    `${setup(names)}; ${more(qualified(names.schema, names.table), names)}`;

for (const [where, setup] of [
  ["", plain],
  [" on partitions", and(partitioned, (table) => `ALTER TABLE ${table} ADD PRIMARY KEY (id)`)],
] as const) {
  contract({
    name: `addColumn with one value for all${where}`,
    setup,
    plan: ({ schema, table, column }, facts) =>
      addColumn({
        facts,
        schema,
        table,
        column: `${column} 2`,
        type: "text",
        default: "'new'",
        notNull: true,
      }),
    insert,
  });

  contract({
    name: `addColumn with a value for each row${where}`,
    setup,
    plan: ({ schema, table, column }, facts) =>
      addColumn({
        facts,
        schema,
        table,
        column: `${column} 2`,
        type: "uuid",
        default: "gen_random_uuid()",
        notNull: true,
        batchSize: 100,
      }),
    rows: true,
    insert,
  });

  contract({
    name: `addCheck${where}`,
    setup,
    plan: ({ schema, table, column }) =>
      addCheck({ schema, table, name: "is fill'ed", expression: `${ident(column)} <> ''` }),
    insert,
  });
}

for (const [where, setup] of [
  ["", plain],
  [" on partitions", partitioned],
] as const)
  contract({
    name: `addUnique${where}`,
    setup,
    plan: ({ schema, table, column }, facts) =>
      addUnique({ facts, schema, table, columns: [column, "id"] }),
    rows: true,
    insert,
  });

contract({
  name: "addPrimaryKey",
  setup: ({ schema, table, column }) => `
    CREATE TABLE ${qualified(schema, table)} (id integer, ${ident(column)} text NOT NULL);
    INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g FROM generate_series(1, 500) g`,
  plan: ({ schema, table, column }, facts) =>
    addPrimaryKey({ facts, schema, table, columns: ["id", column] }),
  rows: true,
  insert,
});

contract({
  name: "addPrimaryKey on partitions",
  // A NOT NULL that was there before would keep a mark on 18.
  setup: and(partitioned, (table) => `ALTER TABLE ${table} ALTER COLUMN id DROP NOT NULL`),
  plan: ({ schema, table, column }, facts) =>
    addPrimaryKey({ facts, schema, table, columns: [column, "id"] }),
  rows: true,
  insert,
});

const indexed = and(
  plain,
  (table, { schema, column }) => `
    CREATE UNIQUE INDEX "the in'dex" ON ${table} USING btree (lower(${ident(column)}) DESC NULLS LAST, id)
      INCLUDE (other) WITH (fillfactor = 70) WHERE id > 0;
    COMMENT ON INDEX ${qualified(schema, "the in'dex")} IS ${literal("it's mine")};
    ALTER INDEX ${qualified(schema, "the in'dex")} ALTER COLUMN 1 SET STATISTICS 321`,
);

contract({
  name: "dropIndex",
  setup: indexed,
  plan: ({ schema }, facts) => dropIndex({ facts, schema, index: "the in'dex" }),
  insert,
});

contract({
  name: "replaceIndex",
  setup: indexed,
  plan: ({ schema }, facts) =>
    replaceIndex({ facts, schema, index: "the in'dex", by: { parts: ["other", "id"] } }),
  insert,
});

/** Until the second gate: what follows it cannot be taken back. */
const untilDropped = (made: Plan): Plan => ({
  ...made,
  steps: made.steps.slice(
    0,
    made.steps.findIndex(({ id }) => id === "nobody-misses-it"),
  ),
});

for (const [where, setup] of [
  ["", plain],
  [" on partitions", partitioned],
] as const)
  contract({
    name: `dropColumn${where}, until its second gate`,
    setup: and(
      setup,
      (table) => `
        ALTER TABLE ${table} ADD COLUMN "col umn" integer NOT NULL DEFAULT 7;
        ALTER TABLE ${table} ALTER COLUMN "col umn" DROP DEFAULT;
        CREATE INDEX ON ${table} ("col umn"); COMMENT ON COLUMN ${table}."col umn" IS 'parked'`,
    ),
    plan: ({ schema, table }, facts) =>
      untilDropped(dropColumn({ facts, schema, table, column: "col umn", filler: "-1" })),
    insert,
  });

contract({
  name: "dropColumn of a column that rows leave out, until its second gate",
  setup: and(
    plain,
    (table) => `ALTER TABLE ${table} ADD COLUMN n integer CONSTRAINT "n's" NOT NULL DEFAULT 7;
      ALTER TABLE ${table} ALTER COLUMN n DROP DEFAULT`,
  ),
  plan: ({ schema, table }, facts) =>
    untilDropped(dropColumn({ facts, schema, table, column: "n" })),
  // Who goes back has filled what was left out.
  insert: ({ schema, table, column }) =>
    `INSERT INTO ${qualified(schema, table)} (id, ${ident(column)}, ${ident("underpin_parked_n")}) VALUES (9999, 'new', 1)`,
});

contract({
  name: "enableRls",
  setup: plain,
  plan: ({ schema, table, column }, facts) =>
    enableRls({
      facts,
      schema,
      table,
      policies: [
        { name: "every'one", roles: ["public"], using: "true" },
        {
          name: "narrower",
          roles: ["pg_monitor"],
          command: "insert",
          check: `${ident(column)} <> ''`,
          restrictive: true,
        },
      ],
    }),
  insert,
});

contract({
  name: "createMaterializedView",
  setup: plain,
  plan: ({ schema, table, column }) =>
    createMaterializedView({
      schema,
      name: `${table} view`,
      query: `SELECT ${ident(column)}, pg_catalog.count(*) AS n FROM ${qualified(schema, table)} GROUP BY 1`,
      reads: [{ schema, name: table }],
      unique: { columns: [column] },
      every: "15 minutes",
    }),
  rows: true,
  insert,
});

const withEnum = and(
  ({ schema, ...names }) => `
    CREATE TYPE ${qualified(schema, "mo'od")} AS ENUM ('s''ad', 'ok', 'happy');
    COMMENT ON TYPE ${qualified(schema, "mo'od")} IS 'how one is'; ${plain({ schema, ...names })}`,
  (table, { schema }) => `
    ALTER TABLE ${table} ADD COLUMN mood ${qualified(schema, "mo'od")} DEFAULT 'ok' NOT NULL,
      ADD COLUMN moods ${qualified(schema, "mo'od")}[];
    CREATE INDEX ON ${table} (mood)`,
);

contract({
  name: "renameEnumValue",
  setup: withEnum,
  plan: ({ schema }) => renameEnumValue({ schema, type: "mo'od", from: "s'ad", to: "bl'ue" }),
  insert,
});

contract({
  name: "removeEnumValue",
  setup: withEnum,
  plan: ({ schema }, facts) => removeEnumValue({ facts, schema, type: "mo'od", value: "s'ad" }),
  rows: true,
  insert,
});
