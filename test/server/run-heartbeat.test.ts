import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { plan } from "../../src/plan/plan.ts";
import { createRun, readLiveRun, writeRunState } from "../../src/run/journal.ts";
import { acquireLease, beat, releaseLease } from "../../src/run/lease.ts";
import { ensureRunSchema } from "../../src/run/run-schema.ts";
import { onServers } from "../support/server.ts";

const made = plan("raced", [
  {
    kind: "gate",
    id: "gate",
    title: "Wait",
    question: "Is it so?",
    undo: { kind: "nothing" },
  },
]);

onServers("a lease and its heartbeat", (server) => {
  it("has never two holders when a heartbeat races a takeover", async () => {
    const executor = toExecutor(server.sql());
    const { versionNum } = await ensureRunSchema(executor, "underpin");
    const acquire = (leaseMs: number) => acquireLease(executor, "underpin", "raced", leaseMs);
    let runId = "";
    const counts = { beatFirst: 0, takenFirst: 0 };
    for (let round = 1; counts.beatFirst < 25 || counts.takenFirst < 25; round++) {
      if (round > 2_000) throw new Error(`one side never wins: ${JSON.stringify(counts)}`);
      const leaseMs = 1 + Math.random() * 3;
      const old = await acquire(leaseMs);
      if (old.kind !== "held") throw new Error("nobody else holds it");
      if (runId === "") {
        await createRun(executor, old.lease, made, versionNum);
        runId = (await readLiveRun(executor, "underpin", "raced"))?.id ?? "";
      }
      const [prolonged, ...others] = await Promise.all([
        sleep(Math.random() * 5).then(() => beat(executor, old.lease, 60_000)),
        acquire(60_000),
        acquire(60_000),
      ]);
      const held = others.flatMap((other) => (other.kind === "held" ? [other.lease] : []));
      expect(held.length).toBeLessThanOrEqual(1);
      const [taken] = held;
      const write = writeRunState(executor, old.lease, runId, "running");
      if (taken === undefined) {
        await write;
        if (prolonged) counts.beatFirst++;
        await releaseLease(executor, old.lease);
      } else {
        await expect(write).rejects.toMatchObject({ code: "leaseLost" });
        expect(await beat(executor, old.lease, 60_000)).toBe(false);
        await writeRunState(executor, taken, runId, "running");
        expect(prolonged).toBe(false);
        counts.takenFirst++;
        await releaseLease(executor, taken);
      }
    }
    console.log(`PostgreSQL ${server.major}: ${JSON.stringify(counts)}, never two holders`);
  });

  it("is free at once when it was given back, also when a beat comes late", async () => {
    const executor = toExecutor(server.sql());
    await ensureRunSchema(executor, "underpin");
    const first = await acquireLease(executor, "underpin", "given back", 60_000);
    if (first.kind !== "held") throw new Error("nobody else holds it");
    await releaseLease(executor, first.lease);
    expect(await beat(executor, first.lease, 60_000)).toBe(false);
    const next = await acquireLease(executor, "underpin", "given back", 60_000);
    expect(next.kind).toBe("held");
  });
});
