import { beforeAll, beforeEach, expect, it } from "vitest";
import { createIndex } from "../../src/recipes/create-index.ts";
import type { BackfillStep, Plan } from "../../src/plan/step.ts";
import type { Report } from "../../src/run/report.ts";
import { expectRefusal, useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";

const cli = useCli();

const fill = (name: string, pauseMs: number): Plan => {
  const step: BackfillStep = {
    kind: "backfill",
    id: "fill",
    title: "Fill",
    table: { schema: "public", name: "people" },
    key: [{ name: "id", type: "integer" }],
    set: "name = 'x'",
    where: "target.name IS NULL",
    batchSize: 10,
    pauseMs,
    undo: { kind: "nothing" },
  };
  return { format: 1, name, steps: [step] };
};

const ROWS = 400;

onServers("a run on the command line", (server) => {
  let environment: Record<string, string> = {};

  beforeAll(async () => {
    environment = { DATABASE_URL: server.url() };
    await server.sql().unsafe("CREATE TABLE people (id int PRIMARY KEY, name text)");
  });
  beforeEach(async () => {
    await server
      .sql()
      .unsafe(
        `TRUNCATE people; INSERT INTO people SELECT g FROM generate_series(1, ${ROWS}) g; ANALYZE people`,
      );
  });
  const left = async () => (await server.sql()`select 1 from people where name is null`).length;

  it("stops between two batches at Ctrl-C, and goes on from there", async () => {
    const file = cli.planFile(fill("interrupted", 20));
    const running = cli.start(["apply", file], environment);
    await running.says("… fill: ");
    running.process.kill("SIGINT");
    const ended = await running.ended;
    expect(ended.stderr).toContain("stopping after the statement or batch that is running");
    expect(ended.stdout).toContain("stopped between two statements");
    expect(ended.stdout).toContain(`go on with: underpin apply ${file}`);
    expect(ended.code).toBe(3);
    const before = await left();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(ROWS);
    const again = await cli.run(["apply", file], environment);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(await left()).toBe(0);
  });

  it("ends at once at the second Ctrl-C", async () => {
    const file = cli.file(
      "stubborn.mjs",
      `export default { format: 1, name: "stubborn", steps: [{ kind: "call", id: "hold", title: "Hold",
         handler: "hold", version: 1, argument: null, undo: { kind: "nothing" } }] };
       const hold = () => { console.log("holds"); return new Promise((go) => setTimeout(go, 600_000)); };
       export const handlers = { hold: { version: 1, run: hold } };`,
    );
    const running = cli.start(["apply", file, "--lease-ms", "1000"], environment);
    await running.says("holds");
    running.process.kill("SIGINT");
    await new Promise((told) => running.process.stderr?.once("data", told));
    running.process.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
    expect((await cli.run(["undo", "stubborn"], environment)).code).toBe(0);
  });

  it("is paused from another process, and resumed", async () => {
    const running = cli.start(["apply", cli.planFile(fill("paused", 150))], environment);
    await running.says("… fill: ");
    const busy = await cli.run(
      ["apply", cli.planFile(fill("paused", 150)), "--when-busy", "return"],
      environment,
    );
    expect(busy.stdout).toContain("another process runs it");
    expect(busy.code).toBe(3);
    const paused = await cli.run(["pause", "paused"], environment);
    expect(paused.stdout).toContain("next: underpin resume paused");
    const ended = await running.ended;
    expect(ended.stdout).toContain("paused: paused, 0 of 1 steps applied");
    expect(ended.code).toBe(3);
    expect((await cli.run(["runs"], environment)).stdout).toMatch(/^paused: paused, /m);
    const resumed = await cli.run(["resume", "paused"], environment);
    expect(resumed.stdout).toContain("paused: applied, 1 of 1 steps applied");
    expect(await left()).toBe(0);
  });

  it("is found by the doctor when its process was killed, and goes on", async () => {
    const file = cli.planFile(fill("killed", 20));
    const running = cli.start(["apply", file, "--lease-ms", "1000"], environment);
    await running.says("… fill: ");
    running.process.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    await expect
      .poll(async () => (await cli.run(["doctor"], environment)).stdout, { timeout: 20_000 })
      .toMatch(/run "killed" was left by its process \(.*\) at fill\n.*underpin resume killed/);
    const resumed = await cli.run(["resume", "killed", "--json"], environment);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ reports: [{ outcome: "applied" }] });
    expect(await left()).toBe(0);
  });

  it("prints the statement, its SQLSTATE and what to do when a step fails", async () => {
    await server.sql()`update people set name = 'twice'`;
    const plan = createIndex({ table: "people", parts: ["name"], unique: true });
    const file = cli.planFile(plan);
    const failed = await cli.run(["apply", file], environment);
    expect(failed.stdout).toMatch(/error: +could not create unique index "people_name_idx"/);
    expect(failed.stdout).toMatch(/SQLSTATE: +23505/);
    expect(failed.stdout).toMatch(/statement: +CREATE UNIQUE INDEX CONCURRENTLY "people_name_idx"/);
    expect(failed.stdout).toContain(`next: mend the cause, then: underpin apply ${file}`);
    expect(failed.code).toBe(1);
    const doctor = await cli.run(["doctor"], environment);
    expect(doctor.stdout).toMatch(
      /finding: run "create-index-public-people_name_idx" failed at create-index/,
    );
    expect(doctor.code).toBe(3);
    await server.sql()`update people set name = id::text`;
    expect((await cli.run(["apply", file], environment)).code).toBe(0);
    expect((await cli.run(["undo", file], environment)).code).toBe(0);
  });

  it("names who is in the way when no lock can be had", async () => {
    const lock = { schema: "public", name: "people", mode: "accessExclusive" } as const;
    const plan: Plan = {
      format: 1,
      name: "blocked",
      steps: [
        {
          kind: "sql",
          id: "widen",
          title: "Widen",
          sql: "ALTER TABLE public.people ADD COLUMN age int",
          locks: [lock],
          transaction: "commitAfter",
          undo: { kind: "irreversible", reason: "ages are gone with their column" },
        },
      ],
    };
    const holder = await server.connect({ max: 1 }).reserve();
    await holder`begin`;
    await holder`select count(*) as held_for_the_test from people`;
    const limits = [
      "--lock-timeout-ms",
      "200",
      "--lock-budget-ms",
      "600",
      "--retry-delay-ms",
      "50",
    ];
    const failed = await cli.run(["apply", cli.planFile(plan), ...limits], environment);
    expect(failed.stdout).toMatch(/… widen waits .* for pid \d+/);
    expect(failed.stdout).toMatch(/blocked by: pid \d+ .*held_for_the_test/);
    expect(failed.stdout).toMatch(/what to do: .*pg_terminate_backend/);
    expect(failed.code).toBe(1);
    const json = await cli.run(["apply", cli.planFile(plan), ...limits, "--json"], environment);
    const { reports } = JSON.parse(json.stdout) as { reports: Report[] };
    expect(reports[0]?.failure?.blockers?.[0]).toMatchObject({ relation: "public.people" });
    await holder`rollback`;
    holder.release();
    expect((await cli.run(["apply", cli.planFile(plan)], environment)).code).toBe(0);
    const undo = await cli.run(["undo", "blocked"], environment);
    expectRefusal(undo, {
      code: 2,
      message: /widen: ages are gone with their column/,
      hint: /Nothing was touched/,
    });
  });

  it("stops at the first plan of a file that does not end well", async () => {
    const bad: Plan = {
      format: 1,
      name: "bad",
      steps: [
        {
          kind: "check",
          id: "none",
          title: "Nobody is there",
          sql: "SELECT id FROM public.people LIMIT 1",
          expect: "noRows",
          transaction: "inside",
          undo: { kind: "nothing" },
        },
      ],
    };
    const file = cli.file("three.json", JSON.stringify([fill("good", 0), bad, fill("after", 0)]));
    const ended = await cli.run(["apply", file], environment);
    expect(ended.stdout).toContain("good: applied");
    expect(ended.stdout).toMatch(/bad: failed[^]*found rows/);
    expect(ended.stdout).toContain("not begun: after");
    expect(ended.code).toBe(1);
    const json = await cli.run(["apply", file, "--json"], environment);
    expect(JSON.parse(json.stdout)).toMatchObject({
      reports: [{ outcome: "applied", ranHere: false }, { outcome: "failed" }],
      notBegun: ["after"],
    });
  });

  it("is examined with prepared transactions and INVALID indexes in view", async () => {
    await server.sql().unsafe("CREATE TABLE pairs (a int); INSERT INTO pairs VALUES (1), (1)");
    await server
      .sql()
      .unsafe("CREATE UNIQUE INDEX CONCURRENTLY pairs_a ON pairs (a)")
      .catch(() => undefined);
    const session = await server.connect({ max: 1 }).reserve();
    await session.unsafe("BEGIN");
    await session.unsafe("SELECT 1");
    await session.unsafe("PREPARE TRANSACTION 'cli doctor'");
    const { code, stdout } = await cli.run(["doctor", "--json"], environment);
    await session.unsafe("ROLLBACK PREPARED 'cli doctor'");
    session.release();
    const { findings } = JSON.parse(stdout) as { findings: { what: string; hint: string }[] };
    const told = findings.map(({ what, hint }) => `${what} → ${hint}`).join("\n");
    expect(told).toMatch(/prepared transaction "cli doctor" .*→ COMMIT PREPARED or ROLLBACK/);
    expect(told).toMatch(/"public"."pairs_a" on pairs is INVALID.*→ DROP INDEX CONCURRENTLY/);
    expect(code).toBe(3);
  });

  it("runs what needs a connection of its own past the pooler that it is told of", async () => {
    const plan = createIndex({ table: "people", parts: ["id", "name"] });
    const args = ["apply", cli.planFile(plan), "--direct-url"];
    const nowhere = await cli.run([...args, "postgres://u:s3cret@127.0.0.1:1/x"], environment);
    expectRefusal(nowhere, {
      code: 1,
      message: /u@127.0.0.1:1.*nobody listens/,
      hint: /host and port/,
    });
    const elsewhere = await cli.run([...args, await server.database("elsewhere")], environment);
    expect(elsewhere.stdout).toMatch(/leads to another database[^]*--direct-url/);
    expect(elsewhere.code).toBe(1);
    const direct = { ...environment, DIRECT_URL: server.url() };
    expect((await cli.run(["apply", cli.planFile(plan)], direct)).code).toBe(0);
    expect((await cli.run(["undo", plan.name], direct)).code).toBe(0);
  });

  it("works in a run schema and on a table with hostile names", async () => {
    await server
      .sql()
      .unsafe(
        `CREATE SCHEMA "we""ird Schema"; CREATE TABLE "we""ird Schema"."ta""ble" ("co'l" int)`,
      );
    const plan = createIndex({ schema: 'we"ird Schema', table: 'ta"ble', parts: ["co'l"] });
    const schema = ["--run-schema", 'ru"n Schema'];
    const applied = await cli.run(["apply", cli.planFile(plan), ...schema], environment);
    expect(applied).toMatchObject({ code: 0, stderr: "" });
    expect((await cli.run(["runs", ...schema], environment)).stdout).toContain(
      `${plan.name}: applied`,
    );
    expect((await cli.run(["doctor", ...schema], environment)).stdout).toContain(
      'ru"n Schema, version',
    );
    expect((await cli.run(["undo", plan.name, ...schema], environment)).code).toBe(0);
  });
});
