import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import postgres from "postgres";
import { beforeAll, expect, it } from "vitest";
import { backup } from "../../src/migrations/backup.ts";
import { restorePoint } from "../../src/migrations/restore-point.ts";
import { verifyBackup } from "../../src/migrations/verify-backup.ts";
import { onServers } from "../support/server.ts";
import { backupDirectory, ODD, pgDumpMajor, SETUP } from "./backup-world.ts";

const path = backupDirectory();
const dumpMajor = pgDumpMajor();

onServers("a backup", (server) => {
  if (server.major > dumpMajor) {
    it.skip(`is made by pg_dump (skipped: the newest here is ${dumpMajor || "none"})`, () => {});
    it("is refused with the package to install", async () => {
      await expect(backup(server.sql(), { to: path(`new-${server.major}`) })).rejects.toMatchObject(
        {
          hint: expect.stringMatching(`postgresql-client-${server.major}`) as string,
        },
      );
    });
    return;
  }

  beforeAll(async () => {
    await server.sql().unsafe(SETUP);
  });

  it.each(["custom", "directory"] as const)("is whole as %s, and restored", async (archive) => {
    const to = path(`${archive}-${server.major}`);
    const manifest = await backup(server.sql(), { to, archive });
    expect(manifest.rows).toMatchObject({
      '"public"."orders"': 10,
      '"we""ird Schema"."ta""ble.*|$"': 100,
    });
    expect(manifest.server.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    const proof = await verifyBackup(to, { on: server.url() });
    expect(proof.findings).toEqual([]);
    const left = await server.sql()`select from pg_database where datname like 'underpin_verify%'`;
    expect(left).toHaveLength(0);
  });

  it("is of one snapshot, whatever is written meanwhile", async () => {
    await server
      .sql()
      .unsafe("CREATE TABLE public.busy (id int); INSERT INTO public.busy VALUES (1)");
    let writing = true;
    const writer = (async () => {
      while (writing) await server.sql()`insert into public.busy values (2)`;
    })();
    const to = path(`busy-${server.major}`);
    await backup(server.sql(), { to });
    writing = false;
    await writer;
    const { findings } = await verifyBackup(to, { on: server.url() });
    expect(findings).toEqual([]);
  });

  it("holds the chosen table alone, whatever its name would match", async () => {
    const to = path(`odd-${server.major}`);
    const { rows } = await backup(server.sql(), { to, tables: [ODD] });
    expect(Object.keys(rows ?? {})).toEqual(['"we""ird Schema"."ta""ble.*|$"']);
    const proof = await verifyBackup(to, { on: server.url() });
    expect(proof.findings).toEqual([]);
    await expect(
      backup(server.sql(), {
        to: path(`none-${server.major}`),
        tables: [{ schema: "public", name: "ord*" }],
      }),
    ).rejects.toMatchObject({ code: "invalidInput" });
    expect(existsSync(path(`none-${server.major}`))).toBe(false);
  });

  it("finds that the backup is not what the database was", async () => {
    const to = path(`lost-${server.major}`);
    await backup(server.sql(), { to, schemaOnly: true });
    const file = `${to}.manifest.json`;
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { catalog: Record<string, unknown> };
    manifest.catalog['view "public"."gone"'] = { within: 'schema "public"', aspects: {} };
    writeFileSync(file, JSON.stringify({ ...manifest, rows: { '"public"."orders"': 10 } }));
    const { findings, ok } = await verifyBackup(to, { on: server.url() });
    expect(ok).toBe(false);
    expect(findings.map(({ check }) => check).sort()).toEqual([
      "catalog-restored",
      "rows-restored",
    ]);
  });

  it("is refused where row security would leave rows out", async () => {
    const owner = await server.role("owner");
    const sql = server.sql();
    await sql.unsafe(`CREATE SCHEMA held AUTHORIZATION "${owner}"; SET ROLE "${owner}";
      CREATE TABLE held.secrets (id int); INSERT INTO held.secrets VALUES (1);
      ALTER TABLE held.secrets ENABLE ROW LEVEL SECURITY; ALTER TABLE held.secrets FORCE ROW LEVEL SECURITY; RESET ROLE`);
    const to = path(`held-${server.major}`);
    const own = server.connect(server.urlAs(owner));
    await expect(backup(own, { to, schemas: ["held"] })).rejects.toMatchObject({
      code: "rowSecurity",
      message: expect.stringMatching(/"held"\."secrets"/) as string,
    });
    expect(existsSync(to)).toBe(false);
    // Without rows there is nothing to leave out.
    await backup(own, { to, schemas: ["held"], schemaOnly: true });
    await expect(
      backup(own, {
        to: path(`rights-${server.major}`),
        tables: [{ schema: "public", name: "orders" }],
      }),
    ).rejects.toMatchObject({ code: "missingRight" });
  });

  it("says what could not be read, where a late pg_dump only misses the snapshot", async () => {
    const fake = path(`late-pg_dump-${server.major}`);
    writeFileSync(
      fake,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) ${server.major}.0'; exit 0; fi\nsleep 1\necho 'pg_dump: error: invalid snapshot identifier' >&2\nexit 1\n`,
    );
    await chmod(fake, 0o755);
    const own = server.connect(server.urlAs(await server.role("late")));
    const late = backup(own, {
      to: path(`late-${server.major}`),
      tables: [{ schema: "public", name: "orders" }],
      pgDump: fake,
    });
    await expect(late).rejects.toMatchObject({ code: "missingRight" });
  });

  it("gives up a lock that it does not get, and leaves nothing", async () => {
    const to = path(`locked-${server.major}`);
    const sql = postgres(server.url(), { max: 1 });
    await sql.begin(async (tx) => {
      await tx`lock table public.orders in access exclusive mode`;
      await expect(
        backup(server.sql(), { to, lockWaitMs: 200, count: false }),
      ).rejects.toMatchObject({ code: "blocked" });
    });
    await sql.end();
    expect(readdirSync(path(".")).filter((name) => name.startsWith(`locked-`))).toEqual([]);
  });

  it("shows no password to whoever lists processes, and leaves nothing when pg_dump dies", async () => {
    const seen = path(`seen-${server.major}`);
    const fake = path(`pg_dump-${server.major}`);
    writeFileSync(
      fake,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) ${server.major}.0'; exit 0; fi\nprintf '%s ' "$@" > ${seen}\nprintf 'half of it'\nkill -9 $$\n`,
    );
    await chmod(fake, 0o755);
    const to = path(`dies-${server.major}`);
    const url = new URL(server.url());
    url.password = "hush";
    await expect(backup(server.sql(), { to, url: url.href, pgDump: fake })).rejects.toMatchObject({
      message: expect.stringMatching(/SIGKILL/) as string,
    });
    expect(readdirSync(path(".")).filter((name) => name.startsWith("dies-"))).toEqual([]);
    expect(readFileSync(seen, "utf8")).not.toMatch(/hush/);
  });

  it("is stopped by its signal", async () => {
    const to = path(`stopped-${server.major}`);
    await expect(backup(server.sql(), { to, signal: AbortSignal.abort() })).rejects.toMatchObject({
      message: expect.stringMatching(/stopped as asked/) as string,
    });
    expect(existsSync(to)).toBe(false);
  });
});

onServers("a restore point", (server) => {
  it("names a place in the log, and needs its right", async () => {
    const point = await restorePoint(server.sql(), "before the change");
    expect(point.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(point.archiving).toBe(false);
    const login = await server.role("plain");
    const refused = restorePoint(server.connect(server.urlAs(login)), "before");
    await expect(refused).rejects.toMatchObject({
      code: "missingRight",
      hint: expect.stringMatching(/GRANT EXECUTE ON FUNCTION/) as string,
    });
  });
});
