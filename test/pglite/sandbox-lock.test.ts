import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { lockDataDirectory } from "../../src/sandbox/data-directory-lock.ts";
import { runTypescript } from "../support/run-typescript.ts";

describe("the lock of a data directory", () => {
  const root = mkdtempSync(join(tmpdir(), "underpin-lock-"));
  afterAll(() => rmSync(root, { recursive: true }));
  let n = 0;
  let directory = "";
  beforeEach(() => {
    directory = join(root, `data ${n++}`);
  });
  const lockFile = (): string => `${directory}.underpin-lock`;

  it("refuses a second process and names the first", async () => {
    const first = runTypescript("hold-data-directory.ts", [directory]);
    expect(await first.line()).toBe("held");
    const second = runTypescript("hold-data-directory.ts", [directory]);
    expect(await second.line()).toBe(
      `the data directory ${directory} is in use by process ${first.child.pid}`,
    );
    first.child.stdin.end();
    expect(await first.ended).toBe(0);
  });

  it("is gone after its process has left", async () => {
    const holder = runTypescript("hold-data-directory.ts", [directory]);
    expect(await holder.line()).toBe("held");
    expect(existsSync(lockFile())).toBe(true);
    holder.child.stdin.end();
    await holder.ended;
    expect(existsSync(lockFile())).toBe(false);
  });

  it("is taken over from a process that was killed", async () => {
    const holder = runTypescript("hold-data-directory.ts", [directory]);
    expect(await holder.line()).toBe("held");
    holder.child.kill("SIGKILL");
    await holder.ended;
    expect(existsSync(lockFile())).toBe(true);
    const lock = lockDataDirectory(directory);
    expect(readFileSync(lockFile(), "utf8")).toContain(`"pid":${process.pid}`);
    lock.release();
    expect(existsSync(lockFile())).toBe(false);
  });

  it("goes to exactly one of two processes that find it stale", async () => {
    const killed = runTypescript("hold-data-directory.ts", [directory]);
    expect(await killed.line()).toBe("held");
    killed.child.kill("SIGKILL");
    await killed.ended;
    const racers = [0, 1].map(() => runTypescript("hold-data-directory.ts", [directory]));
    const said = await Promise.all(racers.map((racer) => racer.line()));
    expect(said.filter((line) => line === "held")).toHaveLength(1);
    for (const racer of racers) racer.child.stdin.end();
    await Promise.all(racers.map((racer) => racer.ended));
  });

  it("refuses this process a second time, however the directory is written", async () => {
    await using sandbox = await bootSandbox({ dataDir: directory });
    await expect(bootSandbox({ dataDir: `file://${directory}` })).rejects.toMatchObject({
      code: "connection",
      message: `the data directory ${directory} is in use by this process, pid ${process.pid}`,
    });
    expect(sandbox.client.closed).toBe(false);
  });

  it("is stale when its pid now belongs to another process", () => {
    const owner = { pid: process.ppid, started: "1", host: hostname(), id: "another" };
    writeFileSync(lockFile(), JSON.stringify(owner));
    // Only Linux tells when a process was started; elsewhere a living pid is believed.
    if (process.platform === "linux") lockDataDirectory(directory).release();
    else expect(() => lockDataDirectory(directory)).toThrow(`in use by process ${process.ppid}`);
  });

  it("of an earlier life of this pid is stale, as in a container that starts again", () => {
    const owner = { pid: process.pid, started: "1", host: hostname(), id: "before" };
    writeFileSync(lockFile(), JSON.stringify(owner));
    lockDataDirectory(directory).release();
    expect(existsSync(lockFile())).toBe(false);
  });

  it("of another machine is believed", () => {
    writeFileSync(lockFile(), JSON.stringify({ pid: 1, host: "elsewhere", id: "other" }));
    expect(() => lockDataDirectory(directory)).toThrow("in use by process 1 on elsewhere");
  });

  it("that was cut while it was written is stale", () => {
    writeFileSync(lockFile(), '{"pid":');
    lockDataDirectory(directory).release();
  });

  it("is given back when the sandbox cannot start", async () => {
    const booting = bootSandbox({ dataDir: directory, settings: ["no_such_setting=1"] });
    await expect(booting).rejects.toThrow();
    expect(existsSync(lockFile())).toBe(false);
  });
});
