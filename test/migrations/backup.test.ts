import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { chmod } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { backup } from "../../src/migrations/backup.ts";
import { findTool } from "../../src/migrations/backup/client-tools.ts";
import { libpqVariables, variablesOfUrl } from "../../src/migrations/backup/connection-of.ts";
import { manifestPath } from "../../src/migrations/backup/manifest.ts";
import { backupHandlers, requireBackup } from "../../src/migrations/require-backup.ts";
import { restorePoint } from "../../src/migrations/restore-point.ts";
import { verifyBackup } from "../../src/migrations/verify-backup.ts";
import { plan } from "../../src/plan/plan.ts";
import { apply } from "../../src/run/apply.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";
import { backupDirectory, ODD, SETUP } from "./backup-world.ts";

const path = backupDirectory();

describe("a backup of PGlite", () => {
  it("is restored with its rows and its catalog", async () => {
    await using test = await createTestDatabase({ setup: SETUP });
    const to = path("one.tar");
    const manifest = await backup(test.db, { to });
    expect(manifest.rows).toEqual({
      '"public"."Orders"': 0,
      '"public"."nothing"': 0,
      '"public"."orders"': 10,
      '"public"."parts_1"': 2,
      '"we""ird Schema"."ta""ble.*|$"': 100,
    });
    expect(manifest.files).toMatchObject([{ name: "", bytes: statSync(to).size }]);
    expect(existsSync(`${to}.part`)).toBe(false);
    const proof = await verifyBackup(to);
    expect(proof.findings).toEqual([]);
    expect(proof.ok).toBe(true);
    await expect(backup(test.db, { to })).rejects.toMatchObject({ code: "invalidInput" });
    await expect(backup(test.executor, { to: path("two.tar") })).rejects.toMatchObject({
      code: "unsupportedDatabase",
    });
    await expect(backup(test.db, { to: path("three.tar"), tables: [ODD] })).rejects.toMatchObject({
      code: "invalidInput",
    });
    expect(existsSync(path("three.tar"))).toBe(false);

    // What does not hold what was backed up.
    const told = JSON.parse(readFileSync(manifestPath(to), "utf8")) as typeof manifest;
    const lying = { ...told, rows: { ...told.rows, '"public"."orders"': 11 } };
    writeFileSync(manifestPath(to), JSON.stringify(lying));
    expect((await verifyBackup(to)).findings).toMatchObject([
      { check: "rows-restored", message: "it had 11 rows and has 10" },
    ]);
    truncateSync(to, 1000);
    const damaged = await verifyBackup(to);
    expect(damaged).toMatchObject({ ok: false, findings: [{ check: "backup-file" }] });
  });

  it("is asked for by a plan, and must be young, whole and of this database", async () => {
    await using test = await createTestDatabase();
    const to = path("asked.tar");
    const careful = (name: string, maxAgeHours: number) =>
      plan(name, [requireBackup({ backup: to, maxAgeHours })]);
    const options = { handlers: backupHandlers };
    const without = await apply(test.db, careful("without", 1), options);
    expect(without.failure?.message).toMatch(/has no manifest/);
    await backup(test.db, { to });
    expect((await apply(test.db, careful("with", 1), options)).outcome).toBe("applied");
    const old = await apply(test.db, careful("old", 1e-9), options);
    expect(old.failure?.message).toMatch(/hours old, and at most/);
    truncateSync(to, 10);
    const cut = await apply(test.db, careful("cut", 1), options);
    expect(cut.failure?.message).toMatch(/has 10 bytes, and the manifest says/);
    const told = JSON.parse(readFileSync(manifestPath(to), "utf8")) as { server: object };
    writeFileSync(
      manifestPath(to),
      JSON.stringify({ ...told, server: { ...told.server, database: "other" } }),
    );
    const other = await apply(test.db, careful("other", 1), options);
    expect(other.failure?.message).toMatch(/of the database "other"/);
    expect(() => requireBackup({ backup: to, maxAgeHours: 0 })).toThrow(/needs a file and an age/);
  });

  it("refuses a name that no restore point can have", async () => {
    await using test = await createTestDatabase();
    await expect(restorePoint(test.db, "x".repeat(64))).rejects.toMatchObject({
      code: "invalidInput",
    });
    await expect(restorePoint(test.db, "")).rejects.toMatchObject({ code: "invalidInput" });
  });
});

describe("what pg_dump is told", () => {
  it("comes from a URL or a handle, and holds the password in the environment", async () => {
    expect(variablesOfUrl("postgres://us%40er:p%23w@[::1]:5433/d%2Fb?sslmode=require")).toEqual({
      PGHOST: "::1",
      PGPORT: "5433",
      PGUSER: "us@er",
      PGPASSWORD: "p#w",
      PGDATABASE: "d/b",
      PGSSLMODE: "require",
    });
    const client = {
      options: { host: ["h"], port: [1], user: "u", pass: () => "later", database: "d" },
    };
    expect(await libpqVariables({ $client: client }, undefined)).toEqual({
      PGHOST: "h",
      PGPORT: "1",
      PGUSER: "u",
      PGPASSWORD: "later",
      PGDATABASE: "d",
    });
    await expect(libpqVariables({ $client: {} }, undefined)).rejects.toMatchObject({
      hint: expect.stringMatching(/url: process\.env/) as string,
    });
  });

  it("is refused with the package to install where no tool serves", async () => {
    const hint = expect.stringMatching(/postgresql-client-99/) as string;
    await expect(findTool("pg_dump", 99, { given: path("none") })).rejects.toMatchObject({
      code: "unsupportedDatabase",
      hint,
    });
    const old = path("old_pg_dump");
    writeFileSync(old, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n");
    await chmod(old, 0o755);
    await expect(findTool("pg_dump", 99, { given: old })).rejects.toMatchObject({
      code: "unsupportedServer",
      message: expect.stringMatching(/is 9\.6\.1 and the server is 99/) as string,
      hint,
    });
  });
});

it("leaves nothing else in the directory of the backups", () => {
  expect(readdirSync(path(".")).filter((name) => name.endsWith(".part"))).toEqual([]);
});
