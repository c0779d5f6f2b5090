import { afterAll, beforeAll, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { changeGranularity } from "../../src/partitioning/change-granularity.ts";
import { mergePartitions } from "../../src/partitioning/merge-partitions.ts";
import { splitPartition } from "../../src/partitioning/split-partition.ts";
import { undoPartitioning } from "../../src/partitioning/undo-partitioning.ts";
import type { Plan } from "../../src/plan/step.ts";
import { ident } from "../../src/sql/quote.ts";
import { leafOf, monthlyOf, visitsSql } from "../contract/partitions-fixture.ts";
import { onServers } from "../support/server.ts";
import { killEverywhere } from "./enumerate.ts";
import { openHosts, type Hosts } from "./host-process.ts";
import { SYNTHETIC_SCHEMA } from "./synthetic-plan.ts";

/** As in the other files: only `npm run test:kill` kills at every moment. */
const everyMoment = process.env.UNDERPIN_KILL === "all";
const MINUTES = 60_000;

const names = { schema: SYNTHETIC_SCHEMA, table: `ta"ble`, column: `co'l` };
const tables = `CREATE SCHEMA ${ident(names.schema)}; ${visitsSql(names)}`;
const scheme = monthlyOf(names);
const factsOf = (db: Executor) => readFacts(db, { schemas: [names.schema] });

/** Plans that are made from what the tables are. */
const plans: readonly (readonly [what: string, make: (db: Executor) => Promise<Plan>])[] = [
  [
    "splitPartition",
    async (db) =>
      splitPartition({
        facts: await factsOf(db),
        scheme,
        partition: leafOf(names, "01"),
        at: ["2026-01-11 00:00:00+00"],
      }),
  ],
  [
    "mergePartitions",
    async (db) =>
      mergePartitions({
        facts: await factsOf(db),
        scheme,
        partitions: [leafOf(names, "01"), leafOf(names, "02")],
      }),
  ],
  [
    "changeGranularity",
    (db) =>
      changeGranularity(db, {
        from: scheme,
        to: monthlyOf(names, "3 months"),
        values: { site: "s1" },
      }),
  ],
  ["undoPartitioning", async (db) => undoPartitioning({ facts: await factsOf(db), ...names })],
];

onServers("a process that is killed while it changes partitions", (server) => {
  let hosts: Hosts | undefined;
  beforeAll(async () => {
    if (everyMoment) hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  for (const [what, make] of plans)
    it.skipIf(!everyMoment)(
      `is gone on with to the same end, there and back: ${what}`,
      async () => {
        if (hosts === undefined) throw new Error("the host program was not bundled");
        const sql = server.sql();
        await sql.unsafe(`DROP SCHEMA IF EXISTS ${ident(names.schema)} CASCADE; ${tables}`);
        const plan = await make(toExecutor(sql));
        const { applyPoints, undoPoints, divergences } = await killEverywhere({
          server,
          hosts,
          plan,
          schema: names.schema,
          tables,
          everyMoment: false,
        });
        console.log(
          `PostgreSQL ${server.major}, ${what}: killed at ${applyPoints} points of apply and ${undoPoints} of undo, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(applyPoints).toBeGreaterThan(20);
      },
      20 * MINUTES,
    );
});
