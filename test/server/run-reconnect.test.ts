import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Plan } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { isConnectionError } from "../../src/errors.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { Observer } from "../../src/run/events.ts";
import type { Report } from "../../src/run/report.ts";
import { ensureRunSchema } from "../../src/run/run-schema.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import { withBoundaries, type Hook, type Moment } from "../kill/boundaries.ts";
import { readEndState, type EndState } from "../kill/end-state.ts";
import {
  handlersFor,
  SYNTHETIC_SCHEMA,
  syntheticPlan,
  syntheticTables,
} from "../kill/synthetic-plan.ts";
import { onServers, type TestServer } from "../support/server.ts";

const RUN_SCHEMA = "underpin";
const VICTIM = "underpin-test-victim";
/** What a cut connection has taken without knowing it is free after this time. */
const LEASE_MS = 200;
/** Databases that are worked on at once: most of the time goes by waiting to reconnect. */
const WIDTH = 6;

const target = { schema: SYNTHETIC_SCHEMA, table: `ta"ble` };
const plans = [
  { what: "every kind of step", plan: syntheticPlan() },
  { what: "setNotNull", plan: setNotNull({ ...target, column: "label" }) },
  { what: "createIndex", plan: createIndex({ ...target, parts: ["label"] }) },
];

/** `npm run test:kill` cuts at every boundary on every server; else it is the newest, and boundaries that differ to it. */
const everyMoment = process.env.UNDERPIN_KILL === "all";

interface Lane {
  readonly admin: Sql;
  readonly victim: Sql;
}

/** A write to the tables of the run, of leases only the taking: and the commits that make them so. */
function isJournal(text: string): boolean {
  const writes = /^\s*(WITH fence|UPDATE|INSERT)/.test(text) && text.includes(`"${RUN_SCHEMA}".`);
  return text === "commit" || (writes && !text.includes("heartbeat_at = pg_catalog"));
}

/** Cuts every connection of the victim at the wanted journal boundary. */
function cutting({ admin }: Lane, wanted: number, seen: string[]): Hook {
  return async (moment: Moment, { text }) => {
    if (!isJournal(text) || (moment === "before" && !everyMoment)) return;
    seen.push(`${moment}: ${text.slice(0, 80)}`);
    if (seen.length !== wanted) return;
    await admin`
      select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity
      where application_name = ${VICTIM} and datname = pg_catalog.current_database()`;
  };
}

async function prepare({ admin }: Lane): Promise<void> {
  for (const name of [SYNTHETIC_SCHEMA, RUN_SCHEMA])
    await admin.unsafe(`DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`);
  await admin.unsafe(syntheticTables());
  // A connection that is lost while this is made is an error at once: there is no run yet.
  await ensureRunSchema(toExecutor(admin), RUN_SCHEMA);
}

/** A call that finds only dead connections throws, as long as it has not begun: then it is called again. */
async function unlessNotBegun(call: (onEvent: Observer) => Promise<Report>): Promise<Report> {
  let begun = false;
  const onEvent: Observer = ({ type }) => {
    begun ||= type === "runStarted";
  };
  try {
    return await call(onEvent);
  } catch (error) {
    if (begun || !isConnectionError(error)) throw error;
    return call(onEvent);
  }
}

interface Ended {
  readonly outcome: string;
  readonly state: EndState;
  readonly boundaries: number;
}

/** Applies a plan and takes it back; `cut` is the boundary of the two together at which the connections are cut. */
async function thereAndBack(lane: Lane, plan: Plan, cut: number): Promise<Ended> {
  await prepare(lane);
  const seen: string[] = [];
  const database = withBoundaries(toExecutor(lane.victim), cutting(lane, cut, seen));
  const options = { leaseMs: LEASE_MS, handlers: handlersFor() };
  let report = await unlessNotBegun((onEvent) => apply(database, plan, { ...options, onEvent }));
  if (report.outcome === "waiting") {
    await confirm(lane.admin, plan.name, "deployed");
    report = await unlessNotBegun((onEvent) => apply(database, plan, { ...options, onEvent }));
  }
  const applied = report.outcome;
  const midway = await readEndState(lane.admin, SYNTHETIC_SCHEMA, RUN_SCHEMA);
  report = await unlessNotBegun((onEvent) => undo(database, plan.name, { ...options, onEvent }));
  const state = await readEndState(lane.admin, SYNTHETIC_SCHEMA, RUN_SCHEMA);
  return {
    outcome: `${applied}, ${report.outcome}`,
    state: { ...state, rows: { midway, end: state.rows } },
    boundaries: seen.length,
  };
}

async function openLanes(server: TestServer, name: string): Promise<readonly Lane[]> {
  return Promise.all(
    Array.from({ length: WIDTH }, async (_, number) => {
      const url = await server.database(`${name}_${number}`);
      const quiet = { fetch_types: false };
      return {
        admin: server.connect(url, { max: 2, ...quiet }),
        victim: server.connect(url, {
          max: 3,
          ...quiet,
          connection: { application_name: VICTIM },
        }),
      };
    }),
  );
}

onServers("a run whose connections are cut at a journal boundary", (server) => {
  for (const [number, { what, plan }] of plans.entries())
    it.skipIf(!everyMoment && server.major !== 18)(
      `comes to the same end by itself: ${what}`,
      async () => {
        const lanes = await openLanes(server, `cut_${number}`);
        const [first] = lanes as [Lane, ...Lane[]];
        const undisturbed = await thereAndBack(first, plan, 0);
        expect(undisturbed.outcome).toBe("applied, undone");
        const cuts = Array.from({ length: undisturbed.boundaries }, (_, at) => at + 1).values();
        const divergences: unknown[] = [];
        await Promise.all(
          lanes.map(async (lane) => {
            for (const cut of cuts) {
              const ended = await thereAndBack(lane, plan, cut).catch((error: unknown) => error);
              const same = { ...undisturbed, boundaries: 0 };
              const is = { ...(ended as Ended), boundaries: 0 };
              if (ended instanceof Error || JSON.stringify(is) !== JSON.stringify(same))
                divergences.push({ cut, ended });
            }
          }),
        );
        console.log(
          `PostgreSQL ${server.major}, ${what}: cut at ${undisturbed.boundaries} journal boundaries, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(undisturbed.boundaries).toBeGreaterThan(20);
      },
      300_000,
    );

  it("tries once more when the connection is lost before a run has begun, and throws at the second loss", async () => {
    const [lane] = (await openLanes(server, "unbegun")) as [Lane, ...Lane[]];
    await lane.admin.unsafe(syntheticTables());
    const database = withBoundaries(toExecutor(lane.victim), cutting(lane, 2, []));
    const plan = setNotNull({ ...target, column: "label" });
    expect(await apply(database, plan)).toMatchObject({ outcome: "applied" });
    await undo(lane.victim, plan);
    await lane.admin.unsafe(`DROP SCHEMA ${RUN_SCHEMA} CASCADE`);
    const twice = withBoundaries(
      withBoundaries(toExecutor(lane.victim), cutting(lane, 2, [])),
      cutting(lane, 4, []),
    );
    await expect(apply(twice, plan)).rejects.toMatchObject({ code: "connection" });
  });
});
