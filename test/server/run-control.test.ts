import { beforeEach, describe, expect, it } from "vitest";
import type { Plan, Step } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm, pause, phaseOf, resume } from "../../src/run/control.ts";
import { runs } from "../../src/run/runs.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import {
  handlersFor,
  SYNTHETIC_SCHEMA,
  syntheticPlan,
  syntheticTables,
} from "../kill/synthetic-plan.ts";
import { onServers } from "../support/server.ts";

const plan = syntheticPlan();
const handlers = handlersFor();

onServers("a run under control", (server) => {
  beforeEach(async () => {
    for (const name of [SYNTHETIC_SCHEMA, "underpin"])
      await server.sql().unsafe(`DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`);
    await server.sql().unsafe(syntheticTables());
  });

  const columns = async (): Promise<readonly string[]> => {
    const rows = await server.sql()<{ name: string }[]>`
      select column_name as name from information_schema.columns
      where table_schema = ${SYNTHETIC_SCHEMA} and table_name = 'ta"ble' order by ordinal_position`;
    return rows.map(({ name }) => name);
  };

  const effects = async (): Promise<readonly string[]> => {
    const rows = await server
      .sql()
      .unsafe<
        { step: string }[]
      >(`SELECT step FROM ${ident(SYNTHETIC_SCHEMA)}.effects ORDER BY ctid`);
    return rows.map(({ step }) => step);
  };

  it("waits at its gate until that is confirmed, and tells its phase all the way", async () => {
    const sql = server.sql();
    expect(await phaseOf(sql, plan)).toBe("none");
    await expect(confirm(sql, plan.name, "deployed")).rejects.toMatchObject({
      code: "unknownRun",
    });
    const first = await apply(sql, plan, { handlers });
    expect(first.outcome).toBe("waiting");
    expect(first.next).toContain(`confirm(db, "synthetic", "deployed")`);
    expect(await phaseOf(sql, plan)).toBe("expanded");
    expect(await apply(sql, plan, { handlers })).toMatchObject({ outcome: "waiting" });
    await expect(confirm(sql, plan.name, "archive")).rejects.toMatchObject({ code: "runState" });
    await confirm(sql, plan.name, "deployed");
    expect(await phaseOf(sql, plan)).toBe("expanded");
    expect(await apply(sql, plan, { handlers })).toMatchObject({ outcome: "applied" });
    expect(await phaseOf(sql, plan.name)).toBe("filled");
    expect(await undo(sql, plan)).toMatchObject({ outcome: "undone" });
    expect(await phaseOf(sql, plan)).toBe("none");
  });

  it("stops for a pause between two batches, and goes on when resumed", async () => {
    const sql = server.sql();
    const slow: Plan = {
      ...plan,
      steps: plan.steps
        .filter(({ kind }) => kind !== "gate")
        .map(
          (step): Step =>
            // A batch and its rest are longer than an answer to "is it paused?" is kept.
            step.kind === "backfill" ? { ...step, batchSize: 1, pauseMs: 150 } : step,
        ),
    };
    let asked: Promise<void> | undefined;
    const report = await apply(sql, slow, {
      handlers,
      onEvent: ({ type }) => {
        if (type === "progress") asked ??= pause(sql, slow.name);
      },
    });
    await asked;
    expect(report.outcome).toBe("paused");
    const [status] = await runs(sql);
    expect(status).toMatchObject({ state: "paused", pauseRequested: true, nextStep: "fill" });
    expect(status?.rowsBackfilled).toBeGreaterThan(0);
    expect(status?.rowsBackfilled).toBeLessThan(15);
    expect(await apply(sql, slow, { handlers })).toMatchObject({ outcome: "paused" });
    expect(await resume(sql, slow.name, { handlers })).toMatchObject({ outcome: "applied" });
    const [after] = await runs(sql);
    expect(after).toMatchObject({ state: "applied", pauseRequested: false, rowsBackfilled: 15 });
    await expect(pause(sql, slow.name)).rejects.toMatchObject({ code: "runState" });
  });

  describe("whose last process died before it gave the lease back", () => {
    const leaveLease = () => server.sql()`
      update underpin.leases
      set token = token + 1, expires_at = pg_catalog.clock_timestamp() + interval '400 ms'`;

    it("goes on past a gate that was confirmed", async () => {
      const sql = server.sql();
      expect(await apply(sql, plan, { handlers })).toMatchObject({ outcome: "waiting" });
      await leaveLease();
      await confirm(sql, plan.name, "deployed");
      expect(await apply(sql, plan, { handlers })).toMatchObject({ outcome: "applied" });
    });

    it("tries again what failed and was mended", async () => {
      const sql = server.sql();
      const items = `${ident(SYNTHETIC_SCHEMA)}."ta""ble"`;
      const checked: Plan = { ...plan, steps: plan.steps.filter(({ kind }) => kind === "check") };
      const [has] = checked.steps as [Step, ...Step[]];
      const one: Plan = { ...checked, steps: [has] };
      await sql.unsafe(`DELETE FROM ${items} WHERE id = 15`);
      expect(await apply(sql, one)).toMatchObject({ outcome: "failed" });
      await leaveLease();
      await sql.unsafe(`INSERT INTO ${items} VALUES (15, 'mended')`);
      expect(await apply(sql, one)).toMatchObject({ outcome: "applied", ranHere: true });
    });
  });

  it("does nothing a second time, and says that it was done", async () => {
    const sql = server.sql();
    await apply(sql, plan, { handlers });
    await confirm(sql, plan.name, "deployed");
    expect(await apply(sql, plan, { handlers })).toMatchObject({ ranHere: true });
    const revived = JSON.parse(JSON.stringify(plan)) as Plan;
    expect(await apply(sql, revived, { handlers })).toMatchObject({
      outcome: "applied",
      ranHere: false,
    });
    expect(await effects()).toEqual(["note-effect"]);
  });

  it("refuses other content under its name and shows the difference, until it is taken back", async () => {
    const sql = server.sql();
    await apply(sql, plan, { handlers });
    const changed: Plan = {
      ...plan,
      steps: plan.steps.map(
        (step): Step =>
          step.id === "note-effect" && step.kind === "sql"
            ? { ...step, sql: step.sql.replace("note-effect", "something else") }
            : step,
      ),
    };
    const refused = apply(sql, changed, { handlers });
    await expect(refused).rejects.toMatchObject({ code: "planChanged" });
    await expect(refused).rejects.toThrow(/note-effect\.sql[^]*something else/);
    expect(await effects()).toEqual(["note-effect"]);
    expect(await undo(sql, plan)).toMatchObject({ outcome: "undone" });
    expect(await apply(sql, changed, { handlers })).toMatchObject({ outcome: "waiting" });
    expect(await effects()).toEqual(["note-effect", "undo of it", "something else"]);
    const states = (await runs(sql)).map(({ state }) => state);
    expect(states).toEqual(["waiting", "undone"]);
  });

  it("refuses an undo of what cannot be taken back before it touches anything", async () => {
    const sql = server.sql();
    const final: Plan = {
      ...plan,
      steps: plan.steps.map(
        (step): Step =>
          step.id === "note-effect"
            ? { ...step, undo: { kind: "irreversible", reason: "the letter is in the post" } }
            : step,
      ),
    };
    await apply(sql, final, { handlers });
    const before = await columns();
    const refused = undo(sql, final);
    await expect(refused).rejects.toMatchObject({ code: "irreversible" });
    await expect(refused).rejects.toThrow("the letter is in the post");
    expect(await columns()).toEqual(before);
    expect(await runs(sql)).toMatchObject([{ state: "waiting" }]);
    // What came after it can be taken back.
    expect(await undo(sql, final, { upTo: "add-check" })).toMatchObject({
      outcome: "partlyUndone",
    });
  });

  it("is taken back down to a step, and goes on from there", async () => {
    const sql = server.sql();
    await apply(sql, plan, { handlers });
    await confirm(sql, plan.name, "deployed");
    await apply(sql, plan, { handlers });
    await expect(undo(sql, plan, { upTo: "no such step" })).rejects.toMatchObject({
      code: "invalidInput",
    });
    const part = await undo(sql, plan, { upTo: "validate-check" });
    expect(part.outcome).toBe("partlyUndone");
    expect(part.steps.filter(({ state }) => state === "unapplied").map(({ id }) => id)).toEqual(
      plan.steps
        .slice(plan.steps.findIndex(({ id }) => id === "validate-check"))
        .map(({ id }) => id),
    );
    expect(await columns()).toContain("co'l");
    expect(await phaseOf(sql, plan)).toBe("expanded");
    expect(await apply(sql, plan, { handlers })).toMatchObject({ outcome: "applied" });
    expect(await undo(sql, plan)).toMatchObject({ outcome: "undone" });
    expect(await columns()).not.toContain("co'l");
  });

  it("refuses a plan whose handler is missing or of another version, before its first step", async () => {
    const sql = server.sql();
    await expect(apply(sql, plan)).rejects.toMatchObject({ code: "missingHandler" });
    const old = { note: { version: 0, run: () => {} } };
    await expect(apply(sql, plan, { handlers: old })).rejects.toMatchObject({
      code: "missingHandler",
    });
    expect(await columns()).not.toContain("co'l");
  });
});
