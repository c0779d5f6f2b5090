import { build } from "esbuild";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";
import type { Plan } from "../../src/plan/step.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** How one call of the command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A call that is under way. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout holds the text; fails when the process ends without it. */
  says(text: string): Promise<void>;
}

/** The command line as a program of its own, bundled once for a file, and a directory for what its tests write. */
export interface Cli {
  run(args: readonly string[], environment?: Environment, directory?: string): Promise<Ended>;
  start(args: readonly string[], environment?: Environment): Running;
  /** The path of a file with this content, below a directory that is removed after the tests. */
  file(name: string, content: string): string;
  /** The path of a plan as JSON. */
  planFile(plan: Plan): string;
  /** A path in that directory. */
  path(name: string): string;
}

type Environment = Readonly<Record<string, string>>;

/** Makes the program for the tests of one file. */
export function useCli(): Cli {
  let directory = "";
  beforeAll(async () => {
    // Below the repository, so that imports of packages are found; ignored by git.
    const home = join(ROOT, ".underpin");
    mkdirSync(home, { recursive: true });
    directory = mkdtempSync(join(home, "cli-test-"));
    await build({
      entryPoints: [join(ROOT, "src/cli/main.ts")],
      outfile: join(directory, "underpin.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      logLevel: "error",
    });
  }, 60_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  const file = (name: string, content: string) => {
    writeFileSync(path(name), content);
    return path(name);
  };
  const start = (
    args: readonly string[],
    environment: Environment = {},
    from: string = ROOT,
  ): Running => startProgram(path("underpin.mjs"), args, environment, from);
  return {
    start,
    run: (args, environment, from) => start(args, environment, from).ended,
    file,
    planFile: (plan) => file(`${plan.name.replaceAll(/\W/g, "_")}.json`, JSON.stringify(plan)),
    path,
  };
}

function startProgram(
  program: string,
  args: readonly string[],
  environment: Environment,
  directory: string,
): Running {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    cwd: directory,
    // Of the surroundings only what a process needs: no DATABASE_URL, no NO_COLOR.
    env: { PATH, HOME, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stdout.includes(text)) resolve();
      };
      child.stdout.on("data", look);
      void ended.then(() =>
        stdout.includes(text)
          ? resolve()
          : reject(new Error(`never said ${text}:\n${stdout}${stderr}`)),
      );
      look();
    });
  return { process: child, ended, says };
}

/** What every refusal owes its reader: the exit code, one clear message with what to do, and no stack trace. */
export function expectRefusal(
  { code, stdout, stderr }: Ended,
  expected: { readonly code: 1 | 2; readonly message: RegExp; readonly hint: RegExp },
): void {
  expect(stderr).toMatch(expected.message);
  expect(stderr).toMatch(expected.hint);
  expect(stderr).toMatch(/^error: /m);
  expect(stderr).toMatch(/^what to do: /m);
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .*:\d+:\d+/m);
  expect(code).toBe(expected.code);
}
