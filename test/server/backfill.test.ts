import { beforeEach, describe, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { plan } from "../../src/plan/plan.ts";
import { backfill } from "../../src/recipes/backfill.ts";
import { apply } from "../../src/run/apply.ts";
import { resume, retryFailed } from "../../src/run/control.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { runs } from "../../src/run/runs.ts";
import { onEngines } from "../support/server.ts";

const bare = {
  kind: "backfill",
  id: "fill",
  title: "Fill",
  table: { schema: "app", name: "t" },
  key: [{ name: "id", type: "integer" }],
  where: "v IS NULL",
  batchSize: 100,
  pauseMs: 0,
  workers: 3,
  undo: { kind: "nothing" },
} as const;

const id = [{ name: "id", type: "integer" }] as const;

onEngines("a backfill", (engine) => {
  const db = () => engine.db();
  const sql = async (text: string) => engine.executor().query(text);
  const count = async (where: string, table = "app.t") => {
    const [row] = await sql(`SELECT count(*)::int AS n FROM ${table} WHERE ${where}`);
    return Number(row?.["n"]);
  };

  beforeEach(async () => {
    await sql(`DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
      CREATE TABLE app.t (id int PRIMARY KEY, v int, note text)`);
  });

  const fill = (rest: object = {}) =>
    backfill({
      ...{ schema: "app", table: "t", key: id, set: "v = id * 2", where: "v IS NULL" },
      ...{ batchSize: 100, workers: 3 },
      ...rest,
    });

  it("changes every row once, in ranges that its workers share", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 5000) g; ANALYZE app.t");
    // Not idempotent: a row that is come to twice would show.
    const twice = fill({ set: "v = coalesce(v, 0) + id * 2", where: "true" });
    const report = await apply(db(), twice);
    expect(report.outcome).toBe("applied");
    expect(await count("v = id * 2")).toBe(5000);
    expect(await count("true", "underpin.backfill_ranges")).toBeGreaterThan(8);
    expect(await count("NOT done", "underpin.backfill_ranges")).toBe(0);
  });

  describe.each([
    ["sparse and skewed", "(CASE WHEN g < 900 THEN g ELSE g * 1000000 END)::bigint", "bigint"],
    ["random", "md5(g::text)::uuid", "uuid"],
    ["texts", `md5(g::text) || E' it''s \\\\ "ö"'`, "text"],
    ["times", "timestamptz '2026-03-29 00:30+00' + g * interval '7 seconds'", "timestamptz"],
    ["floats", "(g::float8 / 3)", "double precision"],
  ])("by %s keys", (_name, expression, type) => {
    it("cuts even ranges and changes every row", async () => {
      await sql(`CREATE TABLE app.k (a int, k ${type}, v int, PRIMARY KEY (a, k));
        INSERT INTO app.k SELECT g % 3, ${expression} FROM generate_series(1, 2000) g; ANALYZE app.k`);
      const facts = await readFacts(db(), { schemas: ["app"] });
      const made = backfill({
        ...{ facts, schema: "app", table: "k", set: "v = 1", where: "v IS NULL" },
        ...{ batchSize: 50, workers: 2 },
      });
      await sql("SET DateStyle = 'SQL, DMY'");
      const report = await apply(db(), made);
      await sql("RESET DateStyle");
      expect(report.outcome).toBe("applied");
      expect(await count("v = 1", "app.k")).toBe(2000);
      const rows = await sql(
        "SELECT rows_changed::int AS n FROM underpin.backfill_ranges ORDER BY 1",
      );
      expect(rows.length).toBeGreaterThan(5);
      expect(Number(rows.at(-1)?.["n"])).toBeLessThan(2000 / 4);
    });
  });

  it("adapts the size of its batches to a time", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 4000) g");
    await apply(db(), fill({ batchSize: 10, targetMs: 1000, workers: 1 }));
    const batches = await sql("SELECT sum(batches)::int AS n FROM underpin.backfill_ranges");
    expect(Number(batches[0]?.["n"])).toBeLessThan(250);
    expect(await count("v = id * 2")).toBe(4000);
  });

  it("sets the one row aside that cannot be changed, says which and why, and takes it up again once it is mended", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 1500) g;
      ALTER TABLE app.t ADD CONSTRAINT not_too_much CHECK (v <> 731 * 2)`);
    const events: RunEvent[] = [];
    const made = fill({ batchSize: 200, workers: 1 });
    const report = await apply(db(), made, { onEvent: (event) => events.push(event) });
    expect(report.outcome).toBe("failed");
    expect(report.failure).toMatchObject({ code: "rowsFailed", step: "backfill" });
    expect(report.failure?.message).toMatch(
      /1 row could not be changed.*\n\s+\(id\) = \(731\): 23514/,
    );
    expect(await count("v = id * 2")).toBe(1499);
    expect(events.find(({ type }) => type === "rowSetAside")).toMatchObject({ key: ["731"] });
    const [status] = await runs(db());
    expect(status?.backfills).toMatchObject([
      { rowsSetAside: 1, failures: [{ key: ["731"], sqlState: "23514", attempts: 3 }] },
    ]);

    expect((await apply(db(), made)).failure).toMatchObject({ code: "rowsFailed" });
    await sql("ALTER TABLE app.t DROP CONSTRAINT not_too_much");
    expect(await retryFailed(db(), made.name)).toMatchObject({ outcome: "applied" });
    expect(await count("v = id * 2")).toBe(1500);
  });

  it("passes over what a trigger raises now and then", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 300) g;
      CREATE SEQUENCE app.calls;
      CREATE FUNCTION app.moody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id = 150 AND nextval('app.calls') < 3 THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER moody BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.moody()`);
    const retries: RunEvent[] = [];
    const report = await apply(db(), fill(), {
      onEvent: (event) => event.type === "retrying" && retries.push(event),
    });
    expect(report.outcome).toBe("applied");
    expect(retries.length).toBe(2);
  });

  it("pauses by itself when more than a twentieth of its batches fail, and goes on when it is told to", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 1000) g;
      ALTER TABLE app.t ADD CONSTRAINT no_tens CHECK (v % 100 <> 0)`);
    const made = fill({ batchSize: 10, targetMs: false, workers: 1, maxAttempts: 1 });
    const report = await apply(db(), made);
    expect(report.outcome).toBe("paused");
    const [status] = await runs(db());
    expect(status?.pauseReason).toMatch(/\d+ of \d+ batches of "backfill" failed, more than 5 %/);
    await sql("ALTER TABLE app.t DROP CONSTRAINT no_tens");
    await resume(db(), made.name);
    expect(await retryFailed(db(), made.name)).toMatchObject({ outcome: "applied" });
    expect(await count("v = id * 2")).toBe(1000);
  });

  it("fails at once, and can go on, where the rows are not to blame", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 10) g");
    const made = fill({ set: "v = app.missing(id)" });
    const report = await apply(db(), made);
    expect(report).toMatchObject({ outcome: "failed", failure: { sqlState: "42883" } });
    await sql("CREATE FUNCTION app.missing(int) RETURNS int LANGUAGE sql RETURN $1 * 2");
    expect(await apply(db(), made)).toMatchObject({ outcome: "applied" });
  });

  it("runs a statement over the rows of each batch as they are when they are locked", async () => {
    await sql(`INSERT INTO app.t SELECT g, g FROM generate_series(1, 1000) g;
      CREATE TABLE app.copy (id int PRIMARY KEY, v int)`);
    const copy = plan("copy", [
      {
        ...bare,
        where: "true",
        sql: "INSERT INTO app.copy SELECT id, v FROM batch ON CONFLICT DO NOTHING",
        rows: [{ schema: "app", name: "copy", access: "insert" }],
      },
    ]);
    expect((await apply(db(), copy)).outcome).toBe("applied");
    expect(await count("id = v", "app.copy")).toBe(1000);
  });

  it("hands rows to a transform of the host, and writes what it returns", async () => {
    await sql("INSERT INTO app.t (id, note) SELECT g, 'n' || g FROM generate_series(1, 500) g");
    const made = plan("transform", [
      {
        ...bare,
        transform: {
          handler: "lengths",
          version: 1,
          reads: ["note"],
          writes: [{ name: "v", type: "integer" }],
        },
      },
    ]);
    await expect(apply(db(), made)).rejects.toMatchObject({ code: "missingHandler" });
    const sizes: number[] = [];
    const report = await apply(db(), made, {
      handlers: {
        lengths: {
          version: 1,
          run: (rows) => {
            const given = rows as { id: number; note: string }[];
            sizes.push(given.length);
            return given.map(({ id: key, note }) => ({ id: key, v: note.length }));
          },
        },
      },
    });
    expect(report.outcome).toBe("applied");
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
    expect(await count("v = length(note)")).toBe(500);
  });

  it("sets aside rows that a transform cannot compute", async () => {
    await sql("INSERT INTO app.t (id) SELECT g FROM generate_series(1, 40) g");
    const writes = [{ name: "v", type: "integer" }];
    const made = plan("transform", [
      { ...bare, transform: { handler: "h", version: 1, reads: [], writes } },
    ]);
    const report = await apply(db(), made, {
      handlers: {
        h: {
          version: 1,
          run: (rows) =>
            (rows as { id: number }[]).map((row) => {
              if (row.id === 17) throw new Error("no seventeen");
              return { ...row, v: 1 };
            }),
        },
      },
    });
    expect(report.failure?.message).toContain("(id) = (17): no seventeen");
    expect(await count("v = 1")).toBe(39);
  });

  it("fails a batch whose rows are not as its row check wants them, and keeps none of it", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 20) g");
    const report = await apply(db(), fill({ validate: { row: "target.v <> 14" } }));
    expect(report.failure?.message).toContain("(id) = (7)");
    expect(await count("v IS NULL")).toBe(1);
  });

  it("fails where something is left, or is not as the end should be", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 20) g");
    const report = await apply(db(), fill({ set: "note = 'x'" }));
    expect(report.failure).toMatchObject({ step: "backfill-check-1" });
    const end = [{ title: "All are even", sql: "SELECT id FROM app.t WHERE v % 4 <> 0" }];
    const other = await apply(db(), fill({ name: "other", validate: { end } }));
    expect(other.failure).toMatchObject({ step: "other-check-2" });
  });

  it("tells how far it is and how long it will take", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 3000) g; ANALYZE app.t");
    const told: Extract<RunEvent, { type: "progress" }>[] = [];
    await apply(db(), fill({ batchSize: 50, targetMs: false }), {
      onEvent: (event) => event.type === "progress" && told.push(event),
    });
    const last = told.at(-1);
    expect(last).toMatchObject({ rowsChanged: 3000, rowsEstimated: 3000 });
    expect(last?.backfill).toMatchObject({ rowsSetAside: 0, failedBatches: 0 });
    expect(last?.backfill?.remainingMs?.likely).toBe(0);
    expect(last?.backfill?.rangesDone).toBe(last?.backfill?.rangesTotal);
  });
});
