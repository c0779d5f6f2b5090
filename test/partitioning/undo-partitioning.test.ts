import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { dropPartitioned } from "../../src/partitioning/drop-partitioned.ts";
import { undoPartitioning } from "../../src/partitioning/undo-partitioning.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { onEngines } from "../support/server.ts";
import { schema, setup } from "./scheme-fixture.ts";

const NAME = `we"ird Schema`;
const TABLE = `${schema}.readings`;

/** What a table may have beside rows: each of it goes with the name. */
const BESIDE = `
  DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'flat_reader') THEN CREATE ROLE flat_reader; END IF; END $$;
  ALTER TABLE ${TABLE} ADD COLUMN twice integer GENERATED ALWAYS AS (value * 2) STORED;
  ALTER TABLE ${TABLE} ADD COLUMN number serial;
  ALTER TABLE ${TABLE} ADD CONSTRAINT small CHECK (value < 1000000);
  ALTER TABLE ${TABLE} ALTER COLUMN value SET STATISTICS 500;
  CREATE UNIQUE INDEX "one % value" ON ${TABLE} (program_id, site_id, created_at, value DESC) WHERE value > 5;
  COMMENT ON INDEX ${schema}."one % value" IS 'an index';
  COMMENT ON TABLE ${TABLE} IS 'readings';
  COMMENT ON COLUMN ${TABLE}.value IS 'a value';
  CREATE TABLE ${schema}.seen (what text);
  CREATE FUNCTION ${schema}.saw() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO ${schema}.seen VALUES (TG_OP || ' ' || TG_NAME); RETURN NULL; END $f$;
  CREATE TRIGGER tells AFTER INSERT OR DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION ${schema}.saw();
  CREATE TRIGGER asleep AFTER UPDATE ON ${TABLE} FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.saw();
  ALTER TABLE ${TABLE} DISABLE TRIGGER asleep;
  COMMENT ON TRIGGER tells ON ${TABLE} IS 'a trigger';
  CREATE POLICY reads ON ${TABLE} FOR SELECT TO flat_reader USING (value > 0);
  CREATE POLICY floor ON ${TABLE} AS RESTRICTIVE USING (EXISTS (SELECT FROM ${schema}.programs p WHERE p.program_id = readings.program_id));
  ALTER TABLE ${TABLE} FORCE ROW LEVEL SECURITY;
  GRANT SELECT ON ${TABLE} TO flat_reader;
  GRANT UPDATE (value) ON ${TABLE} TO flat_reader WITH GRANT OPTION`;

