import { integer, pgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor, Row } from "../../src/executor/executor.ts";
import { explain } from "../../src/plan/explain.ts";
import { addTenantColumn } from "../../src/recipes/add-tenant-column.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { applyThroughGates } from "../../src/testing/through-gates.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import { byRegion, common, PEOPLE, planned, SCHOOLS } from "./tenant-column-fixture.ts";

let database: TestDatabase;
let db: Executor;
beforeAll(async () => {
  database = await createTestDatabase();
  db = toExecutor(database.db);
});
afterAll(() => database.close());

const rows = (sql: string): Promise<readonly Row[]> => db.query(sql);

/** Makes tables anew and reads what there is. */
async function given(setup: string): Promise<Facts> {
  await db.query(`DROP SCHEMA IF EXISTS public, underpin CASCADE; CREATE SCHEMA public; ${setup}`);
  return readFacts(db, { schemas: ["public"] });
}

const EVERYBODY = { name: "everybody", roles: ["public"], using: "true" } as const;

describe("addTenantColumn", () => {
  it("gives old and new rows of a graph of tables their tenants, parents before children", async () => {
    const facts = await given(PEOPLE);
    const made = planned(facts, { defaultTenant: 2 });
    const fills = made.steps.filter(({ kind }) => kind === "backfill").map(({ id }) => id);
    expect(fills).toEqual(["fill:people", "fill:notes", "fill:marks"]);
    expect(await apply(db, made)).toMatchObject({ outcome: "waiting" });
    expect(
      await rows(`SELECT id FROM people WHERE school_id <> CASE region WHEN 'east' THEN 1 ELSE 2 END
        UNION ALL SELECT n.id FROM notes n JOIN people p ON p.id = n.person_id WHERE n.school_id <> p.school_id
        UNION ALL SELECT m.id FROM marks m LEFT JOIN notes n ON n.id = m.note_id
          WHERE m.school_id <> coalesce(n.school_id, 2)`),
    ).toEqual([]);

    // As a version that does not know the column.
    await db.query(`INSERT INTO people VALUES (41, 'teacher', 'east');
      INSERT INTO notes VALUES (201, 41, 'by an old version'); INSERT INTO marks VALUES (102, 201), (103, NULL);
      UPDATE notes SET person_id = 41 WHERE id = 40; UPDATE people SET region = 'east' WHERE id = 39`);
    expect(
      await rows(`SELECT 'n' || id AS id, school_id FROM notes WHERE id IN (40, 201)
        UNION ALL SELECT 'm' || id, school_id FROM marks WHERE id IN (40, 102, 103) ORDER BY 1`),
    ).toEqual([
      { id: "m102", school_id: 1 },
      { id: "m103", school_id: 2 },
      { id: "m40", school_id: 1 },
      { id: "n201", school_id: 1 },
      { id: "n40", school_id: 1 },
    ]);
    await expect(db.query("INSERT INTO notes VALUES (999, 998, 'no such person')")).rejects.toThrow(
      /notes_person_id_fkey/,
    );
    // As a version that knows it, and is wrong.
    await expect(
      db.query("INSERT INTO notes (id, person_id, school_id) VALUES (202, 41, 2)"),
    ).rejects.toThrow(/notes_school_id_person_id_fkey/);

    await confirm(db, made.name, "old-versions-gone");
    expect(await apply(db, made)).toMatchObject({ outcome: "applied" });
    await expect(db.query("INSERT INTO notes VALUES (203, 41, 'late')")).rejects.toThrow(
      /null value in column "school_id"/,
    );
    const indexes = await rows(
      "SELECT indexname AS name FROM pg_indexes WHERE indexname LIKE '%school_id%' ORDER BY 1",
    );
    expect(indexes.map(({ name }) => name)).toEqual([
      "marks_school_id_idx",
      "notes_school_id_id_key",
      "notes_school_id_idx",
      "people_school_id_id_key",
      "people_school_id_role_idx",
    ]);
    expect(await undo(db, made)).toMatchObject({ outcome: "undone" });
    expect(await rows("SELECT * FROM notes WHERE id = 201")).toEqual([
      { id: 201, person_id: 41, body: "by an old version" },
    ]);
  });

  it("can be taken back from wherever it stops", async () => {
    const facts = await given(`${PEOPLE} DELETE FROM notes WHERE id > 5;
      ALTER TABLE people ADD COLUMN school_id integer NOT NULL DEFAULT 2`);
    const made = planned(facts, { tables: ["notes"], rowSecurity: { policies: [EVERYBODY] } });
    for (const [at, step] of made.steps.entries()) {
      if (step.undo.kind === "nothing" && step.kind !== "gate") continue;
      const part = { ...made, name: `until-${at}`, steps: made.steps.slice(0, at + 1) };
      const report = await applyThroughGates(db, part, {});
      expect([report.failure, report.outcome]).toEqual([undefined, "applied"]);
      expect((await undo(db, part)).failure).toBeUndefined();
      expect(await rows("SELECT * FROM notes WHERE id = 5")).toEqual([
        { id: 5, person_id: 6, body: "x" },
      ]);
    }
  });

  it("fills by one tenant, with a session's own first", async () => {
    const facts = await given(`${SCHOOLS} CREATE TABLE terms (id integer PRIMARY KEY);
      INSERT INTO terms SELECT generate_series(1, 50)`);
    const drizzle = pgTable("terms", { id: integer("id"), school: integer("school_id") });
    const made = addTenantColumn({
      ...{ facts, ...common, table: drizzle, column: drizzle.school },
      ...{ defaultTenant: 1, setting: "app.school", index: false },
    });
    expect(made.name).toBe("add-tenant-column-public-terms-school_id");
    expect(await apply(db, made)).toMatchObject({ outcome: "waiting" });
    await db.query(
      "INSERT INTO terms VALUES (51); SET app.school = '2'; INSERT INTO terms VALUES (52); RESET app.school",
    );
    expect(await rows("SELECT * FROM terms WHERE id > 49 ORDER BY 1")).toEqual([
      { id: 50, school_id: 1 },
      { id: 51, school_id: 1 },
      { id: 52, school_id: 2 },
    ]);
  });

  it("says of which rows nobody knows the tenant, and goes on once that is mended", async () => {
    const facts = await given(PEOPLE);
    const made = planned(facts, { tables: ["marks", "notes", byRegion] });
    const report = await apply(db, made);
    expect(report).toMatchObject({ outcome: "failed", failure: { code: "rowsFailed" } });
    expect(report.failure?.message).toMatch(/1 row could not be changed.*\n\s+\(id\) = \(101\)/);
    await db.query("UPDATE marks SET school_id = 1 WHERE id = 101");
    expect(await apply(db, made)).toMatchObject({ outcome: "failed" });
  });

  it("refuses a batch whose rows are of a tenant that is not there", async () => {
    const facts = await given(PEOPLE);
    const table = { table: "people", from: { expression: "target.id % 3" } } as const;
    const report = await apply(db, planned(facts, { tables: [table], maxFailedShare: 1 }));
    expect(report.failure?.message).toMatch(/\(id\) = \(3\).*\n\s+\(id\) = \(6\)/);
    expect(await rows("SELECT id FROM people WHERE school_id NOT IN (1, 2)")).toEqual([]);
    const nobody = planned(facts, { name: "other", tables: ["people"], from: { tenant: 7 } });
    expect((await apply(db, nobody)).failure?.message).toContain(
      '{"tenant":"7","reason":"is none of the tenants"}',
    );
  });

  it("shows how rows are spread over tenants that should have them otherwise", async () => {
    const facts = await given(`${PEOPLE} INSERT INTO schools VALUES (3, 'empty')`);
    const spread = async (name: string, distribution: object) =>
      (await apply(db, planned(facts, { name, tables: [byRegion], distribution }))).failure
        ?.message;
    const everyTenant = await spread("every", { everyTenant: true });
    expect(everyTenant).toContain('[{"tenant":3,"rows":"0","percent":"0.0"}]');
    await undo(
      db,
      planned(facts, { name: "every", tables: [byRegion], distribution: { everyTenant: true } }),
    );
    await db.query("DELETE FROM people WHERE region = 'west' AND id > 10");
    const largest = await spread("largest", { largestShare: 0.7 });
    expect(largest).toContain('[{"tenant":1,"rows":"20","percent":"80.0"}]');
  });

  it("switches row security on at the end, where it is asked for", async () => {
    const facts = await given(PEOPLE);
    const policy = {
      name: "own school",
      roles: ["public"],
      using: "school_id = nullif(pg_catalog.current_setting('app.school', true), '')::integer",
    } as const;
    const made = planned(facts, { tables: [byRegion], rowSecurity: { policies: [policy] } });
    await apply(db, made);
    await confirm(db, made.name, "old-versions-gone");
    expect(await apply(db, made)).toMatchObject({ outcome: "applied" });
    expect(
      await rows("SELECT relrowsecurity AS on FROM pg_class WHERE oid = 'people'::regclass"),
    ).toEqual([{ on: true }]);
    expect(explain(made)).toContain('CREATE POLICY "own school"');
  });

  it("takes partitioned tables, tables that point at themselves, and a column that is there", async () => {
    const facts = await given(`${SCHOOLS}
      CREATE TABLE people (id integer PRIMARY KEY, school_id integer, boss integer REFERENCES people);
      CREATE TABLE visits (id integer, person_id integer NOT NULL REFERENCES people, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE visits_low PARTITION OF visits FOR VALUES FROM (0) TO (50) PARTITION BY LIST (id);
      CREATE TABLE visits_low_all PARTITION OF visits_low DEFAULT;
      CREATE TABLE visits_high PARTITION OF visits FOR VALUES FROM (50) TO (1000);
      INSERT INTO people SELECT g, CASE WHEN g < 5 THEN 2 END, 1 FROM generate_series(1, 10) g;
      INSERT INTO visits SELECT g, 1 + g % 10 FROM generate_series(1, 100) g`);
    const made = planned(facts, {
      tables: ["visits", "people"],
      defaultTenant: 1,
    });
    expect((await apply(db, made)).failure).toBeUndefined();
    await db.query("INSERT INTO visits VALUES (40 + 71, 2)");
    expect(
      await rows(`SELECT p.school_id, count(*)::int AS n FROM visits v JOIN people p ON p.id = v.person_id
        WHERE v.school_id = p.school_id GROUP BY 1 ORDER BY 1`),
    ).toEqual([
      { school_id: 1, n: 60 },
      { school_id: 2, n: 41 },
    ]);
    expect((await undo(db, made)).failure).toBeUndefined();
    expect(await rows("SELECT count(school_id)::int AS n FROM people")).toEqual([{ n: 10 }]);
  });
});

