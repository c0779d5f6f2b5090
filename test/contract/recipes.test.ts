import { addForeignKey } from "../../src/recipes/add-foreign-key.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

const plain = ({ schema, table, column }: ContractNames) => `
  CREATE TABLE ${qualified(schema, table)} (id integer PRIMARY KEY, ${ident(column)} text, other text);
  INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g, NULL FROM generate_series(1, 500) g`;

const partitioned = ({ schema, table, column }: ContractNames) => `
  CREATE TABLE ${qualified(schema, table)} (id integer PRIMARY KEY, ${ident(column)} text)
    PARTITION BY RANGE (id);
  CREATE TABLE ${qualified(schema, `${table}_low`)} PARTITION OF ${qualified(schema, table)}
    FOR VALUES FROM (0) TO (100) PARTITION BY LIST (id);
  CREATE TABLE ${qualified(schema, `${table}_low_all`)} PARTITION OF ${qualified(schema, `${table}_low`)} DEFAULT;
  CREATE TABLE ${qualified(schema, `${table}_high`)} PARTITION OF ${qualified(schema, table)}
    FOR VALUES FROM (100) TO (10000);
  INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g FROM generate_series(1, 200) g`;

/** 21 partitioned tables below the root, and leaves below the first and the last of them. */
const manyPartitions = ({ schema, table, column }: ContractNames) => `
  CREATE TABLE ${qualified(schema, table)} (id integer, ${ident(column)} text, PRIMARY KEY (id))
    PARTITION BY RANGE (id);
  ${Array.from({ length: 21 }, (_, n) => {
    const [node, leaf] = [`${table}_${n}`, `${table}_${n}_all`];
    const range =
      n === 9 ? "FROM (9000) TO (10000)" : `FROM (${-n * 1000}) TO (${1000 - n * 1000})`;
    return `CREATE TABLE ${qualified(schema, node)} PARTITION OF ${qualified(schema, table)}
      FOR VALUES ${range} PARTITION BY HASH (id);
    ${n === 0 || n === 9 ? `CREATE TABLE ${qualified(schema, leaf)} PARTITION OF ${qualified(schema, node)} FOR VALUES WITH (MODULUS 1, REMAINDER 0);` : ""}`;
  }).join("\n")}
  INSERT INTO ${qualified(schema, table)} SELECT g, 'x' || g FROM generate_series(1, 200) g`;

const insert = ({ schema, table, column }: ContractNames) =>
  `INSERT INTO ${qualified(schema, table)} (id, ${ident(column)}) VALUES (9999, 'born during the change')`;

contract({ name: "setNotNull", setup: plain, plan: setNotNull, insert });

contract({ name: "setNotNull on partitions", setup: partitioned, plan: setNotNull, insert });

contract({
  name: "createIndex",
  setup: plain,
  plan: ({ schema, table, column }) => createIndex({ schema, table, parts: [column] }),
  insert,
});

contract({
  name: "createIndex, unique, partial and over an expression",
  setup: plain,
  plan: ({ schema, table, column }) =>
    createIndex({
      schema,
      table,
      name: `${table} by ${column}`,
      unique: true,
      parts: [{ on: { expression: `lower(${ident(column)})` }, order: "desc", nulls: "last" }],
      include: ["other"],
      where: `${ident(column)} IS NOT NULL`,
    }),
  insert,
});

contract({
  name: "createIndex on partitions",
  setup: partitioned,
  plan: ({ schema, table, column }, facts) =>
    createIndex({ facts, schema, table, parts: [column] }),
  insert,
});

contract({
  name: "createIndex on partitions, unique and with more of them than one commit takes",
  setup: manyPartitions,
  plan: ({ schema, table, column }, facts) =>
    createIndex({
      facts,
      schema,
      table,
      name: "no two alike",
      unique: true,
      parts: ["id", { on: column, order: "desc" }],
      where: "id > 0",
    }),
  insert,
});

const people = ({ schema }: ContractNames, partitions = "") => `
  CREATE TABLE ${qualified(schema, "people")} (name text PRIMARY KEY) ${partitions};
  ${
    partitions === ""
      ? ""
      : `CREATE TABLE ${qualified(schema, "people_0")} PARTITION OF ${qualified(schema, "people")} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE ${qualified(schema, "people_1")} PARTITION OF ${qualified(schema, "people")} FOR VALUES WITH (MODULUS 2, REMAINDER 1);`
  }
  INSERT INTO ${qualified(schema, "people")} SELECT 'x' || g FROM generate_series(1, 500) g
    UNION ALL SELECT 'born during the change'`;

for (const [name, from, to] of [
  ["addForeignKey", plain, people],
  ["addForeignKey on partitions", partitioned, people],
  ["addForeignKey to partitions", plain, (names) => people(names, "PARTITION BY HASH (name)")],
  [
    "addForeignKey from partitions to partitions",
    partitioned,
    (names) => people(names, "PARTITION BY HASH (name)"),
  ],
] as const satisfies readonly (readonly [
  string,
  (names: ContractNames) => string,
  (names: ContractNames) => string,
])[])
  contract({
    name,
    setup: (names) => `${from(names)}; ${to(names)}`,
    plan: ({ schema, table, column }, facts) =>
      addForeignKey({
        facts,
        schema,
        table,
        columns: [column],
        references: { schema, table: "people", columns: ["name"] },
        onDelete: "cascade",
      }),
    insert,
    rows: true,
  });
