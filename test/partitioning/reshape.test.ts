import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { dropReplaced } from "../../src/partitioning/drop-replaced.ts";
import { mergePartitions } from "../../src/partitioning/merge-partitions.ts";
import { splitPartition } from "../../src/partitioning/split-partition.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { casesOn } from "../support/matrix.ts";
import { onEngines } from "../support/server.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

const NAME = `we"ird Schema`;
const JANUARY = "read_prog_p1_site_s1_2026_01";
const FEBRUARY = "read_prog_p1_site_s1_2026_02";

onEngines("Partitions under traffic", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: [NAME] });
  const rows = async (of = "readings") => {
    const [row] = await db().query<{ rows: string }>(
      `SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') AS rows FROM ${schema}."${of}"`,
    );
    return row?.rows ?? "";
  };
  const write = (value: number, day: string) =>
    db().query(
      `INSERT INTO ${schema}.readings (program_id, site_id, created_at, value) VALUES ('p1', 's1', '${day}', ${value})`,
    );
  const split = async () =>
    splitPartition({
      facts: await facts(),
      scheme: nested,
      partition: JANUARY,
      at: ["2026-01-11 00:00:00+00", "2026-01-21 00:00:00+00"],
    });
  const merge = async () =>
    mergePartitions({
      facts: await facts(),
      scheme: nested,
      partitions: [JANUARY, FEBRUARY],
    });
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };

  beforeEach(async () => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; ${setup()}`,
    );
    await db().query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db().query(`SELECT ${schema}.provision_readings('p1', 's1', '2026-01-01', '2026-02-01')`);
    for (const [value, day] of [
      [1, "2026-01-01"],
      [2, "2026-01-11"],
      [3, "2026-01-31"],
      [4, "2026-02-02"],
    ] as const)
      await write(value, day);
  });

  it("are split, each row in its part and in every query once", async () => {
    await applied(await split());
    expect(await rows()).toBe("1,2,3,4");
    expect([
      await rows(`${JANUARY}_1`),
      await rows(`${JANUARY}_2`),
      await rows(`${JANUARY}_3`),
    ]).toEqual(["1", "2", "3"]);
  });

  it("are split, although rows go meanwhile with what they refer to", async () => {
    const plan = await split();
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "catch-up") stop.abort();
      },
    });
    await db().query(`DELETE FROM ${schema}.readings; DELETE FROM ${schema}.programs`);
    await applied(plan);
    expect(await rows()).toBe("");
  });

  it("are merged", async () => {
    await applied(await merge());
    expect(await rows()).toBe("1,2,3,4");
    expect(await rows(`${JANUARY}_merged`)).toBe("1,2,3,4");
  });

  describe.each([
    ["split", split],
    ["merged", merge],
  ] as const)("that are %s", (_, make) => {
    it("come back with every row that was written, changed and deleted meanwhile, and the catalog as it was", async () => {
      const plan = await make();
      const before = canonical(await facts());
      await applied(plan);
      await write(9, "2026-01-15");
      await db().query(
        `UPDATE ${schema}.readings SET value = 7, created_at = '2026-01-25' WHERE value = 1`,
      );
      await db().query(`DELETE FROM ${schema}.readings WHERE value = 3`);
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await rows()).toBe("2,4,7,9");
      expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    });

    it("are dropped for good once nobody wants them back", async () => {
      const plan = await make();
      await applied(plan);
      await applied(dropReplaced({ scheme: nested, plan, partition: JANUARY }));
      expect(await rows()).toBe("1,2,3,4");
      const { tables, constraints } = await facts();
      expect(tables.filter(({ name }) => name.includes("reshape") || name === JANUARY)).toEqual([]);
      expect(constraints.filter(({ name }) => name.includes("reshape"))).toEqual([]);
    });
  });

  it("are as before, from wherever a split was stopped, with a write in between", async () => {
    const plan = await split();
    const before = canonical(await facts());
    let next = 10;
    const moments = plan.steps.slice(1).map((_, index) => index + 1);
    for (const steps of casesOn(engine, moments)) {
      const stop = new AbortController();
      let done = 0;
      const onEvent = ({ type }: { readonly type: string }) => {
        if (type === "stepApplied" && ++done === steps) stop.abort();
      };
      const some = () => apply(engine.db(), plan, { signal: stop.signal, onEvent });
      const expected = `${await rows()},${next}`;
      await some();
      await write(next++, "2026-01-12");
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await rows()).toBe(expected);
      expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    }
  });

  it("are left alone where it cannot be done", async () => {
    const known = await facts();
    const of = (partition: string, at: readonly [string, ...string[]]) => () =>
      splitPartition({ facts: known, scheme: nested, partition, at });
    expect(of("readings", ["x"])).toThrow(/is no partition by range or list/);
    expect(() =>
      mergePartitions({ facts: known, scheme: nested, partitions: [JANUARY, JANUARY] as never }),
    ).toThrow(/two or more partitions/);
  });

  describe("whose rows other tables refer to", () => {
    const refer = (to: string) =>
      db().query(`DROP SCHEMA IF EXISTS elsewhere CASCADE; CREATE SCHEMA elsewhere;
        CREATE TABLE elsewhere.notes (p text, s text, at timestamptz, id uuid,
          CONSTRAINT note_of FOREIGN KEY (p, s, at, id) REFERENCES ${schema}."${to}");
        INSERT INTO elsewhere.notes SELECT program_id, site_id, created_at, reading_id FROM ${schema}."${to}" WHERE value = 1`);

    it.each(["readings", JANUARY])("are left alone, with a remedy: by %s", async (to) => {
      await refer(to);
      const known = await readFacts(engine.db(), { schemas: [NAME, "elsewhere"] });
      expect(() =>
        splitPartition({ facts: known, scheme: nested, partition: JANUARY, at: ["2026-01-11"] }),
      ).toThrow(/"elsewhere"\."notes" refers to the rows by note_of/);
      await db().query("DROP SCHEMA elsewhere CASCADE");
    });

    it("are left alone where the key is in a schema that nobody read, or came later", async () => {
      const plan = await split();
      const before = canonical(await facts());
      await refer("readings");
      const report = await apply(engine.db(), plan);
      expect(report).toMatchObject({ outcome: "failed", failure: { code: "checkFailed" } });
      expect(report.failure?.message).toMatch(/note_of.*addForeignKey/);
      expect(await rows()).toBe("1,2,3,4");
      await db().query("DROP SCHEMA elsewhere CASCADE");
      expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    });
  });
});
