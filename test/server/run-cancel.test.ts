import { beforeEach, expect, it } from "vitest";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { RunEvent } from "../../src/run/events.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { Report } from "../../src/run/report.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import { readEndState, type EndState } from "../kill/end-state.ts";
import {
  handlersFor,
  SYNTHETIC_SCHEMA,
  syntheticPlan,
  syntheticTables,
} from "../kill/synthetic-plan.ts";
import { onServers } from "../support/server.ts";

const plan = syntheticPlan();
/** Without its gate, so that one call goes through. */
const ungated: Plan = { ...plan, steps: plan.steps.filter(({ kind }) => kind !== "gate") };

onServers("a run that its caller cancels", (server) => {
  const prepare = async () => {
    for (const name of [SYNTHETIC_SCHEMA, "underpin"])
      await server.sql().unsafe(`DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`);
    await server.sql().unsafe(syntheticTables());
  };
  beforeEach(prepare);

  const endState = (): Promise<EndState> =>
    readEndState(server.sql(), SYNTHETIC_SCHEMA, "underpin");

  /** Calls with a signal that is aborted when the event of this number is told; 0 is before the call. */
  async function abortAt(
    at: number,
    call: (options: RunOptions) => Promise<Report>,
  ): Promise<{ readonly report: Report; readonly events: number }> {
    const controller = new AbortController();
    let events = 0;
    const onEvent = () => {
      if (++events === at) controller.abort();
    };
    if (at === 0) controller.abort();
    const report = await call({ handlers: handlersFor(), signal: controller.signal, onEvent });
    return { report, events };
  }

  it("stops at any border with a report, and a later apply or undo completes it", async () => {
    const sql = server.sql();
    const forwards = (options: RunOptions) => apply(sql, ungated, options);
    const backwards = (options: RunOptions) => undo(sql, ungated.name, options);
    const there = await abortAt(-1, forwards);
    expect(there.report.outcome).toBe("applied");
    const applied = await endState();
    const back = await abortAt(-1, backwards);
    expect(back.report.outcome).toBe("undone");
    const undone = await endState();

    const outcomes = new Map<string, number>();
    const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (let at = 0; at <= Math.max(there.events, back.events); at++) {
      await prepare();
      const first = await abortAt(at, forwards);
      note(`apply ${first.report.outcome}`);
      const [run] = await sql<{ state: string }[]>`select state from underpin.runs`;
      expect([first.report.outcome, run?.state]).toEqual(
        first.report.outcome === "applied" ? ["applied", "applied"] : ["cancelled", "stopped"],
      );
      expect(await forwards({ handlers: handlersFor() })).toMatchObject({ outcome: "applied" });
      const attempted = await endState();
      expect(attempted).toEqual(applied);

      const second = await abortAt(at, backwards);
      note(`undo ${second.report.outcome}`);
      expect(await backwards({})).toMatchObject({ outcome: "undone" });
      expect(await endState()).toEqual(undone);
    }
    console.log(`PostgreSQL ${server.major}: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    expect(outcomes.get("apply cancelled")).toBeGreaterThan(15);
    expect(outcomes.get("undo cancelled")).toBeGreaterThan(5);
  }, 120_000);

  it("stops while it waits for somebody else's run", async () => {
    const sql = server.sql();
    const controller = new AbortController();
    let release = () => {};
    const inHandler = new Promise<void>((entered) => {
      release = entered;
    });
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const slow = {
      note: {
        version: 1,
        run: async () => {
          release();
          await held;
        },
      },
    };
    const first = apply(sql, ungated, { handlers: slow });
    await inHandler;
    const second = apply(sql, ungated, {
      handlers: slow,
      signal: controller.signal,
      onEvent: ({ type }: RunEvent) => {
        if (type === "busy") controller.abort();
      },
    });
    expect(await second).toMatchObject({ outcome: "cancelled", ranHere: false });
    const returned = apply(sql, ungated, { handlers: slow, whenBusy: "return" });
    expect(await returned).toMatchObject({ outcome: "busy", ranHere: false });
    goOn();
    expect(await first).toMatchObject({ outcome: "applied", ranHere: true });
  });

  it("is not disturbed by an observer that throws: it hears of that once", async () => {
    const told: string[] = [];
    const onEvent = ({ type }: RunEvent) => {
      told.push(type);
      throw new Error("the observer is broken");
    };
    const sql = server.sql();
    const options = { handlers: handlersFor(), onEvent };
    expect(await apply(sql, plan, options)).toMatchObject({ outcome: "waiting" });
    await confirm(sql, plan.name, "deployed");
    const before = told.length;
    expect(told.filter((type) => type === "observerFailed")).toHaveLength(1);
    expect(await apply(sql, plan, options)).toMatchObject({ outcome: "applied" });
    expect(told.slice(before).filter((type) => type === "observerFailed")).toHaveLength(1);
    expect(told.filter((type) => type === "stepApplied")).toHaveLength(plan.steps.length);
  });
});
