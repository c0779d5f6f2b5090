import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { findNative, MAJORS, prepareNative, serverUser } from "../support/server-binaries.ts";
import { startServer, whyNoServer } from "../support/server-process.ts";
import { runTypescript } from "../support/run-typescript.ts";

const [oldest] = MAJORS;
const native = findNative(oldest);

const meta = {
  engine: `PostgreSQL ${oldest}`,
  ...(native === undefined ? { skipReason: whyNoServer(oldest) } : {}),
} as const;

describe.skipIf(native === undefined)("a server of the rig", { meta }, () => {
  it("is gone when it is stopped", async () => {
    const server = await startServer(oldest);
    expect(isAlive(server.pid)).toBe(true);
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    await server.stop();
  });

  it.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
    "is gone, with its files, after its run was ended by %s",
    async (signal) => {
      const run = runTypescript("start-server.ts");
      const { pid } = JSON.parse(await run.line()) as { pid: number };
      expect(isAlive(pid)).toBe(true);
      expect(filesOf(run.child.pid)).toHaveLength(1);
      run.child.kill(signal);
      expect(await run.ended).toBe(signal);
      await until(() => !isAlive(pid) && filesOf(run.child.pid).length === 0);
    },
  );

  it("starts from packages whose install scripts were blocked", () => {
    const directory = mkdtempSync(join(tmpdir(), "underpin-native-"));
    const blocked = join(directory, "native");
    cpSync(native ?? "", blocked, { recursive: true, verbatimSymlinks: true });
    const library = readdirSync(join(blocked, "lib")).find((name) =>
      name.startsWith("libicui18n.so.60."),
    );
    for (const entry of readdirSync(join(blocked, "lib"), { withFileTypes: true }))
      if (entry.isSymbolicLink()) unlinkSync(join(blocked, "lib", entry.name));
    expect(prepareNative(blocked, directory, {})).toBe(blocked);
    if (library !== undefined)
      expect(existsSync(join(blocked, "lib", "libicui18n.so.60"))).toBe(true);
    rmSync(directory, { recursive: true });
  });

  it("runs from a copy where its user cannot read the packages", () => {
    const directory = mkdtempSync(join(tmpdir(), "underpin-native-"));
    const closed = join(directory, "native");
    cpSync(native ?? "", closed, { recursive: true, verbatimSymlinks: true });
    const open = mkdtempSync(join(tmpdir(), "underpin-copy-"));
    const user = serverUser();
    // Only root has a second user to run the server as, to whom a directory of mkdtemp is closed.
    if (user.uid !== undefined) {
      chmodSync(open, 0o755);
      expect(prepareNative(closed, open, user)).toBe(join(open, "native"));
    } else expect(prepareNative(closed, open, user)).toBe(closed);
    for (const each of [directory, open]) rmSync(each, { recursive: true });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie takes signals until somebody collects it.
    return !existsSync("/proc") || !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // ESRCH, or gone between the two looks.
    return false;
  }
}

/** Data directories that a process made. */
function filesOf(pid: number | undefined): string[] {
  return ["/dev/shm", tmpdir()]
    .filter((base) => existsSync(base))
    .flatMap((base) => readdirSync(base))
    .filter((name) => name.startsWith(`underpin-${pid}-`));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}