onEngines("A partitioned table that becomes a plain one", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: [NAME, "elsewhere"] });
  const rows = async (of = TABLE) => {
    const [row] = await db().query<{ rows: string }>(
      `SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') AS rows FROM ${of}`,
    );
    return row?.rows ?? "";
  };
  const write = (value: number, day: string, site = "s1") =>
    db().query(
      `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('p1', '${site}', '${day}', ${value})`,
    );
  const flatten = async () =>
    undoPartitioning({ facts: await facts(), schema: NAME, table: "readings" });
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };

  beforeEach(async () => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS elsewhere CASCADE;
       CREATE SCHEMA elsewhere; ${setup()}; ${BESIDE}`,
    );
    await db().query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    for (const site of ["s1", "s2"])
      await db().query(
        `SELECT ${schema}.provision_readings('p1', '${site}', '2026-01-01', '2026-02-01')`,
      );
    for (const [value, day] of [
      [1, "2026-01-01"],
      [2, "2026-01-11"],
      [3, "2026-02-02"],
    ] as const) {
      await write(value, day);
      await write(value * 10, day, "s2");
    }
  });

  it("has its rows, and all that a table may have beside them", async () => {
    const [numbered] = await db().query<{ n: string }>(`SELECT max(n)::text AS n FROM ${TABLE}`);
    await applied(await flatten());
    expect(await rows()).toBe("1,2,3,10,20,30");
    const after = await facts();
    expect(after.tables.find(({ name }) => name === "readings")).toMatchObject({
      kind: "table",
      comment: "readings",
      rowSecurity: true,
      forceRowSecurity: true,
    });
    const names = (list: readonly { readonly name: string; readonly table?: string }[]) =>
      list.flatMap(({ name, table }) => (table === "readings" ? [name] : [])).sort();
    expect(names(after.indexes)).toEqual(["one % value", "readings_pkey", "readings_value_idx"]);
    expect(names(after.policies)).toEqual(["floor", "reads"]);
    expect(names(after.triggers).filter((name) => !name.startsWith("zz_"))).toEqual([
      "asleep",
      "tells",
    ]);
    expect(names(after.constraints)).toEqual(
      expect.arrayContaining(["readings_pkey", "readings_program_fkey", "small"]),
    );
    expect(
      after.constraints.find(
        ({ name, table }) => table === "readings" && name === "readings_program_fkey",
      ),
    ).toMatchObject({ validated: true });
    expect(
      after.columns.find(({ table, name }) => table === "readings" && name === "value"),
    ).toMatchObject({ comment: "a value", statisticsTarget: 500 });
    expect(
      after.grants.filter(({ name, grantee }) => name === "readings" && grantee === "flat_reader"),
    ).toEqual([
      expect.objectContaining({ on: "column", detail: "value", grantable: ["UPDATE"] }),
      expect.objectContaining({ on: "relation", privileges: ["SELECT"] }),
    ]);
    // Numbers go on where they were, and a place that had no partition takes rows.
    await write(99, "2031-01-01", "nowhere");
    const [next] = await db().query<{ n: string; number: string; twice: number }>(
      `SELECT n::text, number::text, twice FROM ${TABLE} WHERE value = 99`,
    );
    expect(Number(next?.n)).toBeGreaterThan(Number(numbered?.n));
    expect(Number(next?.number)).toBe(7);
    expect(next?.twice).toBe(198);
  });

  it("takes the locks that it declares, also on triggers and sequences", async () => {
    await expectLocks(await flatten(), { on: engine.db() });
  });

  it("comes back with every row that was written, changed and deleted meanwhile, and the catalog as it was", async () => {
    const before = canonical(await facts());
    const plan = await flatten();
    await applied(plan);
    await write(9, "2026-01-15");
    await db().query(
      `UPDATE ${TABLE} SET value = 7, created_at = '2026-02-25' WHERE value = 1; DELETE FROM ${TABLE} WHERE value IN (3, 20)`,
    );
    const told = await rows(`(SELECT count(*) AS value FROM ${schema}.seen) AS s`);
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("2,7,9,10,30");
    expect(await rows(`(SELECT count(*) AS value FROM ${schema}.seen) AS s`)).toBe(told);
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
  });

  it("is as before, from wherever it was stopped, with a write in between", async () => {
    const plan = await flatten();
    const before = canonical(await facts());
    let next = 100;
    for (let steps = 1; steps < plan.steps.length; steps++) {
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

  it("is proved, although rows go meanwhile with what they refer to", async () => {
    const plan = await flatten();
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "catch-up") stop.abort();
      },
    });
    await db().query(`DELETE FROM ${TABLE}; DELETE FROM ${schema}.programs`);
    await applied(plan);
    expect(await rows()).toBe("");
  });

  it("takes along a partition that was made meanwhile", async () => {
    const plan = await flatten();
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "catch-up-again") stop.abort();
      },
    });
    await db().query(`SELECT ${schema}.provision_readings('p1', 's3', '2026-01-01', '2026-01-01')`);
    await write(50, "2026-01-02", "s3");
    await applied(plan);
    expect(await rows()).toBe("1,2,3,10,20,30,50");
  });

  it("does not take the name while a partition left that is copied", async () => {
    const plan = await flatten();
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "proof/1") stop.abort();
      },
    });
    const leaf = `${schema}."read_prog_p1_site_s2_2026_01"`;
    await db().query(`ALTER TABLE ${schema}."read_prog_p1_site_s2" DETACH PARTITION ${leaf}`);
    const report = await apply(engine.db(), plan);
    expect(report.failure?.message).toMatch(/is no partition any more/);
    expect(await rows()).toBe("1,2,3,30");
    await db().query(
      `ALTER TABLE ${schema}."read_prog_p1_site_s2" ATTACH PARTITION ${leaf} FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00')`,
    );
    await applied(plan);
    expect(await rows()).toBe("1,2,3,10,20,30");
  });

  it("loses no row that no partition takes any more when it is taken back", async () => {
    const plan = await flatten();
    await applied(plan);
    await write(70, "2031-01-01");
    const report = await undo(engine.db(), plan);
    expect(report.failure?.message).toMatch(/no partition of relation/);
    expect(await rows()).toBe("1,2,3,10,20,30,70");
    await db().query(
      `CREATE TABLE ${schema}.later PARTITION OF ${schema}."read_prog_p1_site_s1" FOR VALUES FROM ('2031-01-01 00:00+00') TO ('2031-02-01 00:00+00')`,
    );
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("1,2,3,10,20,30,70");
  });

  it("is dropped for good behind a gate, and its rows stay", async () => {
    const plan = await flatten();
    await applied(plan);
    const drop = dropPartitioned({ facts: await facts(), schema: NAME, table: "readings", plan });
    expect(await apply(engine.db(), drop)).toMatchObject({ outcome: "waiting" });
    expect(await rows(`${schema}.readings_partitioned`)).toBe("1,2,3,10,20,30");
    await confirm(engine.db(), drop.name, "nobody-wants-it-back");
    await applied(drop);
    await write(5, "2026-01-03");
    expect(await rows()).toBe("1,2,3,5,10,20,30");
    const { tables, functions, partitions } = await facts();
    expect(partitions.filter(({ root }) => root.name.startsWith("readings"))).toEqual([]);
    const left = [...tables, ...functions].filter(({ name }) => /readings_(flat|part)/.test(name));
    expect(left).toEqual([]);
  });

  describe("is left alone, with a remedy", () => {
    it.each<readonly [string, string, RegExp]>([
      [
        "a view",
        `CREATE VIEW elsewhere.v AS SELECT value FROM ${TABLE}`,
        /used by the view "elsewhere"."v"/,
      ],
      [
        "a foreign key",
        `CREATE TABLE elsewhere.notes (p text, s text, at timestamptz, id uuid, CONSTRAINT note_of FOREIGN KEY (p, s, at, id) REFERENCES ${TABLE})`,
        /referred to by note_of of "elsewhere"."notes"/,
      ],
      [
        "a name that is taken",
        `CREATE TABLE ${schema}.readings_partitioned ()`,
        /name readings_partitioned/,
      ],
      [
        "a rule",
        `CREATE RULE no AS ON DELETE TO ${TABLE} WHERE old.value = 1 DO INSTEAD NOTHING`,
        /has the rule no/,
      ],
    ])("where there is %s", async (_, make, message) => {
      await db().query(make);
      await expect(flatten()).rejects.toThrow(message);
    });

    it("where what uses it came later or was not read", async () => {
      const plan = await flatten();
      await db().query(`CREATE VIEW elsewhere.v AS SELECT value FROM ${TABLE};
        CREATE FUNCTION elsewhere.f(${TABLE}) RETURNS integer LANGUAGE sql AS 'SELECT 1'`);
      const report = await apply(engine.db(), plan);
      expect(report.failure).toMatchObject({ code: "checkFailed" });
      expect(report.failure?.message).toMatch(/function elsewhere.f/);
      expect(report.failure?.message).toMatch(/view elsewhere.v/);
    });
  });
});
