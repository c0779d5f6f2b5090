/** A process that runs a plan, or helps with its backfills, until that is over or it is killed. Its job is its first argument, as JSON. */
import postgres from "postgres";
import { isUnderpinError } from "../../src/errors.ts";
import { apply } from "../../src/run/apply.ts";
import { workBackfill } from "../../src/run/backfill/work-backfill.ts";
import type { Handler } from "../../src/run/options.ts";
import type { HelperJob } from "./helper-job.ts";

// Whoever started this process is gone when its input ends.
process.stdin.once("end", () => process.exit(3)).resume();

const { url, task, plan, options } = JSON.parse(process.argv[2] ?? "{}") as HelperJob;
const sql = postgres(url, { max: 4, fetch_types: false, onnotice: () => undefined });

/** Slow enough that writers change rows while it computes. */
const lengths: Handler = {
  version: 1,
  async run(rows) {
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 20));
    return (rows as { shard: number; code: string; name: string }[]).map(
      ({ shard, code, name }) => ({ shard, code, name_length: name.length }),
    );
  },
};

async function work(): Promise<string> {
  const all = { ...options, handlers: { lengths } };
  if (task === "apply") {
    const report = await apply(sql, plan, all);
    return report.outcome === "failed" ? JSON.stringify(report.failure) : report.outcome;
  }
  for (;;)
    try {
      return (await workBackfill(sql, plan.name, all)).ended;
    } catch (error) {
      // The run has not been written yet.
      if (!isUnderpinError(error) || error.code !== "unknownRun") throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

try {
  const outcome = await work();
  process.stdout.write(`${outcome}\n`);
  process.exit(outcome === "applied" ? 0 : 1);
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(2);
}
