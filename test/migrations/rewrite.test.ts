import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { lint } from "../../src/migrations/lint/lint.ts";
import { rewriteOnline } from "../../src/migrations/rewrite/rewrite-online.ts";
import type { Plan } from "../../src/plan/step.ts";
import { ident } from "../../src/sql/quote.ts";
import { measureRun } from "../../src/testing/expect-locks.ts";
import { mustBeAsBefore } from "../../src/testing/expect-reversible.ts";
import { onEngines } from "../support/server.ts";
import { SCRIPTS, setupOf, worldIn } from "./rewrite-world.ts";

/** Up to the gate behind which something is destroyed. */
function reversible(plan: Plan): Plan {
  const last = plan.steps.findIndex(({ undo }) => undo.kind === "irreversible");
  if (last === -1) return plan;
  const gate = plan.steps.findLastIndex(({ kind }, at) => kind === "gate" && at < last);
  return { ...plan, steps: plan.steps.slice(0, gate === -1 ? last : gate) };
}

/** A count may be declared too high: which indexes a query locks is for the planner to say. */
function isTooFew(problem: string): boolean {
  // DETACH CONCURRENTLY lets go of its locks while it waits; `maintain` has them measured.
  if (problem.includes("-detach:") && problem.endsWith("measured nothing")) return false;
  const [, declared, measured] = /declared (\d+) locks, measured (\d+)$/.exec(problem) ?? [];
  return declared === undefined || Number(declared) < Number(measured);
}

onEngines("rewriteOnline", (engine) => {
  const world = worldIn(`we"ird Schema`);
  const inSchema = (facts: Facts) =>
    JSON.parse(JSON.stringify(canonical(facts))) as ReturnType<typeof canonical>;
  let facts: Facts;

  beforeEach(async () => {
    const db = toExecutor(engine.db());
    await db.query(`DROP SCHEMA IF EXISTS ${ident(world.schema)} CASCADE`);
    await db.query(`DROP SCHEMA IF EXISTS underpin CASCADE`);
    for (const statement of setupOf(world).split(";\n")) await db.query(statement);
    facts = await readFacts(db, { schemas: [world.schema] });
  }, 60_000);

  it.each(SCRIPTS)(
    "makes %s online: locks as declared, and the way back to what was",
    async (_, sql, rules) => {
      const db = toExecutor(engine.db());
      const { plan, findings } = await rewriteOnline(sql(world), facts);
      expect(findings.map(({ check }) => check)).toEqual(rules);
      const found = await lint(plan, { facts });
      expect(found.filter(({ severity }) => severity === "error")).toEqual([]);
      const tried = reversible(plan);
      if (tried.steps.length === 0) return;
      const applied = await measureRun(db, tried, "apply", {});
      expect(applied.problems.filter(isTooFew)).toEqual([]);
      const between = inSchema(await readFacts(db, { schemas: [world.schema] }));
      const undone = await measureRun(db, tried, "undo", {});
      expect(undone.problems.filter(isTooFew)).toEqual([]);
      const after = inSchema(await readFacts(db, { schemas: [world.schema] }));
      // What REINDEX does is seen in no catalog.
      if (JSON.stringify(between) === JSON.stringify(inSchema(facts)))
        expect(after).toEqual(inSchema(facts));
      else mustBeAsBefore(tried, inSchema(facts), between, after);
    },
    120_000,
  );
});

describe("a script that no plan can hold", () => {
  it.each([
    ["a syntax error", "SELECT 1;\nALTER TABEL users ADD a text", "2:7 syntax-error"],
    ["a command of psql", "\\c other\nSELECT 1", "1:1 psql-command"],
    ["a search_path", "SET search_path = app; CREATE TABLE t ()", "1:1 session-setting"],
    ["set_config", "SELECT pg_catalog.set_config('search_path', '', false)", "session-setting"],
    [
      "DISABLE ROW LEVEL SECURITY",
      "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
      "disable-row-security",
    ],
    ["a parameter", "ALTER TABLE t ALTER a SET DEFAULT $1", "parameter"],
    ["COPY", "COPY t FROM STDIN", "copy-data"],
    ["a temporary table", "CREATE TEMP TABLE t (a text)", "session-setting"],
    ["VACUUM FULL", "VACUUM FULL t", "rewrite-table"],
    ["ROLLBACK", "BEGIN; DROP TABLE t; ROLLBACK", "session-setting"],
    ["what is not understood", "CREATE CAST (text AS integer) WITH INOUT", "not-understood"],
    [
      "an allowance without a reason",
      "-- underpin-lint: allow drop-table\nDROP TABLE t",
      "allow-without-reason",
    ],
    ["no statement", "-- nothing", "no statement"],
  ])("is refused with its place: %s", async (_, sql, message) => {
    await expect(rewriteOnline(sql)).rejects.toThrow(message);
  });
});

describe("without facts", () => {
  it.each([
    ["ALTER TABLE t ALTER a TYPE bigint", "change-type"],
    ["ALTER TABLE t DROP COLUMN a", "drop-column"],
    ["ALTER TABLE t ADD PRIMARY KEY (a)", "add-primary-key"],
    ["ALTER TABLE t RENAME a TO b", "rename-column"],
    ["ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()", "add-column-rewrite"],
    ["UPDATE t SET a = 1 WHERE a IS NULL", "unbatched-write"],
    ["REFRESH MATERIALIZED VIEW t", "refresh-view"],
    ["DELETE FROM t", "unbatched-write"],
    ["DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", "dynamic-sql"],
  ])("what needs them stands behind a gate: %s", async (sql, rule) => {
    const { plan, findings } = await rewriteOnline(sql);
    expect(findings.map(({ check }) => check)).toContain(rule);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["gate", "sql"]);
  });

  it("what is the same for all tables is made online, and a partitioned one refused by a check", async () => {
    const { plan } = await rewriteOnline(`CREATE INDEX i ON t (a); DROP INDEX j;
      ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id), ALTER b SET NOT NULL`);
    expect(plan.steps.some(({ kind }) => kind === "gate")).toBe(false);
    expect(plan.steps.filter(({ id }) => id.endsWith("is-plain-table"))).toHaveLength(2);
  });

  it("what is allowed is taken over as it is", async () => {
    const { plan, findings } = await rewriteOnline(
      "CREATE INDEX i ON t (a); -- underpin-lint: allow create-index because t is empty",
    );
    expect(findings).toEqual([]);
    expect(plan.steps).toMatchObject([
      { sql: "CREATE INDEX i ON t (a)", transaction: "commitAfter" },
    ]);
  });
});
