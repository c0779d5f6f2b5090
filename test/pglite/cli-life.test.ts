import { PGlite } from "@electric-sql/pglite";
import { mkdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { LIFE_SETUP, lifeModule, lifePlan } from "../support/cli-plan.ts";
import { expectRefusal, useCli } from "../support/cli.ts";

const cli = useCli();

describe("the life of a run on an embedded database", () => {
  let environment: Record<string, string> = {};

  beforeAll(async () => {
    const directory = cli.path("data");
    mkdirSync(directory);
    environment = { DATABASE_URL: `pglite:${directory}` };
    const db = await PGlite.create(directory);
    await db.exec(LIFE_SETUP);
    await db.close();
  });

  it("goes from its first step to its undo, each command a process of its own", async () => {
    const module = cli.file("plan.mjs", lifeModule);
    const waiting = await cli.run(["apply", module], environment);
    expect(waiting).toMatchObject({ code: 0, stderr: "" });
    expect(waiting.stdout).toContain("waits at a gate, 2 of 4 steps applied");
    const confirmed = await cli.run(["confirm", lifePlan.name, "deployed"], environment);
    expect(confirmed.code).toBe(0);
    const applied = await cli.run(["apply", module], environment);
    expect(applied.stdout).toContain("applied, 4 of 4 steps applied");
    const undone = await cli.run(["undo", module], environment);
    expect(undone.stdout).toContain("taken back, 0 of 4 steps applied");
    expect(undone.code).toBe(0);
  });

  it("is looked at by the doctor, who knows that it is embedded", async () => {
    const { code, stdout } = await cli.run(["doctor"], { DATABASE_URL: "memory:" });
    expect(stdout).toMatch(/driver pglite/);
    expect(stdout).toMatch(/pooler +none: it is embedded/);
    expect(code).toBe(0);
  });

  it("refuses a database that another process has open", async () => {
    const holding = cli.file(
      "holding.mjs",
      `export default async () => { console.log("holds"); await new Promise((go) => setTimeout(go, 60_000)); }`,
    );
    const hold = cli.file(
      "call.mjs",
      `import hold from ${JSON.stringify(holding)};
       export default { format: 1, name: "hold", steps: [{ kind: "call", id: "hold", title: "Hold", handler: "hold",
         version: 1, argument: null, undo: { kind: "nothing" } }] };
       export const handlers = { hold: { version: 1, run: hold } };`,
    );
    const first = cli.start(["apply", hold], environment);
    await first.says("holds");
    const second = await cli.run(["runs"], environment);
    first.process.kill("SIGKILL");
    await first.ended;
    expectRefusal(second, { code: 1, message: new RegExp(`${first.process.pid}`), hint: /./ });
    expect((await cli.run(["undo", "hold"], environment)).code).toBe(0);
  });
});
