import { afterAll, beforeAll, expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import type { Plan } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import type { HostJob } from "../kill/host-job.ts";
import { openHosts, type Hosts } from "../kill/host-process.ts";
import { onServers } from "../support/server.ts";

const PROCESSES = 20;

/** Each step leaves a row each time that it runs. */
function racedPlan(): Plan {
  const note = (id: string) =>
    ({
      kind: "sql",
      id,
      title: `Note that ${id} ran`,
      sql: `INSERT INTO raced.effects VALUES ('${id}', pg_catalog.pg_backend_pid())`,
      locks: [{ schema: "raced", name: "effects", mode: "rowExclusive" }],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    }) as const;
  return plan("raced", [
    note("first"),
    note("second"),
    {
      kind: "backfill",
      id: "fill",
      title: "Add one to each row: a batch that ran twice would show",
      table: { schema: "raced", name: "items" },
      key: [{ name: "id", type: "integer" }],
      set: "visits = target.visits + 1",
      where: "true",
      batchSize: 10,
      pauseMs: 5,
      undo: { kind: "nothing" },
    },
    createIndex({ schema: "raced", table: "items", parts: ["visits"] }),
    note("last"),
  ]);
}

onServers("twenty processes that apply one plan at once on an empty database", (server) => {
  let hosts: Hosts | undefined;
  beforeAll(async () => {
    hosts = await openHosts();
    await server.sql().unsafe(`
      CREATE SCHEMA raced;
      CREATE TABLE raced.effects (step text NOT NULL, pid integer NOT NULL);
      CREATE TABLE raced.items (id integer PRIMARY KEY, visits integer NOT NULL DEFAULT 0);
      INSERT INTO raced.items SELECT n FROM pg_catalog.generate_series(1, 25) AS n`);
  });
  afterAll(() => hosts?.close());

  it("run each step once, and all return its report", async () => {
    const sql = server.sql();
    if (hosts === undefined) throw new Error("the host program was not bundled");
    const job: HostJob = {
      url: server.url(),
      connections: 2,
      task: "apply",
      plan: racedPlan(),
      options: { leaseMs: 5_000 },
      handlersWriteTo: "raced",
    };
    const racers = await hosts.startTogether(Array<HostJob>(PROCESSES).fill(job));
    const ends = await Promise.all(racers.map(({ ended }) => ended));
    const said = ends.map(({ messages }) => messages.at(-1));
    expect(said.map((message) => message?.type)).toEqual(Array(PROCESSES).fill("report"));
    const reports = said.flatMap((message) => (message?.type === "report" ? [message.report] : []));
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array(PROCESSES).fill("applied"));
    expect(reports.filter(({ ranHere }) => ranHere)).toHaveLength(1);

    const effects = await sql<{ step: string }[]>`select step from raced.effects order by ctid`;
    expect(effects.map(({ step }) => step)).toEqual(["first", "second", "last"]);
    const visits = await sql`select distinct visits from raced.items`;
    expect([...visits]).toEqual([{ visits: 1 }]);
    const journal = await sql<{ state: string; attempts: number }[]>`
      select state, attempts from underpin.steps`;
    expect(journal.map(({ state, attempts }) => `${state} ${attempts}`)).toEqual(
      Array(racedPlan().steps.length).fill("applied 1"),
    );
    expect(await sql`select id from underpin.runs`).toHaveLength(1);
    expect(await sql`select version from underpin.versions`).toHaveLength(4);
    const [schemas] = await sql<{ schemas: number }[]>`
      select count(*)::int as schemas from pg_catalog.pg_namespace where nspname = 'underpin'`;
    expect(schemas).toEqual({ schemas: 1 });
  }, 120_000);
});
