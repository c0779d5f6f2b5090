import type { Sql } from "postgres";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { Report } from "../../src/run/report.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import type { TestServer } from "../support/server.ts";
import { readEndState, type EndState } from "./end-state.ts";
import type { HostJob } from "./host-job.ts";
import type { Hosts } from "./host-process.ts";
import type { KillPoint, NamedPoint } from "./kill-points.ts";
import { handlersFor } from "./synthetic-plan.ts";

/** A plan that is killed everywhere on its way there and back. */
export interface Enumeration {
  readonly server: Pick<TestServer, "database" | "connect">;
  /** The URL of a database through a pooler, for all but steps outside transactions. */
  readonly pooled?: (url: string) => string;
  readonly hosts: Hosts;
  readonly plan: Plan;
  /** The schema that the plan changes, and the script that makes it. */
  readonly schema: string;
  readonly tables: string;
  /**
   * Also the moments that are the same to the database as another one: before a call, which is after the answer before it, and
   * after an answer that only read.
   */
  readonly everyMoment: boolean;
  /** Only each so many-th of the points: to try a long plan. @default 1 */
  readonly each?: number;
}

/** A kill after which the end was another one. */
export interface Divergence {
  readonly point: string;
  readonly difference: unknown;
}

/** What came of killing at every point. */
export interface Enumerated {
  readonly applyPoints: number;
  readonly undoPoints: number;
  readonly divergences: readonly Divergence[];
}

type Task = "applyThrough" | "undo";

const ENDS = { applyThrough: "applied", undo: "undone" } as const;
const RUN_SCHEMA = "underpin";
/** Short, so that what a killed process left is free soon. */
const LEASE_MS = 120;
/** Databases that are worked on at once. */
const WIDTH = 4;

/**
 * Kills a process at every point of a plan in turn, and of its undo; goes on in this process, on connections of its own; and
 * compares each end with that of an undisturbed run.
 */
export async function killEverywhere(enumeration: Enumeration): Promise<Enumerated> {
  const { server, pooled, plan, everyMoment, each = 1 } = enumeration;
  const lanes = await Promise.all(
    Array.from({ length: WIDTH }, async (_, number): Promise<Lane> => {
      const url = await server.database(`${plan.steps.length}_${number}`);
      const quiet = { max: 3, fetch_types: false };
      const sql = server.connect(url, quiet);
      const through = pooled === undefined ? sql : server.connect(pooled(url), quiet);
      return { ...enumeration, url, sql, through };
    }),
  );
  const [lane] = lanes as [Lane, ...Lane[]];
  const first = await undisturbed(lane);
  const second = await undisturbed(lane);
  const divergences: Divergence[] = [];
  const shifted = differing(namesOf(first), namesOf(second));
  if (shifted !== undefined)
    divergences.push({ point: "two undisturbed runs pass other points", difference: shifted });
  const distinct = ({ moment, reads, number }: NamedPoint) =>
    everyMoment || number === 1 || moment === "in flight" || (moment === "answered" && !reads);
  const wanted = (points: readonly NamedPoint[]) =>
    points.filter(distinct).filter((_, at) => at % each === 0);
  const applies = [...wanted(first.applied.points), ...BY_THE_CLOCK];
  const undos = [...wanted(first.undone.points), ...BY_THE_CLOCK];
  const left = Array.from(
    { length: Math.max(applies.length, undos.length) },
    (_, at) => at,
  ).values();
  await Promise.all(
    lanes.map(async (own) => {
      for (const at of left) {
        await prepare(own);
        const there = await killAt(own, "applyThrough", applies[at], first.applied.state);
        const back = await killAt(own, "undo", undos[at], first.undone.state);
        divergences.push(...there, ...back);
      }
    }),
  );
  return { applyPoints: applies.length, undoPoints: undos.length, divergences };
}

/** One database, which is made anew for every point. */
interface Lane extends Enumeration {
  readonly url: string;
  readonly sql: Sql;
  /** The same, through the pooler where there is one. */
  readonly through: Sql;
}

