import { plan } from "../../src/plan/plan.ts";
import type { Plan, Undo } from "../../src/plan/step.ts";

/** A plan of one statement. */
export function oneStatement(sql: string, undo: string | Undo = { kind: "nothing" }): Plan {
  return plan("tried", [
    {
      kind: "sql",
      id: "change",
      title: "Change something",
      sql,
      locks: [],
      transaction: "commitAfter",
      undo:
        typeof undo === "string"
          ? { kind: "statement", sql: undo, locks: [], transaction: "commitAfter" }
          : undo,
    },
  ]);
}

/** The state before, with names that need quoting. */
export const BASE = `
CREATE SCHEMA "we""ird Schema";
SET search_path TO "we""ird Schema";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE owners (id uuid PRIMARY KEY, code text NOT NULL UNIQUE CHECK (length(code) >= 3));
CREATE TABLE "ta""ble" (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner_id uuid NOT NULL REFERENCES owners,
  size int NOT NULL CHECK (size BETWEEN 10 AND 12),
  feeling mood,
  note text
);
CREATE TABLE readings (at date NOT NULL, id int NOT NULL, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE readings_2020 PARTITION OF readings FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE readings_2021 PARTITION OF readings FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
`;

/** The table of the fixture as SQL. */
export const TABLE = `"we""ird Schema"."ta""ble"`;
