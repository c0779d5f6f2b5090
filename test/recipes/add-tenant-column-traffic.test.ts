import { setTimeout as sleep } from "node:timers/promises";
import type { Sql, TransactionSql } from "postgres";
import { expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { addTenantColumn } from "../../src/recipes/add-tenant-column.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";

/** Above a lock timeout with the time of a statement on a busy machine. */
const LONGEST_WAIT_MS = 4_000;
const PEOPLE = 900;
const NOTES = 3_000;
const MARKS = 1_500;

const SETUP = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.schools (id integer PRIMARY KEY);
  CREATE TABLE app.people (id integer PRIMARY KEY, region integer NOT NULL, value integer NOT NULL DEFAULT 0);
  CREATE TABLE app.notes (id bigint PRIMARY KEY, person_id integer NOT NULL REFERENCES app.people, value integer NOT NULL DEFAULT 0);
  CREATE TABLE app.marks (id bigint PRIMARY KEY, note_id bigint NOT NULL REFERENCES app.notes ON DELETE CASCADE, value integer NOT NULL DEFAULT 0);
  INSERT INTO app.schools SELECT generate_series(1, 3);
  INSERT INTO app.people SELECT g, 1 + g % 3 FROM generate_series(1, ${PEOPLE}) g;
  INSERT INTO app.notes SELECT g, 1 + g % ${PEOPLE} FROM generate_series(1, ${NOTES}) g;
  INSERT INTO app.marks SELECT g, g FROM generate_series(1, ${MARKS}) g`;

/** Rows without a tenant, or of another than their parent's, and parents of another than they should be. */
const WRONG = `SELECT 'people' AS of, id::bigint FROM app.people WHERE tenant_id IS DISTINCT FROM region
  UNION ALL SELECT 'notes', n.id FROM app.notes n JOIN app.people p ON p.id = n.person_id WHERE n.tenant_id IS DISTINCT FROM p.tenant_id
  UNION ALL SELECT 'marks', m.id FROM app.marks m JOIN app.notes n ON n.id = m.note_id WHERE m.tenant_id IS DISTINCT FROM n.tenant_id`;

type Run = (text: string) => Promise<unknown>;

/** What one version does with rows of its own. */
interface Version {
  readonly addPerson: (id: number, region: number) => string;
  readonly addNote: (id: number, person: number) => string;
  readonly addMark: (id: number, note: number) => string;
  readonly moveNote: (id: number, person: number) => string;
}

const tenantOf = (table: string, id: number) =>
  `(SELECT tenant_id FROM app.${table} WHERE id = ${id} FOR KEY SHARE)`;

const OLD: Version = {
  addPerson: (id, region) => `INSERT INTO app.people (id, region) VALUES (${id}, ${region})`,
  addNote: (id, person) => `INSERT INTO app.notes (id, person_id) VALUES (${id}, ${person})`,
  addMark: (id, note) => `INSERT INTO app.marks (id, note_id) VALUES (${id}, ${note})`,
  moveNote: (id, person) => `UPDATE app.notes SET person_id = ${person} WHERE id = ${id}`,
};

const NEW: Version = {
  addPerson: (id, region) =>
    `INSERT INTO app.people (id, region, tenant_id) VALUES (${id}, ${region}, ${region})`,
  addNote: (id, person) =>
    `INSERT INTO app.notes (id, person_id, tenant_id) VALUES (${id}, ${person}, ${tenantOf("people", person)})`,
  addMark: (id, note) =>
    `INSERT INTO app.marks (id, note_id, tenant_id) VALUES (${id}, ${note}, ${tenantOf("notes", note)})`,
  moveNote: (id, person) =>
    `UPDATE app.notes SET person_id = ${person}, tenant_id = ${tenantOf("people", person)} WHERE id = ${id}`,
};

onServers("addTenantColumn at full speed", (server) => {
  it("leaves no row without a tenant or of another's, and loses no update", async () => {
    const sql = server.sql();
    await sql.unsafe(SETUP);
    const traffic = startTraffic(sql);
    const made = addTenantColumn({
      facts: await readFacts(sql, { schemas: ["app"] }),
      schema: "app",
      tenants: { table: "schools", column: "id" },
      tables: [
        { schema: "app", table: "marks", from: "parent" },
        { schema: "app", table: "notes", from: "parent" },
        { schema: "app", table: "people", from: { expression: "target.region" } },
      ],
      batchSize: 100,
      targetMs: false,
      workers: 2,
      pauseMs: 5,
    });
    const expanded = made.steps.find(({ phase }) => phase === "tenantColumn")?.id;
    try {
      traffic.begin(OLD, 0, "read committed");
      traffic.begin(OLD, 1, "repeatable read");
      await sleep(100);
      const report = await apply(sql, made, {
        onEvent: (event) => {
          if (event.type === "stepApplied" && event.step === expanded) {
            traffic.begin(NEW, 2, "read committed");
            traffic.begin(NEW, 3, "repeatable read");
          }
        },
      });
      expect([report.failure, report.outcome]).toEqual([undefined, "waiting"]);
      await sleep(200);
      expect(await sql.unsafe(WRONG)).toEqual([]);
      await traffic.end(OLD);
      await confirm(sql, made.name, "old-versions-gone");
      expect((await apply(sql, made)).outcome).toBe("applied");
      await sleep(100);
      await traffic.end(NEW);
      expect(await sql.unsafe(WRONG)).toEqual([]);
      expect(await traffic.lost()).toEqual([]);
      traffic.begin(OLD, 4, "read committed");
      await sleep(20);
    } finally {
      await traffic.end(OLD);
      await traffic.end(NEW);
    }
    expect(traffic.failures()).toMatchObject([{ code: "23502", table_name: "people" }]);
    expect((await undo(sql, made)).failure).toBeUndefined();
    console.info(
      `PostgreSQL ${server.major}: ${traffic.written()} writes, ${traffic.again()} run again for an old snapshot, longest wait ${Math.round(traffic.longestMs())} ms`,
    );
    expect(traffic.longestMs()).toBeLessThan(LONGEST_WAIT_MS);
  });

  it("asks who writes by an old snapshot to look again, and guesses no tenant", async () => {
    const sql = server.sql();
    await sql.unsafe(`${SETUP}; INSERT INTO app.schools VALUES (7)`);
    const made = addTenantColumn({
      facts: await readFacts(sql, { schemas: ["app"] }),
      schema: "app",
      tenants: { table: "schools", column: "id" },
      tables: ["people", "notes"].map((table) => ({
        ...{ schema: "app", table, sameTenant: false },
        from: table === "notes" ? "parent" : { expression: "target.region" },
      })),
      defaultTenant: 7,
    });
    const late = await sql.reserve();
    await late.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM app.schools LIMIT 1");
    const snapshot = await late.unsafe("SELECT count(*)::int AS n FROM app.schools");
    expect(snapshot).toMatchObject([{ n: 4 }]);
    // What is built concurrently waits for old snapshots: up to there the plan goes on beside it.
    const until = made.steps.findIndex(({ id }) => id.startsWith("fill:notes"));
    const part = {
      ...made,
      steps: made.steps.slice(0, until).filter(({ id }) => !id.startsWith("create-index")),
    };
    expect((await apply(sql, part)).failure).toBeUndefined();
    const insert = "INSERT INTO app.notes (id, person_id) VALUES (-1, 5)";
    await expect(late.unsafe(insert)).rejects.toMatchObject({ code: "40001" });
    await late.unsafe("ROLLBACK");
    await late.unsafe(insert);
    expect(await late.unsafe("SELECT tenant_id FROM app.notes WHERE id = -1")).toMatchObject([
      { tenant_id: 3 },
    ]);
    late.release();
    expect((await undo(sql, part)).failure).toBeUndefined();
  });
});

/** Writers that know the last value of each row of theirs. */
function startTraffic(sql: Sql) {
  const loops: { version: Version; stop: boolean; ended: Promise<void> }[] = [];
  const expected = new Map<string, number>();
  const failed: unknown[] = [];
  let [longest, count, repeated] = [0, 0, 0];
  const timed = async (isolation: string, work: (run: Run) => Promise<unknown>) => {
    for (;;) {
      const began = performance.now();
      try {
        await sql.begin(`ISOLATION LEVEL ${isolation}`, (tx: TransactionSql) =>
          work((text) => tx.unsafe(text)),
        );
        longest = Math.max(longest, performance.now() - began);
        count++;
        return;
      } catch (error) {
        if (isolation !== "repeatable read" || sqlStateOf(error) !== "40001") throw error;
        repeated++;
      }
    }
  };
  const write = async (version: Version, writer: number, n: number, isolation: string) => {
    const own = 1_000_000 * (writer + 1) + n;
    const person = 1 + ((n * 7 + writer) % PEOPLE);
    const old = 1 + ((n * 8 + writer) % NOTES);
    await timed(isolation, (run) => run(version.addPerson(own, 1 + (n % 3))));
    await timed(isolation, async (run) => {
      await run(version.addNote(own, person));
      await run(version.addMark(own, own));
    });
    await timed(isolation, (run) => run(version.moveNote(own, own)));
    // Rows that were there before: eight writers have different ones.
    const mine = old - (old % 8) + writer;
    if (mine >= 1 && mine <= NOTES) {
      await timed(isolation, (run) => run(version.moveNote(mine, person)));
      await timed(isolation, (run) => run(`UPDATE app.notes SET value = ${n} WHERE id = ${mine}`));
      expected.set(`notes ${mine}`, n);
    }
    if (mine >= 1 && mine <= MARKS) {
      await timed(isolation, (run) => run(`UPDATE app.marks SET value = ${n} WHERE id = ${mine}`));
      expected.set(`marks ${mine}`, n);
    }
    if (n % 5 === 0)
      await timed(isolation, (run) => run(`DELETE FROM app.notes WHERE id = ${own}`));
  };
  const begin = (version: Version, writer: number, isolation: string) => {
    const loop = { version, stop: false, ended: Promise.resolve() };
    loop.ended = (async () => {
      for (let n = 0; !loop.stop; n++) await write(version, writer, n, isolation);
    })().catch((error: unknown) => void failed.push(error));
    loops.push(loop);
  };
  const end = async (version: Version) => {
    const ending = loops.filter((loop) => loop.version === version);
    for (const loop of ending) loop.stop = true;
    await Promise.all(ending.map(({ ended }) => ended));
  };
  const lost = async () => {
    const rows = await sql.unsafe<{ key: string; value: number }[]>(
      `SELECT 'notes ' || id AS key, value FROM app.notes UNION ALL SELECT 'marks ' || id, value FROM app.marks`,
    );
    const found = new Map(rows.map(({ key, value }) => [key, value]));
    return [...expected].filter(([key, value]) => found.get(key) !== value);
  };
  return {
    ...{ begin, end, lost },
    failures: () => failed,
    written: () => count,
    again: () => repeated,
    longestMs: () => longest,
  };
}