const BY_THE_CLOCK: readonly KillPoint[] = (["pause", "heartbeat", "progress"] as const).flatMap(
  (stream) => [1, 2, 3].map((number) => ({ stream, number })),
);

async function prepare({ sql, schema, tables }: Lane): Promise<void> {
  for (const name of [schema, RUN_SCHEMA])
    await sql.unsafe(`DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`);
  await sql.unsafe(tables);
}

interface Ended {
  readonly points: readonly NamedPoint[];
  readonly state: EndState;
}

interface Undisturbed {
  readonly applied: Ended;
  readonly undone: Ended;
}

async function undisturbed(lane: Lane): Promise<Undisturbed> {
  await prepare(lane);
  const ends: Ended[] = [];
  for (const task of ["applyThrough", "undo"] as const) {
    const host = await lane.hosts.start({ ...jobOf(lane, task), trace: true });
    const { report, points = [] } = await host.said("report");
    await host.ended;
    if (report.outcome !== ENDS[task])
      throw new Error(`undisturbed, it ended ${JSON.stringify(report, null, 2)}`);
    const run = points.filter(({ stream }) => stream === "run");
    ends.push({ points: run, state: await readEndState(lane.sql, lane.schema, RUN_SCHEMA) });
  }
  const [applied, undone] = ends as [Ended, Ended];
  return { applied, undone };
}

function namesOf({ applied, undone }: Undisturbed): readonly string[] {
  return [...applied.points, ...undone.points].map(({ number, name }) => `${number} ${name}`);
}

/** Lets a process do the task and die at the point, where there is one, then brings the task to its end. */
async function killAt(
  lane: Lane,
  task: Task,
  point: (KillPoint & { readonly name?: string }) | undefined,
  expected: EndState,
): Promise<readonly Divergence[]> {
  const told = `${task}, ${point?.stream} ${point?.number}, ${point?.name ?? "by the clock"}`;
  if (point !== undefined) {
    const host = await lane.hosts.start({ ...jobOf(lane, task), killAt: point });
    const { signal, messages, errors } = await host.ended;
    const dying = messages.find((message) => message.type === "dying");
    const died = signal === "SIGKILL" && (point.name ?? dying?.point.name) === dying?.point.name;
    // What a clock starts may not come at all in a run this short.
    const ended = point.stream !== "run" && messages.some(({ type }) => type === "report");
    if (!died && !ended)
      return [{ point: told, difference: { notKilledThere: { signal, messages, errors } } }];
  }
  const report = await goOn(lane, task);
  if (report.outcome !== ENDS[task]) return [{ point: told, difference: report }];
  const difference = differing(expected, await readEndState(lane.sql, lane.schema, RUN_SCHEMA));
  return difference === undefined ? [] : [{ point: told, difference }];
}

function jobOf({ url, pooled, plan, schema }: Lane, task: Task): HostJob {
  const where = pooled === undefined ? { url } : { url: pooled(url), directUrl: url };
  return { ...where, plan, task, handlersWriteTo: schema, options: { leaseMs: LEASE_MS } };
}

/** What a fresh process does after the crash. */
async function goOn(lane: Lane, task: Task): Promise<Report> {
  const { sql, through, pooled, plan, schema } = lane;
  const direct = pooled === undefined ? {} : { direct: sql };
  const options = { leaseMs: LEASE_MS, handlers: handlersFor(schema), ...direct };
  if (task === "undo") return undo(through, plan.name, options);
  for (;;) {
    const report = await apply(through, plan, options);
    if (report.outcome !== "waiting") return report;
    const gate = plan.steps.find(
      ({ id, kind }) =>
        kind === "gate" && report.steps.find((step) => step.id === id)?.state === "unapplied",
    );
    await confirm(through, plan.name, gate?.id ?? "");
  }
}

/** The parts in which two values differ, or undefined. */
function differing(expected: object, actual: object): unknown {
  const parts = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  const found = [...parts].flatMap((key) => {
    const was = JSON.stringify((expected as Record<string, unknown>)[key]);
    const is = JSON.stringify((actual as Record<string, unknown>)[key]);
    return was === is ? [] : [{ part: key, expected: was, actual: is }];
  });
  return found.length === 0 ? undefined : found;
}
