import { beforeEach, expect, it } from "vitest";
import { backfill } from "../../src/recipes/backfill.ts";
import { expectRefusal, useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";

const cli = useCli();

const plan = backfill({
  table: "people",
  key: [{ name: "id", type: "integer" }],
  set: "name = 'x'",
  where: "target.name IS NULL",
  ...{ batchSize: 10, targetMs: false, workers: 1, pauseMs: 40 },
});

onServers("underpin backfill", (server) => {
  let environment: Record<string, string> = {};
  beforeEach(async () => {
    environment = { DATABASE_URL: server.url() };
    await server.sql().unsafe(`DROP TABLE IF EXISTS people; DROP SCHEMA IF EXISTS underpin CASCADE;
      CREATE TABLE people (id int PRIMARY KEY, name text);
      INSERT INTO people SELECT g FROM generate_series(1, 1000) g; ANALYZE people`);
  });

  it("helps a run that another process applies, and ends with it", async () => {
    const applying = cli.start(["apply", cli.planFile(plan)], environment);
    await applying.says("… backfill: ");
    const helper = await cli.run(["backfill", "work", plan.name, "--workers", "2"], environment);
    expect(helper).toMatchObject({ code: 0, stderr: "" });
    expect(helper.stdout).toContain(`"${plan.name}" is applied`);
    expect((await applying.ended).code).toBe(0);
    const workers = await server.sql()`SELECT DISTINCT worker FROM underpin.backfill_ranges`;
    expect(workers.length).toBeGreaterThan(1);
    const [left] = await server.sql()`SELECT count(*)::int AS n FROM people WHERE name IS NULL`;
    expect(left?.["n"]).toBe(0);
  });

  it("retries the rows that were set aside, once they are mended", async () => {
    await server
      .sql()
      .unsafe("ALTER TABLE people ADD CONSTRAINT odd CHECK (id <> 17 OR name <> 'x')");
    const failed = await cli.run(["apply", cli.planFile(plan)], environment);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("sets aside the row 17");
    expect(failed.stdout).toContain(`underpin backfill retry ${plan.name}`);
    expect(failed.stdout).toContain(`next: mend those rows, then: underpin backfill retry`);
    const listed = await cli.run(["runs"], environment);
    expect(listed.stdout).toContain(`next: mend those rows, then: underpin backfill retry`);
    expect(listed.stdout).toContain("1 row set aside");
    await server.sql().unsafe("ALTER TABLE people DROP CONSTRAINT odd");
    const retried = await cli.run(["backfill", "retry", plan.name], environment);
    expect(retried).toMatchObject({ code: 0, stderr: "" });
  });

  it("finds the handlers of a stored plan in underpin.config.ts", async () => {
    const computed = backfill({
      ...{ name: "compute", table: "people", key: [{ name: "id", type: "integer" }] },
      ...{ where: "target.name IS NULL", workers: 1 },
      transform: {
        ...{ handler: "spell", version: 1, reads: [] },
        writes: [{ name: "name", type: "text" }],
      },
    });
    const file = cli.planFile(computed);
    expectRefusal(await cli.run(["apply", file], environment), {
      code: 2,
      message: /calls the handler "spell" of version 1/,
      hint: /handlers/,
    });
    cli.file(
      "underpin.config.ts",
      `type Row = { readonly id: number };
       export const handlers = { spell: { version: 1, run: (rows: readonly Row[]) => rows.map(({ id }) => ({ id, name: "no " + id })) } };`,
    );
    const applied = await cli.run(["apply", file], environment, cli.path("."));
    expect(applied).toMatchObject({ code: 0, stderr: "" });
    const [row] = await server.sql()`SELECT name FROM people WHERE id = 17`;
    expect(row?.["name"]).toBe("no 17");
  });

  it("refuses what it does not know", async () => {
    expectRefusal(await cli.run(["backfill", "rest", "x"], environment), {
      code: 2,
      message: /does not know "rest"/,
      hint: /underpin backfill work NAME/,
    });
    expectRefusal(await cli.run(["backfill", "work", "x", "--workers", "none"], environment), {
      code: 2,
      message: /--workers is "none"/,
      hint: /--workers 4/,
    });
  });
});
