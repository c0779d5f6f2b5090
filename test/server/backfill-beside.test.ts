import { citext } from "@electric-sql/pglite/contrib/citext";
import { beforeEach, describe, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { plan } from "../../src/plan/plan.ts";
import type { BackfillStep } from "../../src/plan/step.ts";
import { backfill } from "../../src/recipes/backfill.ts";
import { apply } from "../../src/run/apply.ts";
import { workBackfill } from "../../src/run/backfill/work-backfill.ts";
import { undo } from "../../src/run/undo.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";

const id = [{ name: "id", type: "integer" }] as const;

const bare = {
  kind: "backfill",
  id: "fill",
  title: "Fill",
  table: { schema: "app", name: "t" },
  key: id,
  where: "target.v IS NULL",
  batchSize: 10,
  pauseMs: 0,
  workers: 2,
  undo: { kind: "nothing" },
} as const;

onServers("a backfill beside others", (server) => {
  const sql = (text: string) => server.sql().unsafe(text);
  const count = async (where: string) => {
    const [row] = await sql(`SELECT count(*)::int AS n FROM app.t WHERE ${where}`);
    return Number(row?.["n"]);
  };

  beforeEach(async () => {
    await sql(`DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
      CREATE TABLE app.t (id int PRIMARY KEY, v int)`);
  });

  const fill = (rest: object = {}) =>
    backfill({
      ...{ schema: "app", table: "t", key: id, set: "v = id * 2", where: "v IS NULL" },
      ...{ batchSize: 10, workers: 2, targetMs: false },
      ...rest,
    });

  /** A login with limits of its own, to which the schema belongs. */
  const login = async (name: string, settings = "") => {
    const role = await server.role(name);
    await sql(`GRANT CREATE ON DATABASE ${ident(new URL(server.url()).pathname.slice(1))} TO ${ident(role)};
      ALTER SCHEMA app OWNER TO ${ident(role)}; ALTER TABLE app.t OWNER TO ${ident(role)}; ${settings.replaceAll("LOGIN", ident(role))}`);
    return server.connect(server.urlAs(role));
  };

  it("refuses to hand rows to a statement that row security hides when they are locked", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 50) g; CREATE TABLE app.copy (id int);
      ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      CREATE POLICY seen ON app.t FOR SELECT USING (true)`);
    const owner = await login("owner", "ALTER TABLE app.copy OWNER TO LOGIN");
    const copy: BackfillStep = { ...bare, sql: "INSERT INTO app.copy SELECT id FROM batch" };
    const report = await apply(owner, plan("copy", [copy]));
    expect(report.failure).toMatchObject({ code: "rowSecurity" });
    await sql("CREATE POLICY changed ON app.t FOR UPDATE USING (true) WITH CHECK (true)");
    expect((await apply(owner, plan("copy", [copy]))).outcome).toBe("applied");
    expect(await sql("SELECT FROM app.copy")).toHaveLength(50);
  });

  it("is taken back after the batches that are under way, so that none of their rows stays", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 50) g");
    const undoSql = "UPDATE app.t SET v = NULL WHERE v IS NOT NULL";
    const step: BackfillStep = {
      ...{ ...bare, set: "v = 1", where: "target.v IS NULL AND target.id > 1" },
      undo: {
        ...{ kind: "statement", transaction: "inside", sql: undoSql },
        locks: [{ schema: "app", name: "t", mode: "rowExclusive" }],
      },
    };
    const made = plan("there-and-back", [step]);
    expect((await apply(server.sql(), made)).outcome).toBe("applied");
    // As a helper's batch that began before the undo: it holds the step's row until it has committed.
    const helper = server.connect({ max: 1 });
    await helper.unsafe(
      `BEGIN; SELECT FROM underpin.steps FOR SHARE; UPDATE app.t SET v = 1 WHERE id = 1`,
    );
    const back = undo(server.sql(), made.name);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await helper.unsafe("COMMIT");
    expect((await back).outcome).toBe("undone");
    expect(await count("v IS NOT NULL")).toBe(0);
  });

  it("works on a pool of one connection with four workers whose handler asks the database too", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 100) g");
    const transform = {
      handler: "h",
      version: 1,
      reads: [],
      writes: [{ name: "v", type: "integer" }],
    };
    const made = plan("one", [{ ...bare, workers: 4, transform }]);
    const report = await apply(server.connect({ max: 1 }), made, {
      handlers: {
        h: {
          version: 1,
          run: async (rows, { executor }) => {
            const [row] = await executor.query<{ two: number }>("SELECT 2 AS two");
            return (rows as { id: number }[]).map((each) => ({ id: each.id, v: row?.two }));
          },
        },
      },
    });
    expect(report.outcome).toBe("applied");
    expect(await count("v = 2")).toBe(100);
  });

  it("counts a failed batch while another is long, for a login whose own limits are short", async () => {
    await sql(`INSERT INTO app.t SELECT g FROM generate_series(1, 400) g; ANALYZE app.t;
      CREATE FUNCTION app.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id = 1 THEN PERFORM pg_sleep(2); ELSIF NEW.id = 300 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.slow()`);
    const impatient = await login(
      "impatient",
      "ALTER ROLE LOGIN SET lock_timeout = '200ms'; ALTER ROLE LOGIN SET statement_timeout = '1s'; ALTER FUNCTION app.slow OWNER TO LOGIN",
    );
    const report = await apply(impatient, fill({ maxAttempts: 1, workers: 3 }));
    expect(report.failure).toMatchObject({ code: "rowsFailed" });
    expect(report.failure?.message).toContain("(300)");
    expect(await count("v = id * 2")).toBe(399);
  });

  it("changes each row once though its connections are ended again and again", async () => {
    await sql("INSERT INTO app.t SELECT g, 0 FROM generate_series(1, 1500) g; ANALYZE app.t");
    // What it asks about types at connect it asks outside of any promise.
    const pool = server.connect({
      ...{ max: 5, fetch_types: false },
      connection: { application_name: "ended" },
    });
    let over = false;
    const ending = (async () => {
      for (let times = 0; !over && times < 15; times++) {
        await new Promise((resolve) => setTimeout(resolve, 120));
        await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'ended' AND datname = current_database() AND random() < 0.6`);
      }
    })();
    const report = await apply(
      pool,
      fill({ set: "v = target.v + 1", where: "true", pauseMs: 10 }),
      {
        leaseMs: 1_000,
      },
    );
    over = true;
    await ending;
    expect(report.outcome).toBe("applied");
    expect(await count("v = 1")).toBe(1500);
  });

  it("tells a helper why it could not help, as the database said it", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 50) g");
    const made = fill({ set: "v = app.missing()" });
    await apply(server.sql(), made);
    await sql(
      `UPDATE underpin.runs SET state = 'running'; UPDATE underpin.steps SET state = 'claimed' WHERE id = 'backfill'`,
    );
    await expect(workBackfill(server.sql(), made.name)).rejects.toMatchObject({ code: "42883" });
  });
});

describe("a backfill by keys of a type whose schema is not on the search path", () => {
  it("is refused, since they would be compared as another type, and applied where it is", async () => {
    const sandbox = await bootSandbox({ extensions: { citext } });
    try {
      const db = toExecutor(sandbox.client);
      await db.query(`CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE SCHEMA app;
        CREATE TABLE app.t (code ext.citext PRIMARY KEY, v int)`);
      await db.query(
        `INSERT INTO app.t SELECT CASE WHEN g % 2 = 0 THEN 'A' ELSE 'b' END || g FROM generate_series(1, 100) g`,
      );
      const made = backfill({
        ...{ schema: "app", table: "t", key: [{ name: "code", type: "ext.citext" }] },
        ...{ set: "v = 1", where: "v IS NULL", batchSize: 10, targetMs: false },
      });
      const report = await apply(sandbox.client, made);
      expect(report.failure?.message).toContain(`operators of the schema "ext"`);
      await db.query("SET search_path = public, ext");
      expect((await apply(sandbox.client, made)).outcome).toBe("applied");
      const [left] = await db.query("SELECT count(*)::int AS n FROM app.t WHERE v IS NULL");
      expect(left).toEqual({ n: 0 });
    } finally {
      await sandbox.close();
    }
  });
});