describe("LIMIT with an OFFSET that grows", () => {
  it("leaves rows without a tenant, where addTenantColumn leaves none", async () => {
    const facts = await given(`${SCHOOLS} CREATE TABLE people (id integer PRIMARY KEY, name text);
      INSERT INTO people SELECT g, 'x' FROM generate_series(1, 5000) g`);
    await db.query(`ALTER TABLE people ADD COLUMN naive_id integer;
      DO $$
      DECLARE batch_size integer := 1000; offset_val integer := 0; rows_updated integer;
      BEGIN
        LOOP
          UPDATE people SET naive_id = 1 WHERE naive_id IS NULL AND id IN (
            SELECT id FROM people WHERE naive_id IS NULL LIMIT batch_size OFFSET offset_val);
          GET DIAGNOSTICS rows_updated = ROW_COUNT;
          EXIT WHEN rows_updated = 0;
          offset_val := offset_val + batch_size;
        END LOOP;
      END $$`);
    const made = addTenantColumn({
      ...{ facts, ...common, table: "people", defaultTenant: 1 },
      ...{ batchSize: 1_000, targetMs: false, workers: 4 },
    });
    expect(await apply(db, made)).toMatchObject({ outcome: "waiting" });
    expect(
      await rows(`SELECT (count(*) FILTER (WHERE naive_id IS NULL))::int AS naive,
        (count(*) FILTER (WHERE school_id IS NULL))::int AS ours FROM people`),
    ).toEqual([{ naive: 2000, ours: 0 }]);
  });
});
