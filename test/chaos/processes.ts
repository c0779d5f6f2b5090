import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { HelperJob } from "./helper-job.ts";

/** Processes that are killed at random and started again. */
export interface Processes {
  /** Keeps one process at each job until it ends by itself; rejects when one fails. */
  keep(jobs: readonly HelperJob[]): Promise<void>;
  /** Kills one of those that run. */
  killOne(random: () => number): boolean;
  close(): Promise<void>;
}

/** Bundles the program, so that a process starts in about 100 ms. */
export async function openProcesses(): Promise<Processes> {
  const directory = await mkdtemp(join(tmpdir(), "underpin-chaos-"));
  const program = join(directory, "helper.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "helper.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const running = new Set<ChildProcess>();
  let closed = false;
  const once = (job: HelperJob) =>
    new Promise<"killed" | "done">((resolve, reject) => {
      const child = spawn(process.execPath, [program, JSON.stringify(job)]);
      running.add(child);
      let said = "";
      child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
      child.stdin.on("error", () => undefined);
      child.once("error", reject);
      child.once("close", (code, signal) => {
        running.delete(child);
        if (signal === "SIGKILL") resolve("killed");
        else if (code === 0) resolve("done");
        else reject(new Error(`a process that was to ${job.task} ended with ${code}: ${said}`));
      });
    });
  const keepOne = async (job: HelperJob) => {
    while (!closed && (await once(job)) === "killed");
  };
  return {
    keep: async (jobs) => {
      await Promise.all(jobs.map(keepOne));
    },
    killOne(random) {
      const all = [...running];
      return all[Math.floor(random() * all.length)]?.kill("SIGKILL") ?? false;
    },
    async close() {
      closed = true;
      for (const child of running) child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}
