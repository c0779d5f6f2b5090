import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { attachPlan } from "../../src/partitioning/attach/attach-plan.ts";
import type { AttachOptions } from "../../src/partitioning/attach/attach-of.ts";
import { settleAttached } from "../../src/partitioning/attach/settle-attached.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { provision } from "../../src/partitioning/provision.ts";
import { validatePartitions } from "../../src/partitioning/validate-partitions.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { onEngines } from "../support/server.ts";
import { byMonth, SCHEMA, schema, scheme, SETUP, TABLE } from "./attach-fixture.ts";

onEngines("A plain table that becomes a partition of its own root", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: [SCHEMA, "elsewhere"] });
  const one = async (sql: string) => {
    const [row] = await db().query<{ said: string | null }>(`SELECT (${sql})::text AS said`);
    return row?.said ?? null;
  };
  const rows = (of = TABLE) =>
    one(`SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') FROM ${of}`);
  const write = (value: number, program = "p1", day = "2026-01-15") =>
    db().query(
      `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('${program}', 's1', '${day}', ${value})`,
    );
  const planned = async (options: Partial<AttachOptions> = {}) =>
    attachPlan({ facts: await facts(), scheme, ...options });
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };
  /** Applies a plan up to the end of a step. */
  const until = async (plan: Plan, step: string) => {
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === step) stop.abort();
      },
    });
  };

  beforeEach(async () => {
    await db().query(SETUP);
  });

  it("keeps its rows where they are, and all that a table may have beside them", async () => {
    const file = await one(`SELECT pg_relation_filenode('${TABLE}')`);
    await applied(await planned());
    expect(await rows()).toBe("1,2,3,10,20,30");
    expect(await one(`SELECT pg_relation_filenode('${schema}.readings_legacy')`)).toBe(file);
    expect(
      await one(
        `SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'readings_legacy'`,
      ),
    ).toBe("FOR VALUES IN ('p1', 'p2')");
    const after = await facts();
    expect(after.tables.find(({ name }) => name === "readings")).toMatchObject({
      kind: "partitionedTable",
      comment: "readings",
      rowSecurity: true,
      forceRowSecurity: true,
    });
    const names = (list: readonly { readonly name: string; readonly table?: string }[]) =>
      list.flatMap(({ name, table }) => (table === "readings" ? [name] : [])).sort();
    expect(names(after.indexes)).toEqual(["one % value", "readings_pkey", "readings_value_idx"]);
    expect(names(after.policies)).toEqual(["floor", "reads"]);
    expect(names(after.triggers)).toEqual(["asleep", "emptied", "tells"]);
    expect(names(after.constraints)).toEqual(
      expect.arrayContaining(["readings_pkey", "readings_program_fkey", "small"]),
    );
    expect(
      after.grants.filter(
        ({ name, grantee }) => name === "readings" && grantee === "attach_reader",
      ),
    ).toEqual([
      expect.objectContaining({ on: "column", detail: "value", grantable: ["UPDATE"] }),
      expect.objectContaining({ on: "relation", privileges: ["SELECT"] }),
    ]);
    expect(
      after.grants.filter(
        (each) => each.name === "readings_legacy" && each.grantee === "attach_reader",
      ),
    ).toEqual([]);
    expect(after.indexes.every(({ valid }) => valid)).toBe(true);
  });

  it("gives a new value partitions of its own, and old values none", async () => {
    await applied(await planned());
    await expect(write(40, "p3")).rejects.toThrow(/no partition of relation/);
    const report = await provision(
      engine.db(),
      scheme,
      { programId: "p3", siteId: "s1" },
      { now: new Date("2026-01-10") },
    );
    expect(report.outcome).toBe("applied");
    await write(40, "p3");
    await write(50, "p1");
    expect(await rows()).toBe("1,2,3,10,20,30,40,50");
    expect(await rows(`ONLY ${schema}.readings_legacy`)).toBe("1,2,3,10,20,30,50");
    expect(await one(`SELECT n FROM elsewhere.over_it WHERE program_id = 'p3'`)).toBe("1");
    expect(
      await one(`SELECT max(n) || ' ' || max(number) || ' ' || max(twice) FROM ${TABLE}`),
    ).toBe("9 9 100");
  });

  it("has a place for every row of an old value, and says that it is coarse", async () => {
    await applied(await planned());
    // A new site of an old program: its rows have a partition, and none is missing.
    const report = await provision(engine.db(), scheme, { programId: "p1", siteId: "new" });
    expect(report).toMatchObject({ outcome: "applied", steps: [] });
    const findings = await validatePartitions(engine.db(), scheme);
    expect(findings.map(({ check, severity }) => `${severity} ${check}`)).toEqual([
      "info partition-legacy",
    ]);
    const maintained = await maintain(engine.db(), [scheme]);
    expect(maintained.failure).toBeUndefined();
  });

  it("takes along a value that came at any moment before the swap, and refuses it at none", async () => {
    const plan = await planned();
    let next = 100;
    for (const [at, step] of ["prepare", "watch", "read", "bound", "validate"].entries()) {
      await until(plan, step);
      await write(next++, `p${at + 3}`);
    }
    await db().query(`UPDATE ${TABLE} SET program_id = 'p9' WHERE value = 1`);
    await applied(plan);
    expect(await rows()).toBe("1,2,3,10,20,30,100,101,102,103,104");
    expect(
      await one(
        `SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'readings_legacy'`,
      ),
    ).toBe("FOR VALUES IN ('p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p9')");
  });

  it("lets a role that may only insert do so at every moment, also into an empty table", async () => {
    await db().query(`TRUNCATE ${TABLE}; GRANT INSERT ON ${TABLE} TO attach_reader;
      GRANT USAGE ON SEQUENCE ${schema}.readings_number_seq TO attach_reader;
      GRANT INSERT ON ${schema}.seen TO attach_reader;
      ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      CREATE POLICY writes ON ${TABLE} FOR INSERT TO attach_reader WITH CHECK (true)`);
    const asRole = (value: number, program: string) =>
      db().transaction(async (transaction) => {
        await transaction.query("SET LOCAL ROLE attach_reader");
        await transaction.query(
          `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('${program}', 's1', '2026-01-15', ${value})`,
        );
      });
    const before = canonical(await facts());
    const empty = await planned();
    await applied(empty);
    expect(await undo(engine.db(), empty)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    const plan = await planned();
    await until(plan, "watch");
    await asRole(1, "p1");
    await until(plan, "validate");
    await asRole(2, "p2");
    await applied(plan);
    await asRole(3, "p2");
    expect(await rows()).toBe("1,2,3");
    await db().query(`ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC`);
  });

  it("has its materialized views read the new rows too, and back", async () => {
    await db()
      .query(`CREATE MATERIALIZED VIEW elsewhere.totals AS SELECT program_id, sum(value)::integer AS total FROM ${TABLE} GROUP BY 1;
      CREATE UNIQUE INDEX totals_key ON elsewhere.totals (program_id);
      CREATE VIEW elsewhere.of_totals AS SELECT total FROM elsewhere.totals;
      COMMENT ON MATERIALIZED VIEW elsewhere.totals IS 'totals'`);
    const before = canonical(await facts());
    const plan = await planned();
    await applied(plan);
    await provision(
      engine.db(),
      scheme,
      { programId: "p3", siteId: "s1" },
      { now: new Date("2026-01-10") },
    );
    await write(40, "p3");
    await db().query("REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.totals");
    expect(await one("SELECT sum(total) FROM elsewhere.of_totals")).toBe("106");
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    await db().query("REFRESH MATERIALIZED VIEW elsewhere.totals");
    expect(await one("SELECT sum(total) FROM elsewhere.of_totals")).toBe("106");
    await applied(await planned());
    const settle = settleAttached({ facts: await facts(), scheme });
    await apply(engine.db(), settle);
    await confirm(engine.db(), settle.name, "nobody-wants-it-back");
    await applied(settle);
    expect(await one(`SELECT to_regclass('elsewhere.totals_legacy')`)).toBeNull();
    expect(await one("SELECT sum(total) FROM elsewhere.of_totals")).toBe("106");
  });

  it("comes back with every row that went elsewhere, and the catalog as it was", async () => {
    const before = canonical(await facts());
    const plan = await planned();
    await applied(plan);
    await provision(
      engine.db(),
      scheme,
      { programId: "p3", siteId: "s1" },
      { now: new Date("2026-01-10") },
    );
    await write(40, "p3");
    await write(50, "p1");
    await db().query(
      `UPDATE ${TABLE} SET program_id = 'p3', site_id = 's1', created_at = '2026-01-20' WHERE value = 2; DELETE FROM ${TABLE} WHERE value = 3`,
    );
    const told = await one(`SELECT count(*) FROM ${schema}.seen`);
    const report = await undo(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(await rows()).toBe("1,2,10,20,30,40,50");
    expect(await one(`SELECT count(*) FROM ${schema}.seen`)).toBe(told);
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    await write(60, "p4");
    expect(await one(`SELECT max(n) || ' ' || max(number) FROM ${TABLE}`)).toBe("9 9");
  });

  it("takes the locks that it declares", async () => {
    await expectLocks(await planned(), { on: engine.db() });
  });

  it("takes all up to a bound where the first dimension is a range", async () => {
    const before = canonical(await facts());
    const plan = attachPlan({
      facts: await facts(),
      scheme: byMonth,
      until: new Date("2026-03-01"),
    });
    await until(plan, "validate");
    await write(60, "p1", "2026-05-05");
    await applied(plan);
    expect(
      await one(
        `SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'readings_legacy'`,
      ),
    ).toMatch(/FROM \(MINVALUE\) TO \('2026-06-01 00:00:00\+00'\)/);
    expect(
      (await provision(engine.db(), byMonth, {}, { now: new Date("2026-06-10") })).outcome,
    ).toBe("applied");
    await write(70, "p1", "2026-06-07");
    expect(await rows(`ONLY ${schema}.readings_legacy`)).toBe("1,2,3,10,20,30,60");
    await undo(engine.db(), plan);
    expect(await rows()).toBe("1,2,3,10,20,30,60,70");
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
  });
});
