import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm, phaseOf } from "../../src/run/control.ts";
import type { Observer } from "../../src/run/events.ts";
import { undo } from "../../src/run/undo.ts";
import { WHOLE_MATRIX } from "../support/matrix.ts";
import { MAJORS } from "../support/server-binaries.ts";
import { onServers, type TestServer } from "../support/server.ts";
import type { Version } from "./application-tables.ts";
import type { KeyApplication } from "./key-application.ts";
import { faultsOf } from "./key-model.ts";
import { openKeyWorld, SCHEMA } from "./key-world.ts";

/** Another one is another life of the application. */
const SEED = Number(process.env.UNDERPIN_SEED ?? 1);
/** A lock timeout, and the time of a statement on a busy machine. */
const LONGEST_WAIT_MS = 4_000;
const MINUTES = 60_000;

onServers("integer keys of a whole domain", (server) => {
  // A minute of both cores: before a release on every server.
  it.skipIf(!WHOLE_MATRIX && server.major !== MAJORS[MAJORS.length - 1])(
    "become uuids under two versions of an application, are taken back, and become uuids again, without a row lost or a query failed",
    async () => {
      const application = await openKeyWorld(server, SEED);
      const before = await look(server);
      const plan = convertPrimaryKey({
        facts: await readFacts(server.sql(), { schemas: [SCHEMA] }),
        tables: "all",
        to: "uuid",
        surrogates: { cycle_reports: "id" },
      });
      const run = driver(server, application, plan);
      try {
        application.start("old");
        await run.through("leaves/deploy");
        await run.through("hubs/deploy");
        expect(await phaseOf(server.sql(), plan.name)).toBe("hubs:bothKeys");
        application.start("new");
        await sleep(1_000);
        await run.through("contract/integers-go");
        expect(await phaseOf(server.sql(), plan.name)).toBe("hubs:uuid");
        await sleep(1_000);
        await run.mustBeRight(["old", "new"]);

        // Back to both keys, and to uuids again, with both versions at work.
        await run.back(firstAfter(plan, "hubs/deploy"));
        await sleep(500);
        await run.through("contract/integers-go");
        await sleep(500);
        await run.mustBeRight(["old", "new"]);

        // All the way back: what new versions wrote stays, and the old one goes on with it.
        await application.stop("new");
        await run.back();
        await sleep(500);
        await run.mustBeRight(["old"]);
        await application.end();
        expect(compareCatalogs(before, await look(server))).toEqual([]);

        application.start("old");
        await run.through("leaves/deploy");
        await run.through("hubs/deploy");
        application.start("new");
        await run.through("contract/integers-go");
        await sleep(1_000);
        await run.mustBeRight(["old", "new"]);
      } finally {
        await application.end();
      }
      const { queries, promised, longestMs, longest } = application.seen;
      console.info(
        `PostgreSQL ${server.major}: ${plan.steps.length} steps; ${queries.old} queries of the old version and ${queries.new} of the new, ` +
          `${[...promised].map(([what, times]) => `${times} × ${what}`).join(", ") || "no error"}; the longest ${Math.round(longestMs)} ms (${longest})`,
      );
      expect(queries.new).toBeGreaterThan(100);
      expect(longestMs).toBeLessThan(LONGEST_WAIT_MS);
    },
    15 * MINUTES,
  );
});

/** Takes the plan from gate to gate beside the application. */
function driver(server: TestServer, application: KeyApplication, plan: Plan) {
  const sql = server.sql();
  // Who migrates here is superuser: the application's own triggers do not fire on what the backfill fills in.
  const migrator = server.connect({ connection: { session_replication_role: "replica" } });
  const { seen, model } = application;
  // What a slow statement of the application waited for.
  let step = "";
  const onEvent: Observer = (event) => {
    if (event.type === "stepStarted") step = event.step;
  };
  const noneFailed = () => {
    expect({ step, failures: seen.failures }).toEqual({ step, failures: [] });
  };
  return {
    /** Goes on to the gate, and confirms those before it. */
    async through(gate: string) {
      for (;;) {
        const report = await apply(migrator, plan, { onEvent });
        noneFailed();
        expect(report.failure).toBeUndefined();
        expect(report.outcome).toBe("waiting");
        const waiting = plan.steps.find(
          ({ id, kind }) =>
            kind === "gate" && report.steps.find((each) => each.id === id)?.state === "unapplied",
        );
        if (waiting?.id === gate) return;
        await confirm(sql, plan.name, waiting?.id ?? "");
      }
    },
    async back(upTo?: string) {
      const report = await undo(migrator, plan, {
        onEvent,
        ...(upTo === undefined ? {} : { upTo }),
      });
      noneFailed();
      expect(report.failure).toBeUndefined();
      expect(report.outcome).toBe(upTo === undefined ? "undone" : "partlyUndone");
    },
    /** Compares the rows with the model while nobody writes, then lets the versions go on. */
    async mustBeRight(versions: readonly Version[]) {
      for (const version of versions) await application.stop(version);
      noneFailed();
      expect(await faultsOf(sql, SCHEMA, model, versions)).toEqual([]);
      for (const version of versions) application.start(version);
    },
  };
}

function firstAfter({ steps }: Plan, gate: string): string {
  return steps[steps.findIndex(({ id }) => id === gate) + 1]?.id ?? "";
}

async function look(server: TestServer) {
  return canonical(await readFacts(server.sql()), { leaveOut: ["underpin"] });
}
