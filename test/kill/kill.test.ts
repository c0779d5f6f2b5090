import { afterAll, beforeAll, expect, it } from "vitest";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { onServers } from "../support/server.ts";
import { killEverywhere } from "./enumerate.ts";
import { openHosts, type Hosts } from "./host-process.ts";
import { brokenPlan, SYNTHETIC_SCHEMA, syntheticPlan, syntheticTables } from "./synthetic-plan.ts";

/** `npm run test:kill` sets it: then every plan is killed at every moment on every server. */
const everyMoment = process.env.UNDERPIN_KILL === "all";
const MINUTES = 60_000;

const target = { schema: SYNTHETIC_SCHEMA, table: `ta"ble` };

/** Every plan that is killed everywhere: the one that holds all kinds of steps, then the recipes. */
const plans = [
  { what: "every kind of step", plan: syntheticPlan(), always: true },
  { what: "setNotNull", plan: setNotNull({ ...target, column: "label" }), always: false },
  { what: "createIndex", plan: createIndex({ ...target, parts: ["label"] }), always: false },
];

onServers("a process that is killed at any await", (server) => {
  let hosts: Hosts | undefined;
  beforeAll(async () => {
    if (everyMoment || server.major === 18) hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  for (const { what, plan, always } of plans)
    it.skipIf(!everyMoment && !(always && server.major === 18))(
      `is gone on with to the same end, there and back: ${what}`,
      async () => {
        if (hosts === undefined) throw new Error("the host program was not bundled");
        const { applyPoints, undoPoints, divergences } = await killEverywhere({
          server,
          hosts,
          plan,
          schema: SYNTHETIC_SCHEMA,
          tables: syntheticTables(),
          everyMoment,
        });
        console.log(
          `PostgreSQL ${server.major}, ${what}: killed at ${applyPoints} points of apply and ${undoPoints} of undo, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(applyPoints).toBeGreaterThan(40);
        expect(undoPoints).toBeGreaterThan(20);
      },
      20 * MINUTES,
    );

  it.skipIf(!everyMoment)(
    "is found out where it did something twice",
    async () => {
      if (hosts === undefined) throw new Error("the host program was not bundled");
      const { divergences } = await killEverywhere({
        server,
        hosts,
        plan: brokenPlan(),
        schema: SYNTHETIC_SCHEMA,
        tables: syntheticTables(),
        everyMoment: false,
      });
      const seen = divergences.map(({ difference }) => JSON.stringify(difference));
      expect(seen.some((text) => text.includes("appended"))).toBe(true);
    },
    5 * MINUTES,
  );
});
