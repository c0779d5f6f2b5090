import { addTenantColumn } from "../../src/recipes/add-tenant-column.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

const of = ({ schema, table }: ContractNames) => ({
  tenants: qualified(schema, "te'nants"),
  parents: qualified(schema, `${table} above`),
  path: qualified(schema, table),
  leaf: (name: string) => qualified(schema, `${table}_${name}`),
});

contract({
  name: "addTenantColumn of a table and its parent",
  setup: (names) => {
    const { tenants, parents, path } = of(names);
    return `
      CREATE TABLE ${tenants} ("i""d" uuid PRIMARY KEY);
      CREATE TABLE ${parents} (id integer PRIMARY KEY, kind text);
      CREATE TABLE ${path} (id integer PRIMARY KEY, above integer REFERENCES ${parents} ON DELETE SET NULL, ${ident(names.column)} text);
      INSERT INTO ${tenants} SELECT md5(g::text)::uuid FROM generate_series(1, 2) g;
      INSERT INTO ${parents} SELECT g, 'k' || g % 2 FROM generate_series(1, 20) g;
      INSERT INTO ${path} SELECT g, nullif(g % 20, 0), 'x' FROM generate_series(1, 100) g`;
  },
  plan: ({ schema, table, column }, facts) =>
    addTenantColumn({
      facts,
      schema,
      column: "tenant's id",
      tenants: { schema, table: "te'nants", column: 'i"d' },
      tables: [
        { schema, table, from: "parent", index: [column] },
        {
          schema,
          table: `${table} above`,
          from: { expression: "md5(CASE kind WHEN 'k0' THEN '1' ELSE '2' END)::uuid" },
        },
      ],
      defaultTenant: "c4ca4238-a0b9-2382-0dcc-509a6f75849b",
      setting: "app.tenant",
      rowSecurity: {
        policies: [{ name: "every'one", roles: ["public"], using: "true" }],
      },
      batchSize: 40,
    }),
  rows: true,
  insert: (names) =>
    `INSERT INTO ${of(names).path} (id, "tenant's id") VALUES (9999, 'c4ca4238-a0b9-2382-0dcc-509a6f75849b')`,
});

contract({
  name: "addTenantColumn of partitions",
  setup: (names) => {
    const { tenants, parents, path, leaf } = of(names);
    return `
      CREATE TABLE ${tenants} (id integer PRIMARY KEY);
      CREATE TABLE ${parents} (id integer PRIMARY KEY, tenant_id integer NOT NULL);
      CREATE TABLE ${path} (id integer PRIMARY KEY, above integer NOT NULL REFERENCES ${parents}) PARTITION BY RANGE (id);
      CREATE TABLE ${leaf("low")} PARTITION OF ${path} FOR VALUES FROM (0) TO (50);
      CREATE TABLE ${leaf("high")} PARTITION OF ${path} FOR VALUES FROM (50) TO (10000);
      INSERT INTO ${tenants} SELECT generate_series(1, 2);
      INSERT INTO ${parents} SELECT g, 1 + g % 2 FROM generate_series(0, 9) g;
      INSERT INTO ${path} SELECT g, g % 10 FROM generate_series(1, 100) g`;
  },
  plan: ({ schema, table }, facts) =>
    addTenantColumn({
      ...{ facts, schema, table, from: "parent" },
      tenants: { table: "te'nants", column: "id" },
    }),
  rows: true,
  insert: (names) => `INSERT INTO ${of(names).path} (id, above, tenant_id) VALUES (9999, 1, 2)`,
});
