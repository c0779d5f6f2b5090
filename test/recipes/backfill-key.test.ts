import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { keyOf } from "../../src/recipes/backfill-key.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";

const schema = 'we"ird Schema';

const setup = `
  CREATE SCHEMA "we""ird Schema"; SET search_path = "we""ird Schema";
  CREATE TABLE by_primary_key (a text NOT NULL UNIQUE, tenant integer, id uuid, PRIMARY KEY (tenant, id));
  CREATE TABLE by_unique_index (wide integer NOT NULL, "ot'her" bigint NOT NULL, code varchar(9) NOT NULL UNIQUE);
  CREATE UNIQUE INDEX ON by_unique_index (wide, "ot'her");
  CREATE TABLE nullable (id integer UNIQUE);
  CREATE TABLE not_proven (id integer UNIQUE);
  ALTER TABLE not_proven ADD CONSTRAINT filled NOT NULL id NOT VALID;
  CREATE TABLE partly (id integer NOT NULL);
  CREATE UNIQUE INDEX ON partly (id) WHERE id > 0;
  CREATE TABLE by_expression (id integer NOT NULL);
  CREATE UNIQUE INDEX ON by_expression ((id + 1));
  CREATE COLLATION whatever_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TABLE sorts_otherwise (code text COLLATE whatever_case NOT NULL);
  CREATE UNIQUE INDEX ON sorts_otherwise (code COLLATE "C");
  CREATE TABLE by_name (code name PRIMARY KEY);
  CREATE TABLE parents (id integer PRIMARY KEY);
  CREATE TABLE heirs () INHERITS (parents);
  CREATE TABLE parted (id integer PRIMARY KEY) PARTITION BY HASH (id);
  RESET search_path`;

describe("the key of a backfill", () => {
  let database: TestDatabase;
  let facts: Facts;
  beforeAll(async () => {
    database = await createTestDatabase({ setup });
    facts = await readFacts(database.db, { schemas: [schema] });
  });
  afterAll(() => database.close());

  it.each([
    [
      "by_primary_key",
      [
        { name: "tenant", type: "integer" },
        { name: "id", type: "uuid" },
      ],
    ],
    ["by_unique_index", [{ name: "code", type: "character varying(9)" }]],
    ["by_name", [{ name: "code", type: "name" }]],
    ["parted", [{ name: "id", type: "integer" }]],
  ])("of %s is the primary key, or the narrowest unique index without NULL", (name, key) => {
    expect(keyOf(facts, { schema, name })).toEqual(key);
  });

  it.each(["nullable", "not_proven", "partly", "by_expression", "sorts_otherwise", "parents"])(
    "of %s is refused by its name",
    (name) => {
      expect(() => keyOf(facts, { schema, name })).toThrow(
        `"we""ird Schema"."${name}" has no key to go through its rows by`,
      );
    },
  );

  it("of a table that the facts do not hold is refused", () => {
    expect(() => keyOf(facts, { schema: "public", name: "elsewhere" })).toThrow(
      'the facts hold no table "public"."elsewhere"',
    );
  });
});
