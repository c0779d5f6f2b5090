import { beforeAll, expect, it } from "vitest";
import type { Step } from "../../src/plan/step.ts";
import type { Report } from "../../src/run/report.ts";
import type { RunStatus } from "../../src/run/runs.ts";
import { LIFE_SETUP, lifeModule, lifePlan } from "../support/cli-plan.ts";
import { expectRefusal, useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";

const cli = useCli();

onServers("the life of a run", (server) => {
  let environment: Record<string, string> = {};
  let module = "";

  beforeAll(async () => {
    environment = { DATABASE_URL: server.url() };
    await server.sql().unsafe(LIFE_SETUP);
    module = cli.file("plan.mjs", lifeModule);
  });

  it("looks without leaving a trace", async () => {
    const runs = await cli.run(["runs"], environment);
    expect(runs.stdout).toContain("no plan was ever applied");
    const dry = await cli.run(["apply", module, "--dry-run"], environment);
    expect(dry.stdout).toContain("ADD COLUMN");
    expect(dry.stdout).toMatch(
      /not begun, would run:\n {2}add\n {2}archive\n {2}deployed\n {2}still-there\n$/,
    );
    const doctor = await cli.run(["doctor"], environment);
    expect(doctor).toMatchObject({ stderr: "" });
    expect(doctor.stdout).toContain("underpin is not there yet");
    for (const args of [
      ["undo", "x"],
      ["pause", "x"],
      ["resume", "x"],
      ["confirm", "x", "y"],
    ])
      expectRefusal(await cli.run(args, environment), {
        code: 2,
        message: /nothing was ever applied here/,
        hint: /underpin apply FILE/,
      });
    const rows =
      await server.sql()`select nspname from pg_catalog.pg_namespace where nspname = 'underpin'`;
    expect(rows).toHaveLength(0);
  });

  it("refuses a plan whose handler is missing, and begins nothing", async () => {
    const ended = await cli.run(["apply", cli.planFile(lifePlan)], environment);
    expectRefusal(ended, {
      code: 2,
      message: /handler "archive" of version 2/,
      hint: /export const handlers/,
    });
    expect((await cli.run(["runs"], environment)).stdout).toContain("no plan was ever applied");
  });

  it("applies up to the gate, with the handlers of the module", async () => {
    const { code, stdout, stderr } = await cli.run(["apply", module], environment);
    expect(stderr).toBe("");
    expect(stdout).toContain("✓ add ");
    expect(stdout).toContain("Is it deployed?");
    expect(stdout).toContain("waits at a gate, 2 of 4 steps applied");
    expect(stdout).toContain(
      `underpin confirm 'it'\\''s a plan' deployed && underpin apply ${module}`,
    );
    expect(code).toBe(0);
  });

  it("says where it is, and what would still run", async () => {
    const text = await cli.run(["runs"], environment);
    expect(text.stdout).toMatch(/waiting, 2 of 4 steps, phase expanded, next deployed/);
    const { stdout } = await cli.run(["runs", "--json"], environment);
    const { runs } = JSON.parse(stdout) as { runs: RunStatus[] };
    expect(runs).toMatchObject([{ name: lifePlan.name, state: "waiting", nextStep: "deployed" }]);
    const dry = await cli.run(["apply", module, "--dry-run", "--json"], environment);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      plans: [lifePlan],
      remaining: [{ state: "waiting", wouldRun: ["deployed", "still-there"] }],
    });
  });

  it("refuses a gate that is not there, and one of another name", async () => {
    const ended = await cli.run(["confirm", lifePlan.name, "nix"], environment);
    expectRefusal(ended, {
      code: 2,
      message: /does not wait at "nix"/,
      hint: /Its gates: deployed/,
    });
  });

  it("refuses the plan with other content, and shows the difference", async () => {
    const changed = {
      ...lifePlan,
      steps: [...lifePlan.steps, { ...lifePlan.steps[3], id: "one-more" } as Step],
    };
    const file = cli.file(
      "changed.mjs",
      `export default ${JSON.stringify(changed)}; export { handlers } from "./plan.mjs"`,
    );
    const ended = await cli.run(["apply", file], environment);
    expectRefusal(ended, {
      code: 2,
      message: /other content:\n {2}\+ one-more/,
      hint: /underpin undo/,
    });
    const dry = await cli.run(["apply", file, "--dry-run"], environment);
    expect(dry.stdout).toMatch(/apply would refuse.*\n {2}\+ one-more/);
    expect(dry.code).toBe(2);
  });

  it("goes on by the stored plan once the gate is confirmed", async () => {
    const confirmed = await cli.run(["confirm", lifePlan.name, "deployed", "--json"], environment);
    expect(JSON.parse(confirmed.stdout)).toEqual({ run: lifePlan.name, confirmed: "deployed" });
    const missing = await cli.run(["resume", lifePlan.name], environment);
    expectRefusal(missing, { code: 2, message: /handler "archive"/, hint: /handlers/ });
    const ended = await cli.run(
      ["resume", lifePlan.name, "--handlers", module, "--json"],
      environment,
    );
    const { reports } = JSON.parse(ended.stdout) as { reports: Report[] };
    expect(reports).toMatchObject([{ plan: lifePlan.name, outcome: "applied", ranHere: true }]);
    expect(ended.code).toBe(0);
  });

  it("says so when it was done before, and does nothing", async () => {
    const { code, stdout } = await cli.run(["apply", module], environment);
    expect(stdout).toContain("was applied before, nothing to do, 4 of 4 steps applied");
    expect(code).toBe(0);
  });

  it("takes back a part, and then all", async () => {
    const nowhere = await cli.run(["undo", lifePlan.name, "--up-to", "nix"], environment);
    expectRefusal(nowhere, { code: 2, message: /no step "nix"/, hint: /add, archive, deployed/ });
    const part = await cli.run(["undo", lifePlan.name, "--up-to", "deployed"], environment);
    expect(part.stdout).toContain("partly taken back, 2 of 4 steps applied");
    const whole = await cli.run(["undo", module], environment);
    expect(whole.stdout).toContain("taken back, 0 of 4 steps applied");
    expect(whole.code).toBe(0);
    const runs = await cli.run(["runs"], environment);
    expect(runs.stdout).toMatch(/: undone, 0 of 4 steps/);
  });
});
