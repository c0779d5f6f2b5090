import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { onServers } from "../support/server.ts";
import { byProgram, programs, readings, schema, setup, tables } from "./maintain-fixture.ts";

const january = "readings_program_p1_site_s_2025_01";
const file = `${encodeURIComponent('we"ird Schema')}.${january}.dump`;

/** The version of the pg_dump of the PATH; 0 where there is none. */
const dumpMajor = (() => {
  try {
    return Number(/ (\d+)/.exec(execFileSync("pg_dump", ["--version"], { encoding: "utf8" }))?.[1]);
  } catch {
    return 0;
  }
})();

onServers("an archive by pg_dump", (server) => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "underpin-dump-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  beforeEach(async () => {
    const sql = server.sql();
    await sql.unsafe(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
       ${setup([programs, readings], [byProgram])};
       INSERT INTO ${schema}.programs VALUES ('p1');`,
    );
    await sql.unsafe(
      `SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-06-15');
       INSERT INTO ${schema}.readings SELECT 'p1', 's', d, 1, 'kept' FROM pg_catalog.generate_series('2025-01-05'::timestamptz, '2025-05-05', '1 month') AS d`,
    );
    await run("2025-05-06", "true");
  }, 60_000);

  const run = (day: string, binary: string) =>
    maintain(server.sql(), [byProgram], {
      now: `${day}T12:00:00Z`,
      archive: { kind: "pg_dump", directory, url: server.url(), binary },
    });

  it("that cannot be started drops nothing, and says which to name", async () => {
    const report = await run("2025-05-20", join(directory, "no-such-binary"));
    expect(report.outcome).toBe("failed");
    expect(report.failure?.message).toContain("it could not be started");
    expect(report.failure?.hint).toContain("Name a pg_dump of the server's version or newer");
    expect(await tables(toExecutor(server.sql()), january)).toEqual([january]);
  });

  it("that fails half-way drops nothing, and the next one writes the file again", async () => {
    const binary = join(directory, "half");
    await writeFile(
      binary,
      `#!/bin/sh\nfor each; do case "$each" in --file=*) echo half > "\${each#--file=}";; esac; done\necho "no space left" >&2\nexit 1\n`,
      { mode: 0o755 },
    );
    const report = await run("2025-05-20", binary);
    expect(report.failure?.message).toContain("no space left");
    expect(await readdir(directory)).not.toContain(file);
    expect(await tables(toExecutor(server.sql()), january)).toEqual([january]);
    await writeFile(binary, (await readFile(binary, "utf8")).replace("exit 1", "exit 0"));
    const again = await run("2025-05-21", binary);
    expect(again.failure?.message).toBeUndefined();
    expect(await readFile(join(directory, file), "utf8")).toBe("half\n");
    expect(await tables(toExecutor(server.sql()), january)).toEqual([]);
    const journal = await server
      .sql()
      .unsafe(`SELECT 1 FROM underpin.runs WHERE plan::text LIKE '%postgres://%'`);
    expect(journal).toHaveLength(0);
  });

  // It has to be as new as the server, and comes with no dev dependency.
  it.skipIf(dumpMajor < server.major)(
    "holds the rows, and the partition is dropped then",
    async () => {
      const report = await run("2025-05-20", "pg_dump");
      expect(report.failure?.message).toBeUndefined();
      expect((await stat(join(directory, file))).size).toBeGreaterThan(0);
      const text = execFileSync("pg_restore", ["--file=-", join(directory, file)], {
        encoding: "utf8",
      });
      expect(text).toContain("p1\ts\t2025-01-05 00:00:00+00\t1\tkept");
      expect(await tables(toExecutor(server.sql()), january)).toEqual([]);
    },
  );
});
