import { expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { lint } from "../../src/migrations/lint/lint.ts";
import { onServers } from "../support/server.ts";

/** What an older server refuses and 18 takes, each with what must be there before. */
const NEWER: readonly (readonly [since: 16 | 17 | 18, sql: string])[] = [
  [18, "CREATE TABLE v (a integer, b integer GENERATED ALWAYS AS (a + 1) VIRTUAL)"],
  [18, "CREATE TABLE v (a integer, b integer GENERATED ALWAYS AS (a + 1))"],
  [18, "ALTER TABLE plain ADD CONSTRAINT filled NOT NULL a NOT VALID"],
  [18, "CREATE TABLE v (a integer, CONSTRAINT filled NOT NULL a)"],
  [18, "ALTER TABLE parted ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES keyed NOT VALID"],
  [18, "ALTER TABLE plain ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED"],
  [18, "CREATE TABLE v (a integer CHECK (a > 0) NOT ENFORCED)"],
  [18, "INSERT INTO plain VALUES (1) RETURNING new.a"],
  [18, "UPDATE plain SET a = 2 RETURNING old.a, new.a"],
  [18, "UPDATE plain SET a = 2 RETURNING WITH (OLD AS o) o.a"],
  [18, "ANALYZE ONLY plain"],
  [18, "SELECT uuidv7()"],
  [18, "SELECT casefold('A')"],
  [17, "ALTER TABLE computed ALTER COLUMN b SET EXPRESSION AS (a + 2)"],
  [17, "MERGE INTO plain p USING keyed k ON p.a = k.id WHEN NOT MATCHED BY SOURCE THEN DELETE"],
  [17, "MERGE INTO plain p USING keyed k ON p.a = k.id WHEN MATCHED THEN DELETE RETURNING p.a"],
  [17, "SELECT JSON_VALUE('1', '$')"],
  [17, "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')) AS j"],
  [17, "SELECT JSON_SCALAR(1)"],
  [17, "GRANT MAINTAIN ON plain TO PUBLIC"],
  [17, "SET transaction_timeout = '1min'"],
  [17, "CREATE TABLE v (a integer, EXCLUDE USING btree (a WITH =)) PARTITION BY RANGE (a)"],
  [17, "SELECT to_bin(5)"],
  [16, "SELECT JSON_OBJECT('a': 1)"],
  [16, "SELECT JSON_ARRAYAGG(a) FROM plain"],
  [16, "SELECT '1' IS JSON"],
  [16, "SELECT * FROM (SELECT 1)"],
  [16, "SELECT 1_000"],
  [16, "SELECT 0xff + 1"],
  [16, "CREATE STATISTICS ON a, b FROM computed"],
  [16, "CREATE TABLE v (a text STORAGE EXTERNAL)"],
  [16, "ALTER TABLE plain ALTER COLUMN a SET STORAGE DEFAULT"],
  [16, "SELECT SYSTEM_USER"],
  [16, "SELECT any_value(a) FROM plain"],
];

const SETUP = `CREATE TABLE plain (a integer); CREATE TABLE keyed (id integer PRIMARY KEY);
  CREATE TABLE computed (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED);
  CREATE TABLE parted (a integer) PARTITION BY RANGE (a)`;

onServers("the table of versions", (server) => {
  it("finds what this server refuses, and nothing that it takes", async () => {
    const sql = server.sql();
    await sql.unsafe(SETUP);
    const facts = await readFacts(sql);
    const postgres = facts.server.major === 15 ? 15 : 18;
    for (const [since, statement] of NEWER) {
      const outcome = await sql
        .begin(async (tx) => {
          await tx.unsafe(statement);
          throw new Error("taken");
        })
        .catch((error: Error) => error.message);
      const found = (await lint(statement, { facts, postgres })).filter(
        ({ check }) => check === "newer-postgres",
      );
      const isRefused = since > facts.server.major;
      expect([statement, outcome === "taken"]).toEqual([statement, !isRefused]);
      expect([statement, found.length > 0]).toEqual([statement, isRefused]);
    }
  });
});
