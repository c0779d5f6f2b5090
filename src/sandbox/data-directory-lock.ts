import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { UnderpinError } from "../errors.ts";

/** The right to open one data directory, until released or until this process ends. */
export interface DataDirectoryLock {
  /** Where the lock is written: beside the directory, which has to be empty for a first start. */
  readonly path: string;
  release(): void;
}

/** Who holds a lock. A pid alone is not enough: pids are used again, and a container always starts at 1. */
interface Owner {
  readonly pid: number;
  /** Start of the process in clock ticks since boot, where the system tells it. */
  readonly started: string | undefined;
  readonly host: string;
  /** Of this one lock, so that one process never takes its own older lock for a stale one. */
  readonly id: string;
}

/** Ids of the locks that this process holds, in every copy of this package. */
const HELD = Symbol.for("underpin.heldDataDirectories");

/**
 * Takes the lock of a data directory, or throws and names the process that has it.
 *
 * PostgreSQL refuses a directory that is in use; PGlite 0.5 does not: two processes that opened one directory both
 * succeeded, and one lost its table.
 */
export function lockDataDirectory(directory: string): DataDirectoryLock {
  const path = `${resolve(directory)}.underpin-lock`;
  const mine: Owner = {
    pid: process.pid,
    started: startOf(process.pid),
    host: hostname(),
    id: randomUUID(),
  };
  const text = JSON.stringify(mine);
  for (let attempt = 1; !create(path, text); attempt++) {
    const found = read(path);
    if (found === undefined) continue;
    const refusal = whyHeld(found.owner);
    if (refusal !== undefined || attempt > 10)
      throw inUse(directory, path, refusal ?? "other processes, which are also trying to open it");
    removeStale(path, found.text);
  }
  held().add(mine.id);
  const release = (): void => {
    process.removeListener("exit", release);
    held().delete(mine.id);
    if (read(path)?.text === text) rmSync(path, { force: true });
  };
  process.once("exit", release);
  return { path, release };
}

function create(path: string, text: string): boolean {
  const whole = `${path}.${randomUUID()}`;
  writeFileSync(whole, text);
  try {
    // A link appears with its whole content, or fails: nobody reads half a lock.
    linkSync(whole, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

interface Found {
  readonly text: string;
  readonly owner: Partial<Owner>;
}

function read(path: string): Found | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return { text, owner: JSON.parse(text) as Partial<Owner> };
  } catch {
    // Written by hand, or cut by a full disk: it names nobody.
    return { text, owner: {} };
  }
}

/** What holds the lock, in words; undefined where its owner is surely gone. */
function whyHeld({ pid, started, host, id }: Partial<Owner>): string | undefined {
  if (pid === undefined) return undefined;
  if (id !== undefined && held().has(id)) return `this process, pid ${pid}`;
  // The pid of another machine says nothing here: unknown is alive.
  if (host !== hostname()) return `process ${pid} on ${host ?? "an unknown host"}`;
  if (pid === process.pid || !isAlive(pid)) return undefined;
  const now = startOf(pid);
  return started !== undefined && now !== undefined && started !== now
    ? undefined
    : `process ${pid}`;
}

/** Takes a stale lock away, and puts it back if another process had already put a fresh one in its place. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = readFileSync(aside, "utf8");
  rmSync(aside, { force: true });
  if (taken !== stale) create(path, taken);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 22; the second field, the command in parentheses, may hold blanks.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    // Not Linux, or the process is gone: the pid has to do.
    return undefined;
  }
}

function held(): Set<string> {
  const holder = globalThis as { [HELD]?: Set<string> };
  return (holder[HELD] ??= new Set());
}

function inUse(directory: string, path: string, owner: string): UnderpinError {
  return new UnderpinError({
    code: "connection",
    message: `the data directory ${directory} is in use by ${owner}`,
    hint: `Close it there, or open another directory. If you are sure that nothing uses it: rm '${path}'`,
  });
}
