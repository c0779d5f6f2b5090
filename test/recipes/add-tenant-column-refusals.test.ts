import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import { byRegion, PEOPLE, planned } from "./tenant-column-fixture.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

describe("addTenantColumn refuses by name", () => {
  const CASES: readonly (readonly [string, string, object, string])[] = [
    [
      "no source",
      "",
      { from: undefined, tables: ["people"] },
      'nothing says whose the rows of "public"."people" are',
    ],
    ["no parent", "", { tables: ["people"] }, "no foreign key of"],
    [
      "two parents",
      "ALTER TABLE notes ADD COLUMN reader integer REFERENCES people",
      {},
      'several foreign keys of "public"."notes" could lead to its tenants: notes_person_id_fkey (person_id) and notes_reader_fkey (reader)',
    ],
    [
      "a deferrable foreign key",
      "ALTER TABLE notes ALTER CONSTRAINT notes_person_id_fkey DEFERRABLE",
      {},
      'the foreign key notes_person_id_fkey of "public"."notes" is deferrable',
    ],
    [
      "tables that would fill each other",
      "ALTER TABLE people ADD COLUMN note_id integer REFERENCES notes",
      { tables: ["notes", "people"] },
      '"public"."notes" → "public"."people" → "public"."notes" would get their tenants from each other',
    ],
    [
      "a table that would fill itself",
      "ALTER TABLE people ADD COLUMN boss integer REFERENCES people",
      { tables: [{ table: "people", from: { parent: "people" } }] },
      "cannot get its tenants from itself",
    ],
    [
      "a table without a key",
      "CREATE TABLE loose (id integer)",
      { tables: ["loose"], from: { tenant: 1 } },
      '"public"."loose" has no key to go through its rows by',
    ],
    [
      "a column of another type",
      "ALTER TABLE people ADD COLUMN school_id text",
      {},
      "has a column school_id already, of the type text, and tenants are known by integer",
    ],
    [
      "a column that is NOT NULL already",
      "ALTER TABLE people ADD COLUMN school_id integer NOT NULL DEFAULT 1",
      {},
      "has a column school_id already, and it is NOT NULL",
    ],
    [
      "a partition",
      "CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT",
      { tables: ["p1"], from: { tenant: 1 } },
      'is a partition of "public"."p"',
    ],
    [
      "a table with children",
      "CREATE TABLE child () INHERITS (people)",
      {},
      '"public"."child" inherits from it',
    ],
    ["a table twice", "", { tables: ["people", "people"] }, "is given twice"],
    ["no table", "", { tables: [] }, "no table is given"],
    ["the tenants themselves", "", { tables: ["schools"] }, "is the table of tenants itself"],
    [
      "tenants that are not unique",
      "",
      { tenants: { table: "schools", column: "name" } },
      'name of "public"."schools" is not unique',
    ],
    [
      "a parent that no foreign key leads to",
      "",
      { tables: [{ table: "people", from: { parent: "notes" } }, "notes"] },
      '"public"."people" has no foreign key to "public"."notes"',
    ],
    [
      "sameTenant without a parent",
      "",
      { tables: [{ ...byRegion, sameTenant: true }] },
      "get their tenant from no parent",
    ],
  ];

  it.each(CASES)("%s", async (_what, setup, more, message) => {
    await database.executor.query(
      `DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; ${PEOPLE} ${setup}`,
    );
    const facts = await readFacts(database.db, { schemas: ["public"] });
    expect(() => planned(facts, more)).toThrow(message);
  });
});
