import type { Sql } from "postgres";
import { isConnectionError } from "../../src/errors.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { Observer } from "../../src/run/events.ts";
import type { Report } from "../../src/run/report.ts";
import { ensureRunSchema } from "../../src/run/run-schema.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import type { TestServer } from "../support/server.ts";
import { withBoundaries, type Hook } from "./boundaries.ts";
import { readEndState, type EndState } from "./end-state.ts";

/** A plan whose connections are cut at each of its journal boundaries, there and back. */
export interface Severing {
  readonly server: Pick<TestServer, "database" | "connect">;
  readonly plan: Plan;
  /** The schema that the plan changes, and the script that makes it. */
  readonly schema: string;
  readonly tables: string;
  /** Lives of the plan, each cut at its share of the boundaries. @default 4 */
  readonly lives?: number;
}

/** What came of it. */
export interface Severed {
  /** Different ones: a boundary is a moment of a journal statement in a step. */
  readonly boundaries: number;
  /** Boundaries that were never met in the life that was to be cut there. */
  readonly missed: readonly string[];
  readonly divergences: readonly unknown[];
}

const RUN_SCHEMA = "underpin";
const VICTIM = "underpin-test-severed";
/** What a cut connection has taken without knowing it is free after this time. */
const LEASE_MS = 200;

/**
 * Cuts all connections of a run at each journal boundary, and compares the end with that of an undisturbed life.
 *
 * One life is cut at many boundaries, at each once: a plan of a hundred steps would take an hour otherwise.
 */
export async function severEverywhere({
  server,
  plan,
  schema,
  tables,
  lives = 4,
}: Severing): Promise<Severed> {
  const lanes = await Promise.all(
    Array.from({ length: lives }, async (_, number): Promise<Lane> => {
      const url = await server.database(`severed_${plan.steps.length}_${number}`);
      const admin = server.connect(url, { max: 2, fetch_types: false });
      const connection = { application_name: VICTIM };
      const victim = server.connect(url, { max: 4, fetch_types: false, connection });
      return { plan, schema, tables, admin, victim };
    }),
  );
  const [first] = lanes as [Lane, ...Lane[]];
  const met = new Set<string>();
  const undisturbed = await live(first, (boundary) => {
    met.add(boundary);
    return false;
  });
  const all = [...met];
  const missed: string[] = [];
  const divergences: unknown[] = [];
  await Promise.all(
    lanes.map(async (lane, number) => {
      const left = new Set(all.filter((_, at) => at % lives === number));
      const ended = await live(lane, (boundary) => left.delete(boundary)).catch(
        (error: unknown) => error,
      );
      missed.push(...left);
      if (ended instanceof Error || JSON.stringify(ended) !== JSON.stringify(undisturbed))
        divergences.push(ended instanceof Error ? String(ended) : differing(undisturbed, ended));
    }),
  );
  return { boundaries: all.length, missed, divergences };
}

interface Lane extends Pick<Severing, "plan" | "schema" | "tables"> {
  readonly admin: Sql;
  readonly victim: Sql;
}

interface Life {
  readonly outcomes: readonly string[];
  readonly applied: EndState;
  readonly undone: EndState;
}

/** One life of the plan; `cuts` says of each boundary whether the connections are cut there. */
async function live(lane: Lane, cuts: (boundary: string) => boolean): Promise<Life> {
  const { admin, victim, plan, schema, tables } = lane;
  for (const name of [schema, RUN_SCHEMA])
    await admin.unsafe(`DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`);
  await admin.unsafe(tables);
  await ensureRunSchema(toExecutor(admin), RUN_SCHEMA);
  let step = "";
  const hook: Hook = async (moment, { text }) => {
    if (moment === "before" || !isJournal(text)) return;
    const same = text
      .replace(/token = \d+/g, "token = …")
      .replace(/\s+/g, " ")
      .trim();
    if (!cuts(`${step} ${moment}: ${same.slice(0, 80)}`)) return;
    await admin`
      select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity
      where application_name = ${VICTIM} and datname = pg_catalog.current_database()`;
  };
  const database = withBoundaries(toExecutor(victim), hook);
  const options = (direction: string, onEvent: Observer) => ({
    leaseMs: LEASE_MS,
    onEvent: ((event) => {
      if (event.type === "stepStarted") step = `${direction} ${event.step}`;
      onEvent(event);
    }) satisfies Observer,
  });
  const outcomes: string[] = [];
  for (;;) {
    const report = await unlessNotBegun((onEvent) =>
      apply(database, plan, options("apply", onEvent)),
    );
    outcomes.push(report.outcome);
    if (report.outcome !== "waiting") break;
    const gate = plan.steps.find(
      ({ id, kind }) =>
        kind === "gate" && report.steps.find((each) => each.id === id)?.state === "unapplied",
    );
    await confirm(admin, plan.name, gate?.id ?? "");
  }
  const applied = await readEndState(admin, schema, RUN_SCHEMA);
  const report = await unlessNotBegun((onEvent) =>
    undo(database, plan.name, options("undo", onEvent)),
  );
  outcomes.push(report.outcome);
  return { outcomes, applied, undone: await readEndState(admin, schema, RUN_SCHEMA) };
}

/** A write to the tables of the run, of leases only the taking: and the commits that make them so. */
function isJournal(text: string): boolean {
  const writes = /^\s*(WITH fence|UPDATE|INSERT)/.test(text) && text.includes(`"${RUN_SCHEMA}".`);
  return text === "commit" || (writes && !text.includes("heartbeat_at = pg_catalog"));
}

/** A call that finds only dead connections throws, as long as it has not begun: then it is called again. */
async function unlessNotBegun(call: (onEvent: Observer) => Promise<Report>): Promise<Report> {
  for (let left = 3; ; left -= 1) {
    let begun = false;
    try {
      return await call(({ type }) => {
        begun ||= type === "runStarted";
      });
    } catch (error) {
      if (begun || left === 1 || !isConnectionError(error)) throw error;
    }
  }
}

/** The parts of two lives that differ, as far as they are worth printing. */
function differing(was: Life, is: unknown): unknown {
  const parts: Record<string, unknown> = {};
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) === JSON.stringify(b) || Object.keys(parts).length >= 5) return;
    if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) {
      parts[path] = { was: a, is: b };
      return;
    }
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      compare(`${path}.${key}`, (a as never)[key], (b as never)[key]);
  };
  compare("", was, is);
  return parts;
}

/** A plan up to the last gate before what cannot be taken back. */
export function reversiblePart(plan: Plan): Plan {
  const end = plan.steps.findIndex(({ undo: back }) => back.kind === "irreversible");
  if (end < 0) return plan;
  const gate = plan.steps.slice(0, end).findLastIndex(({ kind }) => kind === "gate");
  return { ...plan, steps: plan.steps.slice(0, gate < 0 ? end : gate) };
}
