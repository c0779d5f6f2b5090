import { beforeEach, describe, expect, it } from "vitest";
import type { Plan } from "../../src/plan/step.ts";
import { backfill } from "../../src/recipes/backfill.ts";
import { apply } from "../../src/run/apply.ts";
import { resume, retryFailed } from "../../src/run/control.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { onEngines } from "../support/server.ts";

const id = [{ name: "id", type: "integer" }] as const;

onEngines("a backfill of a hostile table", (engine) => {
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
      ...{ batchSize: 10, workers: 2, targetMs: false },
      ...rest,
    });

  describe.each([
    ["may be NULL", "k int UNIQUE", "k", "integer"],
    ["no valid unique index", "k int NOT NULL", "k", "integer"],
    ["no valid unique index", "k int NOT NULL, UNIQUE (k, v)", "k", "integer"],
    [
      "is of type character varying, not varchar(2)",
      "k varchar NOT NULL UNIQUE",
      "k",
      "varchar(2)",
    ],
    ["is of type character(3), not char", "k char(3) NOT NULL UNIQUE", "k", "char"],
    ["is of type uuid, not text", "k uuid NOT NULL UNIQUE", "k", "text"],
    ["no column", "k int NOT NULL UNIQUE", "q", "integer"],
  ])("by a key of which it is said that it %s (%s)", (why, column, name, type) => {
    it("is refused before the first batch", async () => {
      await sql(`DROP TABLE app.t; CREATE TABLE app.t (id int, v int, ${column})`);
      const report = await apply(db(), fill({ key: [{ name, type }], set: "v = 1" }));
      expect(report).toMatchObject({ outcome: "failed", failure: { code: "invalidDefinition" } });
      expect(report.failure?.message).toContain(why);
    });
  });

  it("refuses a view, and a table that others inherit from", async () => {
    await sql(
      `CREATE VIEW app.seen AS SELECT * FROM app.t; CREATE TABLE app.heir () INHERITS (app.t)`,
    );
    expect((await apply(db(), fill({ table: "seen" }))).failure?.message).toContain("no table");
    expect((await apply(db(), fill())).failure?.message).toContain("inherit");
  });

  it("takes types by any of their names", async () => {
    await sql(`CREATE DOMAIN app.code AS varchar(5); CREATE TYPE app.size AS ENUM ('s', 'm', 'l');
      CREATE TABLE app.k (a timestamptz, b app.code, c app.size, d numeric(6, 2), e "char", v int, PRIMARY KEY (a, b, c, d, e));
      INSERT INTO app.k SELECT timestamptz '2026-01-01' + g * interval '1 microsecond', 'a\\' || g % 3,
        (enum_range(NULL::app.size))[g % 3 + 1], g / 7.0, '\\', NULL FROM generate_series(1, 300) g`);
    const key = [
      { name: "a", type: "timestamptz" },
      { name: "b", type: "app.code" },
      { name: "c", type: "app.size" },
      { name: "d", type: "numeric(6,2)" },
      { name: "e", type: '"char"' },
    ];
    const report = await apply(
      db(),
      fill({ table: "k", key, set: "v = coalesce(v, 0) + 1", where: "true" }),
    );
    expect(report.outcome).toBe("applied");
    expect(await count("v = 1", "app.k")).toBe(300);
  });

  it.each([
    { batchSize: 0 },
    { batchSize: Number.NaN },
    { batchSize: 2.4 },
    { workers: "x" },
    { where: "" },
    { key: [] },
  ])("refuses a plan from JSON with %o before anything is run", async (wrong) => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 20) g");
    const made = fill();
    const [step, ...rest] = made.steps;
    const bad = JSON.parse(
      JSON.stringify({ ...made, steps: [{ ...step, ...wrong }, ...rest] }),
    ) as Plan;
    await expect(apply(db(), bad)).rejects.toMatchObject({ code: "invalidInput" });
    expect(await count("v IS NULL")).toBe(20);
  });

  it("sets aside the rows that a deferred constraint refuses at COMMIT", async () => {
    await sql(`CREATE TABLE app.other (id int PRIMARY KEY);
      INSERT INTO app.other SELECT g * 2 FROM generate_series(1, 100) g WHERE g NOT IN (17, 43);
      ALTER TABLE app.t ADD FOREIGN KEY (v) REFERENCES app.other DEFERRABLE INITIALLY DEFERRED;
      INSERT INTO app.t SELECT g FROM generate_series(1, 100) g`);
    const report = await apply(db(), fill({ batchSize: 50 }));
    expect(report.failure).toMatchObject({ code: "rowsFailed" });
    expect(report.failure?.message).toMatch(/\(17\): 23503[^]*\(43\): 23503/);
    expect(await count("v = id * 2")).toBe(98);
  });

  it("sees that its change moves keys ahead of it, and stops", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 100) g");
    const report = await apply(db(), fill({ set: "id = target.id + 1000, v = 1", where: "true" }));
    expect(report.failure).toMatchObject({ code: "invalidDefinition" });
    expect(report.failure?.message).toContain("again and again");
    expect(await count("id > 1000")).toBe(0);
  });

  it("may change the key where a row that is done no longer meets its condition, also into another partition", async () => {
    await sql(`CREATE TABLE app.p (tenant int, id int, v int, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
      CREATE TABLE app.p0 PARTITION OF app.p FOR VALUES IN (0); CREATE TABLE app.p9 PARTITION OF app.p FOR VALUES IN (9);
      INSERT INTO app.p SELECT 0, g, 0 FROM generate_series(1, 200) g`);
    const key = [{ name: "tenant", type: "int" }, ...id];
    const report = await apply(
      db(),
      fill({ table: "p", key, set: "tenant = 9, v = v + 1", where: "tenant = 0" }),
    );
    expect(report.outcome).toBe("applied");
    expect(await count("tenant = 9 AND v = 1", "app.p")).toBe(200);
  });

  it("pauses in the middle of rows that fail one by one, and sets no row aside twice", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 60) g;
      ALTER TABLE app.t ADD CONSTRAINT never CHECK (v IS NULL OR v = 2) NOT VALID`);
    const made = fill({ batchSize: 1, workers: 1, maxAttempts: 1 });
    expect(await apply(db(), made)).toMatchObject({ outcome: "paused" });
    await sql("ALTER TABLE app.t DROP CONSTRAINT never");
    await resume(db(), made.name);
    expect(await retryFailed(db(), made.name)).toMatchObject({ outcome: "applied" });
    expect(await count("v = id * 2")).toBe(60);
  });

  it("pauses where a trigger raises for all, with no row changed and none lost", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 300) g;
      CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
      CREATE TRIGGER no BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.no()`);
    const made = fill({ maxAttempts: 1 });
    expect(await apply(db(), made)).toMatchObject({ outcome: "paused" });
    await sql("DROP TRIGGER no ON app.t");
    await resume(db(), made.name);
    expect(await retryFailed(db(), made.name)).toMatchObject({ outcome: "applied" });
    expect(await count("v = id * 2")).toBe(300);
  });

  it("fails at once by a full disk, and goes on when there is room", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 100) g;
      CREATE FUNCTION app.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id = 55 THEN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER full_disk BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.full()`);
    const made = fill({ set: "v = coalesce(v, 0) + 1", where: "true" });
    expect((await apply(db(), made)).failure).toMatchObject({
      sqlState: "53100",
      step: "backfill",
    });
    await sql("DROP TRIGGER full_disk ON app.t");
    expect((await apply(db(), made)).outcome).toBe("applied");
    expect(await count("v = 1")).toBe(100);
  });

  it("says that its table is gone, and goes on where it is there again", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 100) g");
    const made = fill({ workers: 1, pauseMs: 1 });
    let dropped: Promise<unknown> | undefined;
    const onEvent = ({ type }: RunEvent) => {
      if (type === "progress") dropped ??= sql("ALTER TABLE app.t RENAME TO gone");
    };
    const report = await apply(db(), made, { onEvent });
    await dropped;
    expect(report).toMatchObject({ outcome: "failed", failure: { sqlState: "42P01" } });
    await sql("ALTER TABLE app.gone RENAME TO t");
    expect((await apply(db(), made)).outcome).toBe("applied");
    expect(await count("v = id * 2")).toBe(100);
  });

  it("fails at once where a column is generated", async () => {
    await sql(`ALTER TABLE app.t ADD COLUMN g int GENERATED ALWAYS AS (id + 1) STORED;
      INSERT INTO app.t SELECT g FROM generate_series(1, 100) g`);
    const report = await apply(db(), fill({ set: "g = 1" }));
    expect(report.failure).toMatchObject({ sqlState: "428C9" });
  });

  it("takes text that ends in a comment", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 30) g");
    const report = await apply(
      db(),
      fill({
        set: "v = id * 2 -- twice",
        where: "v IS NULL -- what is left",
        validate: { row: "v > 0 -- all of them", nothingLeft: false },
      }),
    );
    expect(report.outcome).toBe("applied");
    expect(await count("v = id * 2")).toBe(30);
  });

  it("goes on looking how the host is after it could not say", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 400) g");
    const events: RunEvent[] = [];
    let asked = 0;
    // Long enough for two looks, a second apart.
    const pace = { batchSize: 10, targetMs: false, workers: 1, pauseMs: 80 } as const;
    const slowly = fill({ ...pace, throttle: { handler: "p95" } });
    const report = await apply(db(), slowly, {
      onEvent: (event) => events.push(event),
      handlers: {
        p95: {
          version: 1,
          run: () => {
            if (++asked === 1) throw new Error("no answer");
            return "slow";
          },
        },
      },
    });
    expect(report.outcome).toBe("applied");
    expect(events.filter(({ type }) => type === "watchFailed")).toHaveLength(1);
    expect(events.some((event) => event.type === "throttled" && event.reason === "slow")).toBe(
      true,
    );
  });
});
