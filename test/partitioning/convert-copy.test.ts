import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import type { LockMode } from "../../src/plan/lock.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { measureRun } from "../../src/testing/expect-locks.ts";
import { casesOn } from "../support/matrix.ts";
import { onEngines } from "../support/server.ts";
import { BESIDE, NAMES, plainSetup, ROWS, scheme, TABLE } from "./convert-fixture.ts";
import { schema } from "./scheme-fixture.ts";

/** Beside the weak locks of the catch-up. */
const PARTITION_LOCKS: Readonly<Record<"apply" | "undo", readonly LockMode[]>> = {
  apply: ["accessShare", "rowExclusive", "shareRowExclusive"],
  undo: ["accessShare", "rowExclusive", "accessExclusive"],
};

onEngines("A plain table that becomes a partitioned one", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: NAMES });
  const rows = async (of = TABLE) => {
    const [row] = await db().query<{ rows: string }>(
      `SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') AS rows FROM ${of}`,
    );
    return row?.rows ?? "";
  };
  const write = (value: number, day: string, site = "s1", program = "p1") =>
    db().query(
      `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('${program}', '${site}', '${day}', ${value})`,
    );
  const convert = async (): Promise<Plan> =>
    convertToPartitioned({
      facts: await facts(),
      scheme,
      strategy: "copy",
      uniques: { "a number": "index" },
      incoming: { note_of: ["program_id", "site_id", "created_at", "reading"] },
    });
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };

  beforeEach(async () => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS elsewhere CASCADE;
       ${plainSetup()}; ${BESIDE}; ${ROWS}`,
    );
  });

  it("has its rows, and all that a table may have beside them", async () => {
    const [numbered] = await db().query<{ n: string }>(`SELECT max(n)::text AS n FROM ${TABLE}`);
    await applied(await convert());
    expect(await rows()).toBe("1,2,3,10,20,30");
    expect(await rows("elsewhere.high")).toBe("20,30");
    expect(await rows("elsewhere.higher")).toBe("30");
    expect(await rows("elsewhere.counts")).toBe("6,60");
    const after = await facts();
    expect(after.tables.find(({ name }) => name === "readings")).toMatchObject({
      kind: "partitionedTable",
      comment: "readings",
      rowSecurity: true,
      forceRowSecurity: true,
    });
    const names = (list: readonly { readonly name: string; readonly table?: string }[]) =>
      list.flatMap(({ name, table }) => (table === "readings" ? [name] : [])).sort();
    expect(names(after.indexes)).toEqual([
      "a number",
      "one % value",
      "readings_pkey",
      "readings_value_idx",
    ]);
    expect(after.indexes.find(({ name }) => name === "readings_pkey")?.options).toEqual([
      "fillfactor=70",
    ]);
    expect(names(after.policies)).toEqual(["floor", "reads"]);
    expect(names(after.triggers).filter((name) => !name.startsWith("zz_"))).toEqual([
      "asleep",
      "tells",
    ]);
    for (const [table, name] of [
      ["readings", "readings_pkey"],
      ["readings", "readings_program_fkey"],
      ["notes", "note_of"],
    ])
      expect(
        after.constraints.find((each) => each.table === table && each.name === name),
      ).toMatchObject({ validated: true, comment: expect.any(String) as string });
    expect(
      after.columns.find(({ table, name }) => table === "readings" && name === "value"),
    ).toMatchObject({ comment: "a value", statisticsTarget: 500 });
    expect(
      after.grants.filter(({ name, grantee }) => name === "readings" && grantee === "parts_reader"),
    ).toEqual([
      expect.objectContaining({ on: "column", detail: "value", grantable: ["UPDATE"] }),
      expect.objectContaining({ on: "relation", privileges: ["SELECT"] }),
    ]);
    const leaves = after.tables.filter(({ name }) => name.startsWith("read_prog_p1_site_s1_2026"));
    expect(leaves.length).toBeGreaterThan(1);
    for (const leaf of leaves)
      expect(leaf).toMatchObject({
        rowSecurity: true,
        forceRowSecurity: true,
        options: ["fillfactor=90", "autovacuum_vacuum_scale_factor=0.05"],
      });
    // Numbers go on where they were, and the functions of the scheme make what comes next.
    await db().query(
      `SELECT ${schema}.provision_readings('p2', 'new', '2031-01-01', '2031-01-01')`,
    );
    await write(99, "2031-01-01", "new", "p2");
    const [next] = await db().query<{ n: string; number: string; twice: number }>(
      `SELECT n::text, number::text, twice FROM ${TABLE} WHERE value = 99`,
    );
    expect(Number(next?.n)).toBeGreaterThan(Number(numbered?.n));
    expect(Number(next?.number)).toBe(7);
    await db().query("REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.counted");
    expect(await rows("elsewhere.counts")).toBe("6,60,99");
    expect(next?.twice).toBe(198);
  });

  it("takes the locks that it declares, and of partitions that it made none that is stronger", async () => {
    const plan = await convert();
    for (const direction of ["apply", "undo"] as const) {
      const { steps, problems } = await measureRun(db(), plan, direction, {});
      // What it made meanwhile has no name in the plan.
      expect(problems.filter((each) => !/read_prog_|declared \d+ locks/.test(each))).toEqual([]);
      for (const { step, locks } of steps)
        for (const { name, mode } of locks)
          if (name.startsWith("read_prog_"))
            expect({ step, mode, allowed: PARTITION_LOCKS[direction].includes(mode) }).toEqual({
              step,
              mode,
              allowed: true,
            });
    }
  });

  it("comes back with every row that was written, changed and deleted meanwhile, and the catalog as it was", async () => {
    const before = canonical(await facts());
    const plan = await convert();
    await applied(plan);
    await write(9, "2026-01-15");
    await db().query(
      `UPDATE ${TABLE} SET value = 7, created_at = '2026-02-25' WHERE value = 1; DELETE FROM ${TABLE} WHERE value IN (3, 20)`,
    );
    expect(await rows(`(SELECT count(*) AS value FROM elsewhere.notes) AS n`)).toBe("0");
    const told = await rows(`(SELECT count(*) AS value FROM ${schema}.seen) AS s`);
    const report = await undo(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("undone");
    expect(await rows()).toBe("2,7,9,10,30");
    expect(await rows(`(SELECT count(*) AS value FROM ${schema}.seen) AS s`)).toBe(told);
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
  });

  it("is as before, from wherever it was stopped, with a write in between", async () => {
    const plan = await convert();
    const before = canonical(await facts());
    let next = 100;
    const moments = plan.steps.map((_, at) => at).slice(1);
    for (const steps of casesOn(engine, moments)) {
      const stop = new AbortController();
      let done = 0;
      const onEvent = ({ type }: { readonly type: string }) => {
        if (type === "stepApplied" && ++done === steps) stop.abort();
      };
      const expected = `${await rows()},${next}`;
      const { failure } = await apply(engine.db(), plan, { signal: stop.signal, onEvent });
      expect(failure?.code).not.toBe("checkFailed");
      expect(done).toBe(steps);
      await write(next++, "2026-01-12");
      const report = await undo(engine.db(), plan);
      expect(report.failure).toBeUndefined();
      expect(await rows()).toBe(expected);
      expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    }
  });
});
