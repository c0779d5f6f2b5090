import { beforeEach, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Plan } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines, type TestEngine } from "../support/server.ts";

const setup = `
  DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.logs (id int, at int, note text) PARTITION BY LIST (id);
  CREATE TABLE app.logs_1 PARTITION OF app.logs FOR VALUES IN (1) PARTITION BY RANGE (at);
  CREATE TABLE app.logs_1_a PARTITION OF app.logs_1 FOR VALUES FROM (0) TO (10);
  CREATE TABLE app.logs_1_d PARTITION OF app.logs_1 DEFAULT;
  CREATE TABLE app.logs_2 PARTITION OF app.logs FOR VALUES IN (2);
  INSERT INTO app.logs SELECT 1 + g % 2, g, 'x' FROM generate_series(1, 100) g`;

const indexes = (engine: TestEngine) =>
  toExecutor(engine.db()).query<{ name: string; valid: string; part: string }>(
    `SELECT c.relname::text AS name, i.indisvalid::text AS valid, c.relispartition::text AS part
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'app'::regnamespace ORDER BY 1`,
  );

/** Applies a plan and stops when the step of this number is applied. */
async function applySome(engine: TestEngine, plan: Plan, steps: number) {
  const stop = new AbortController();
  let applied = 0;
  const onEvent = ({ type }: { readonly type: string }) => {
    if (type === "stepApplied" && ++applied === steps) stop.abort();
  };
  return apply(engine.db(), plan, { signal: stop.signal, onEvent });
}

onEngines("An index of a partitioned table", (engine) => {
  let plan: Plan;
  beforeEach(async () => {
    await toExecutor(engine.db()).query(setup);
    const facts = await readFacts(engine.db(), { schemas: ["app"] });
    plan = createIndex({ facts, schema: "app", table: "logs", parts: ["at"] });
  });

  it("is valid with a part for every leaf, named as PostgreSQL names them", async () => {
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
    expect(await indexes(engine)).toEqual(
      ["logs_1_a_at_idx", "logs_1_at_idx", "logs_1_d_at_idx", "logs_2_at_idx", "logs_at_idx"].map(
        (name) => ({ name, valid: "true", part: String(name !== "logs_at_idx") }),
      ),
    );
  });

  it("includes partitions that come while it is built", async () => {
    await applySome(engine, plan, 3);
    await toExecutor(engine.db()).query(
      `CREATE TABLE app.logs_3 PARTITION OF app.logs FOR VALUES IN (3);
       CREATE TABLE app.loose (LIKE app.logs); ALTER TABLE app.logs_1 ATTACH PARTITION app.loose FOR VALUES FROM (200) TO (300)`,
    );
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
    expect((await indexes(engine)).map(({ valid }) => valid)).toEqual(Array(7).fill("true"));
  });

  it("forgets no partition that came after the facts were read", async () => {
    await toExecutor(engine.db()).query(
      `CREATE TABLE app.logs_3 PARTITION OF app.logs FOR VALUES IN (3)`,
    );
    const report = await apply(engine.db(), plan);
    expect(report).toMatchObject({ outcome: "failed" });
    expect(report.failure?.message).toMatch(/logs_3.*came after the facts/);
    expect(await indexes(engine)).toEqual([]);
  });

  it("is whole, or gone, from wherever it was stopped", async () => {
    for (let steps = 1; steps < plan.steps.length; steps++) {
      await applySome(engine, plan, steps);
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await indexes(engine)).toEqual([]);
      await applySome(engine, plan, steps);
      expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
      expect((await indexes(engine)).every(({ valid }) => valid === "true")).toBe(true);
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await indexes(engine)).toEqual([]);
    }
  });

  it("is not asked to be unique without the columns that say which partition a row is in", async () => {
    const facts = await readFacts(engine.db(), { schemas: ["app"] });
    const unique = { facts, schema: "app", table: "logs", unique: true } as const;
    expect(() => createIndex({ ...unique, parts: ["id", "note"] })).toThrow(/at is missing/);
    expect(createIndex({ ...unique, parts: ["id", "at"] }).steps.length).toBe(7);
  });
});
