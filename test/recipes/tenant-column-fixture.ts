import type { Facts } from "../../src/catalog/read-facts.ts";
import { addTenantColumn } from "../../src/recipes/add-tenant-column.ts";

/** Two tenants. */
export const SCHOOLS = `CREATE TABLE schools (id integer PRIMARY KEY, name text);
  INSERT INTO schools VALUES (1, 'first'), (2, 'second');`;
/** With tables that hang on each other. */
export const PEOPLE = `${SCHOOLS}
  CREATE TABLE people (id integer PRIMARY KEY, role text NOT NULL, region text);
  CREATE TABLE notes (id integer PRIMARY KEY, person_id integer NOT NULL REFERENCES people ON DELETE CASCADE, body text);
  CREATE TABLE marks (id integer PRIMARY KEY, note_id integer REFERENCES notes ON DELETE SET NULL);
  INSERT INTO people SELECT g, 'student', CASE g % 2 WHEN 0 THEN 'east' ELSE 'west' END FROM generate_series(1, 40) g;
  INSERT INTO notes SELECT g, 1 + g % 40, 'x' FROM generate_series(1, 200) g;
  INSERT INTO marks SELECT g, g FROM generate_series(1, 100) g; INSERT INTO marks VALUES (101, NULL);`;

export const common = {
  column: "school_id",
  tenants: { table: "schools", column: "id" },
  batchSize: 30,
} as const;
export const byRegion = {
  table: "people",
  from: { expression: "CASE target.region WHEN 'east' THEN 1 ELSE 2 END" },
  index: ["role"],
} as const;
const school = { ...common, tables: ["marks", "notes", byRegion], from: "parent" } as const;

/** The plan of all three tables, or of what is said otherwise. */
export const planned = (facts: Facts, more: object): ReturnType<typeof addTenantColumn> =>
  addTenantColumn({ facts, ...school, ...more });
