import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  findNative,
  prepareNative,
  serverUser,
  type Major,
  type ServerUser,
} from "./server-binaries.ts";

/** A PostgreSQL server that lives as long as this process at most. */
export interface RunningServer {
  readonly major: Major;
  /** For the superuser `postgres` and the database `postgres`, over TCP on this machine. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface StartServerOptions {
  /** Server settings over the rig's own, for example `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A read-only standby that waits for a primary which never comes. */
  readonly standby?: boolean;
}

/** A role of this name must give its password; every other login is trusted. It has to be created by the caller. */
export const PASSWORD_LOGIN = "underpin_password_login";

/** What a server takes on its disk, with room to spare. */
const BYTES_NEEDED = 1024 ** 3;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  // Two-phase transactions and logical slots hold locks and snapshots that a migration has to see.
  max_prepared_transactions: "20",
  wal_level: "logical",
  shared_buffers: "64MB",
  max_wal_size: "256MB",
  // In the data directory, so that no segment stays in /dev/shm when a test kills the server hard.
  dynamic_shared_memory_type: "mmap",
  // Nothing of this outlives the run.
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
};

/**
 * Starts a PostgreSQL of this major from the dev dependencies, on an empty data directory and a free port.
 *
 * Works as root (the server runs as nobody) and with install scripts blocked. A watcher process stops the server and
 * removes its files when this process ends in whatever way, SIGKILL included.
 */
export async function startServer(
  major: Major,
  { settings = {}, standby = false }: StartServerOptions = {},
): Promise<RunningServer> {
  const delivered = findNative(major);
  if (delivered === undefined) throw new Error(whyNoServer(major));
  const base = dataBase();
  sweep(base);
  const directory = mkdtempSync(join(base, `underpin-${process.pid}-`));
  try {
    const user = serverUser();
    if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
    const native = prepareNative(delivered, directory, user);
    initialise(native, join(directory, "data"), user);
    if (standby) writeFileSync(join(directory, "data", "standby.signal"), "");
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const server = await launch({ major, native, directory, user, port, settings });
      if (typeof server !== "string") return server;
      // Another process took the port between the look and the start.
      if (attempt === 5 || !server.includes("Address already in use"))
        throw new Error(`PostgreSQL ${major} did not start:\n${server}`);
    }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** The sentence printed for skipped suites. */
export function whyNoServer(major: Major): string {
  return `no PostgreSQL ${major} for ${process.platform}-${process.arch} among the installed dev dependencies`;
}

function dataBase(): string {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= BYTES_NEEDED ? memory : tmpdir();
}

/** Removes what was left by processes that are gone, together with their watchers. */
function sweep(base: string): void {
  for (const name of readdirSync(base)) {
    const owner = /^underpin-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    const pidFile = join(base, name, "data", "postmaster.pid");
    try {
      if (existsSync(pidFile))
        process.kill(Number(readFileSync(pidFile, "utf8").split("\n")[0]), "SIGQUIT");
    } catch (error) {
      // ESRCH: the server is gone already. EPERM: another user's, whose watcher is at work.
      if (!["ESRCH", "EPERM"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    }
    try {
      rmSync(join(base, name), { recursive: true, force: true });
    } catch (error) {
      if (!["EPERM", "EACCES"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function initialise(native: string, data: string, user: ServerUser): void {
  const flags = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"];
  const initdb = spawnSync(join(native, "bin", "initdb"), ["-D", data, ...flags], {
    ...user,
    env: serverEnvironment(),
    encoding: "utf8",
  });
  if (initdb.status !== 0) throw new Error(`initdb failed:\n${initdb.stderr}${initdb.stdout}`);
  const rules = [
    `host all ${PASSWORD_LOGIN} all scram-sha-256`,
    "host all all 127.0.0.1/32 trust",
    "host replication all 127.0.0.1/32 trust",
  ];
  writeFileSync(join(data, "pg_hba.conf"), `${rules.join("\n")}\n`);
}

interface Launch {
  readonly major: Major;
  readonly native: string;
  readonly directory: string;
  readonly user: ServerUser;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** The running server, or its log when it ended instead. */
async function launch(options: Launch): Promise<RunningServer | string> {
  const { major, native, directory, user, port, settings } = options;
  const data = join(directory, "data");
  const logFile = join(directory, "log");
  const log = openSync(logFile, "w");
  const flags = Object.entries({ ...SETTINGS, ...settings }).map(
    ([name, value]) => `--${name}=${value}`,
  );
  const server = spawn(
    join(native, "bin", "postgres"),
    ["-D", data, "-p", String(port), ...flags],
    {
      ...user,
      env: serverEnvironment(),
      // A group of its own: Ctrl-C in the terminal reaches us, and we stop it.
      detached: true,
      stdio: ["ignore", log, log],
    },
  );
  if (server.pid === undefined) throw new Error(`${join(native, "bin", "postgres")} cannot be run`);
  const watcher = watch(server.pid, directory);
  const status = join(data, "postmaster.pid");
  while (server.exitCode === null && server.signalCode === null) {
    if (existsSync(status) && readFileSync(status, "utf8").includes("ready")) {
      server.unref();
      return {
        major,
        url: `postgres://postgres@127.0.0.1:${port}/postgres`,
        pid: server.pid,
        stop: () => ended(watcher),
      };
    }
    await sleep(5);
  }
  const text = readFileSync(logFile, "utf8");
  watcher.kill("SIGKILL");
  return text;
}

/**
 * Waits for the end of its standard input, which comes when its parent stops it or dies; then stops the server, with
 * force after ten seconds, and removes its files.
 */
const WATCHER = `
while read -r _; do :; done
kill -INT "$1" 2>/dev/null
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 200 ]; do
  sleep 0.05
  tries=$((tries + 1))
  if [ "$tries" -eq 100 ]; then kill -QUIT "$1"; fi
done
rm -rf "$2"
`;

function watch(pid: number, directory: string): ChildProcess {
  const watcher = spawn("sh", ["-c", WATCHER, "underpin-server-watcher", String(pid), directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.unref();
  return watcher;
}

async function ended(watcher: ChildProcess): Promise<void> {
  if (watcher.exitCode !== null || watcher.signalCode !== null) return;
  watcher.ref();
  const exit = new Promise((resolve) => watcher.once("exit", resolve));
  watcher.stdin?.end();
  await exit;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("no free TCP port"));
      });
    });
  });
}

/** Not ours: `PGOPTIONS` and the like would change the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
}
