import postgres from "postgres";
import { expect, it } from "vitest";
import { variablesOfUrl } from "../../src/migrations/backup/connection-of.ts";
import { inScratchDatabase } from "../../src/migrations/backup/scratch-database.ts";
import { rehearse } from "../../src/migrations/rehearse.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { onServers } from "../support/server.ts";
import { BASE, oneStatement, TABLE } from "./rehearse-plans.ts";

const at = { schema: `we"ird Schema`, table: `ta"ble` };

onServers("a rehearsal", (server) => {
  it("measures CONCURRENTLY too, and the work of each statement", async () => {
    const url = await server.database("rehearsal");
    const sql = postgres(url, { max: 6, onnotice: () => undefined });
    const rehearsal = await rehearse(
      [
        setNotNull({ ...at, column: "note" }),
        createIndex({ ...at, parts: ["size"] }),
        oneStatement(
          `ALTER TABLE ${TABLE} ALTER size TYPE bigint`,
          `ALTER TABLE ${TABLE} ALTER size TYPE int`,
        ),
      ],
      { on: sql, base: BASE, generate: { 'ta"ble': ({ row }) => ({ note: `note ${row}` }) } },
    );
    expect(rehearsal.findings.map(({ check }) => check)).toEqual([
      "rewrite-under-lock",
      "rewrite-under-lock",
      "lock-undeclared",
      "lock-undeclared",
    ]);
    const build = rehearsal.plans[1]?.up.steps.find(({ sql: text }) =>
      text?.includes("CONCURRENTLY"),
    );
    expect(build).toMatchObject({
      measured: true,
      locks: [{ mode: "shareUpdateExclusive", blocks: "schema changes" }],
    });
    expect(build?.scanned.length).toBeGreaterThan(0);
    expect(rehearsal.notLookedAt).toEqual([
      "waits: nobody else works in the database of a rehearsal",
    ]);
    // It was used, so that a second rehearsal must not take its tables for the state before.
    await expect(rehearse(oneStatement("SELECT 1"), { on: sql })).rejects.toMatchObject({
      code: "invalidInput",
      message: expect.stringMatching(/is not empty: it holds \d+ tables/) as string,
    });
    await sql.end();
  });

  it("runs in a database of its own, which is dropped even when it fails", async () => {
    const names: string[] = [];
    const failing = inScratchDatabase(
      variablesOfUrl(server.url()),
      { prefix: "underpin_scratch", roles: ["underpin scratch role"] },
      async ({ executor, name }) => {
        names.push(name);
        const [row] = await executor.query<{ at: string }>("SELECT current_database()::text AS at");
        expect(row?.at).toBe(name);
        throw new Error("as meant");
      },
    );
    await expect(failing).rejects.toThrow("as meant");
    const sql = server.sql();
    expect(await sql`select from pg_database where datname = any(${names})`).toHaveLength(0);
    expect(await sql`select from pg_roles where rolname = 'underpin scratch role'`).toHaveLength(0);
  });

  it("refuses a login that cannot make rows while triggers sleep", async () => {
    const url = new URL(await server.database("plain"));
    const login = await server.role("plain");
    const sql = postgres(url.href.replace(/\/\/[^@]*@/, `//${login}:underpin@`), { max: 2 });
    await expect(rehearse(oneStatement("SELECT 1"), { on: sql })).rejects.toMatchObject({
      code: "missingRight",
    });
    await sql.end();
  });
});
