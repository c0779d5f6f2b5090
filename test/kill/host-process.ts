import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import type { HostJob, HostMessage } from "./host-job.ts";

/** Starts processes of the host program, which is bundled once so that one starts in about 100 ms. */
export interface Hosts {
  /** A process that runs the job. */
  start(job: HostJob): Promise<Host>;
  /** One process for each job; all are given theirs at once, when all are ready. */
  startTogether(jobs: readonly HostJob[]): Promise<readonly Host[]>;
  /** Ends what still runs, frozen processes included, and removes the bundle. */
  close(): Promise<void>;
}

/** A process that runs one job. */
export interface Host {
  readonly pid: number;
  /** Resolves once it says so; rejects when it ends without having said it. */
  said<T extends HostMessage["type"]>(
    type: T,
    matches?: (message: Extract<HostMessage, { type: T }>) => boolean,
  ): Promise<Extract<HostMessage, { type: T }>>;
  /** Resolves when it has ended. */
  readonly ended: Promise<HostEnd>;
  signal(name: "SIGCONT" | "SIGKILL" | "SIGSTOP"): void;
}

/** How a process ended, and all that it said. */
export interface HostEnd {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly messages: readonly HostMessage[];
  readonly errors: string;
}

/** Bundles the host program. */
export async function openHosts(): Promise<Hosts> {
  const directory = await mkdtemp(join(tmpdir(), "underpin-host-"));
  const program = join(directory, "host.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "host.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
    // Some dependencies are CommonJS and require built-in modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const running = new Set<ChildProcess>();
  let spare = launch(program, running);
  return {
    async start(job) {
      const host = spare;
      // The next one starts up while this one works.
      spare = launch(program, running);
      await host.said("ready");
      host.give(job);
      return host;
    },
    async startTogether(jobs) {
      const together = jobs.map((job) => ({ job, host: launch(program, running) }));
      await Promise.all(together.map(({ host }) => host.said("ready")));
      for (const { host, job } of together) host.give(job);
      return together.map(({ host }) => host);
    },
    async close() {
      for (const child of running) child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface LaunchedHost extends Host {
  give(job: HostJob): void;
}

function launch(program: string, running: Set<ChildProcess>): LaunchedHost {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  const messages: HostMessage[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  // A process that was killed does not read what it was given.
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    messages.push(JSON.parse(line) as HostMessage);
    wake();
  });
  let end: HostEnd | undefined;
  const ended = new Promise<HostEnd>((resolve) =>
    child.once("close", (code, signal) => {
      running.delete(child);
      end = { code, signal, messages, errors };
      resolve(end);
      wake();
    }),
  );
  return {
    pid: child.pid ?? 0,
    ended,
    give: (job) => child.stdin.write(`${JSON.stringify(job)}\n`),
    signal: (name) => child.kill(name),
    said: (type, matches = () => true) =>
      new Promise((resolve, reject) => {
        type Wanted = Extract<HostMessage, { type: typeof type }>;
        const look = () => {
          const found = messages.find(
            (message): message is Wanted => message.type === type && matches(message as Wanted),
          );
          if (found === undefined && end === undefined) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else
            reject(new Error(`the host ended without "${type}": ${JSON.stringify(end, null, 2)}`));
        };
        waiting.add(look);
        look();
      }),
  };
}
