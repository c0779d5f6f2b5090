import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  PHASES,
  TRANSITIONS,
  type KeyKind,
  type Transitions,
} from "../../src/schema/test-cycles/index.ts";
import { openWorld, type Lob, type World } from "./test-cycles-world.ts";

/** The column that a row of a table with transitions is found by, and its id in a {@link Lob}. */
const ROWS: Readonly<Record<keyof typeof TRANSITIONS, readonly [string, keyof Lob]>> = {
  test_cycles: ["cycle_id", "cycle"],
  cycle_reports: ["report_id", "report"],
  workflow_phases: ["phase_id", "phase"],
  samples: ["sample_id", "sample"],
  observations: ["observation_id", "observation"],
  requests_for_information: ["request_id", "request"],
};

describe.each<KeyKind>(["integer", "uuid"])("the workflow of test cycles keyed by %s", (keys) => {
  let world: World;
  let here: Lob;
  beforeAll(async () => {
    world = await openWorld(keys);
    ({ here } = world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each(Object.entries<Transitions>(TRANSITIONS))(
    "lets %s go from status to status as declared, and in no other way",
    async (table, { first, next }) => {
      const [column, name] = ROWS[table as keyof typeof ROWS];
      const all = (await world.run(
        `select unnest(enum_range(null::${await statusType(table)}))::text as status`,
      )) as { status: string }[];
      expect(all.map(({ status }) => status)).toContain(first);
      const facts = {
        observations: "resolution = 'done', resolved_at = now(),",
        requests_for_information: "answer = 'so', submitted_at = now(),",
      }[table];
      const seen: Record<string, string[]> = {};
      for (const from of all)
        for (const to of all.filter(({ status }) => status !== from.status)) {
          const completed = ["cycle_reports", "workflow_phases"].includes(table)
            ? `completed_at = case when '${from.status}' = 'completed' then now() end,`
            : "";
          const outcome = await world.run(
            "set local session_replication_role to replica",
            `update ${table} set ${facts ?? ""} ${completed} status = '${from.status}' where ${column} = '${here[name]}'`,
            "set local session_replication_role to origin",
            `update ${table} set status = '${to.status}' where ${column} = '${here[name]}'`,
          );
          if (outcome === "23514 enforce_transition") continue;
          expect(outcome, `${from.status} to ${to.status}`).toEqual([]);
          (seen[from.status] ??= []).push(to.status);
        }
      const sorted = Object.entries(next).map(([from, to]) => [from, [...to].sort()]);
      expect(
        Object.fromEntries(Object.entries(seen).map(([from, to]) => [from, to.sort()])),
      ).toEqual(Object.fromEntries(sorted));
    },
  );

  async function statusType(table: string): Promise<string> {
    const rows = await world.run(
      `select atttypid::regtype::text as type from pg_attribute where attrelid = '${table}'::regclass and attname = 'status'`,
    );
    return String(rows === "" ? "" : (rows[0] as { type: string }).type);
  }

  it("lets a row begin in its first status only", async () => {
    const sample = (status: string) =>
      `insert into samples (lob_id, phase_id, identifier, status) values ('${here.lob}', '${here.phase}', 'row 2', '${status}')`;
    expect(await world.run(sample("proposed"))).toEqual([]);
    expect(await world.run(sample("approved"))).toBe("23514 enforce_transition");
  });

  const phase = (name: string, ...statuses: readonly string[]) =>
    statuses.map(
      (status) =>
        `update workflow_phases set status = '${status}' where report_id = '${here.report}' and phase_name = '${name}'`,
    );
  const DONE = ["in_progress", "pending_review", "completed"] as const;

  it("begins a phase when those before it are completed or skipped", async () => {
    expect(await world.run(...phase("scoping", "in_progress"))).toBe("23514 keep_phase_order");
    const before = [...phase("planning", ...DONE), ...phase("data_profiling", "skipped")];
    expect(await world.run(...before, ...phase("scoping", "in_progress"))).toEqual([]);
    const whole = PHASES.flatMap((name) => phase(name, ...DONE));
    expect(await world.run(...whole)).toEqual([]);
  });

  it("notes when a phase began and was completed, and forgets the end when it is opened again", async () => {
    const look = `select started_at is not null as began, completed_at is not null as ended from workflow_phases where phase_id = '${here.phase}'`;
    expect(await world.run(...phase("planning", ...DONE), look)).toEqual([
      { began: true, ended: true },
    ]);
    expect(await world.run(...phase("planning", ...DONE, "in_progress"), look)).toEqual([
      { began: true, ended: false },
    ]);
  });

  it("shows how far a report of a cycle is", async () => {
    const look = `select report_name, status, phases, completed_phases, current_phase, open_observations
      from cycle_report_progress where report_id = '${here.report}'`;
    const at = [...phase("planning", ...DONE), ...phase("data_profiling", "in_progress")];
    expect(await world.run(...at, look)).toEqual([
      {
        report_name: "first",
        status: "not_started",
        phases: PHASES.length,
        completed_phases: 1,
        current_phase: "data_profiling",
        open_observations: 1,
      },
    ]);
  });
});
