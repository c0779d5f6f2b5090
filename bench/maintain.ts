import postgres from "postgres";
import { inspectPartitions } from "../src/partitioning/inspect-partitions.ts";
import { maintain } from "../src/partitioning/maintenance/maintain.ts";
import { validatePartitions } from "../src/partitioning/validate-partitions.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { measureAlone } from "./measure.ts";
import { installLeaves, lockSetting } from "./observation-leaves.ts";

/** Looks after 4,800 leaves: what it costs every minute, and when a month begins. */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  try {
    const petri = await installLeaves(sql, say);
    const at = (moment: string) => ({ now: new Date(moment) });
    // In September all that is kept ready is there; when October begins, one more month of each site is to be made.
    const settle = async (moment: string) => {
      const began = performance.now();
      const report = await maintain(sql, [petri], at(moment));
      if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
      say(`${moment}: ${report.steps.length} steps, ${Math.round(performance.now() - began)} ms`);
      return performance.now() - began;
    };
    await settle("2025-09-15T00:00:00Z");
    const idle = await measureAlone(async () => {
      const report = await maintain(sql, [petri], at("2025-09-15T00:00:00Z"));
      if (report.planned !== undefined) throw new Error("there was something to do");
    });
    const inspected = await measureAlone(() => inspectPartitions(sql, petri));
    const measured = await measureAlone(() => inspectPartitions(sql, petri, { measure: "all" }), {
      rounds: 3,
    });
    const validated = await measureAlone(() => validatePartitions(sql, petri), { rounds: 3 });
    const month = await settle("2025-10-01T00:00:00Z");
    return [
      figure({
        what: "maintain with nothing to do",
        ours: idle,
        unit: "ms",
        target: { of: "ours", atMost: 200 },
      }),
      figure({
        what: "inspectPartitions",
        ours: inspected,
        unit: "ms",
        target: { of: "ours", atMost: 1000 },
      }),
      figure({ what: "inspectPartitions, every file measured", ours: measured, unit: "ms" }),
      figure({
        what: "validatePartitions",
        ours: validated,
        unit: "ms",
        target: { of: "ours", atMost: 1000 },
      }),
      figure({ what: "a month begins for 400 sites: 400 leaves", ours: month, unit: "ms" }),
      figure({ what: "max_locks_per_transaction", ours: await lockSetting(sql), unit: "" }),
    ];
  } finally {
    await sql.end();
  }
};
