import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { onServers } from "../support/server.ts";
import { faultsOf } from "./key-model.ts";
import { openKeyWorld, SCHEMA } from "./key-world.ts";

const SEED = Number(process.env.UNDERPIN_SEED ?? 1);

onServers("integer keys under an application", (server) => {
  it("are written by the application as its model says", async () => {
    const application = await openKeyWorld(server, SEED);
    application.start("old");
    await sleep(2_000);
    await application.end();
    expect(application.seen.failures).toEqual([]);
    expect(await faultsOf(server.sql(), SCHEMA, application.model, ["old"])).toEqual([]);
    console.info(application.seen, application.model.rows.size, application.model.circles.size);
  });
});
