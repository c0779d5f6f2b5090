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
