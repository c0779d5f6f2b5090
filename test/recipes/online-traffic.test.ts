import { setTimeout as sleep } from "node:timers/promises";
import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import type { Plan } from "../../src/plan/step.ts";
import { changeColumnType } from "../../src/recipes/change-column-type.ts";
import { renameColumn } from "../../src/recipes/rename-column.ts";
import { renameTable } from "../../src/recipes/rename-table.ts";
import { splitColumn } from "../../src/recipes/split-column.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";

/** Above a lock timeout with the time of a statement on a busy machine. */
const LONGEST_WAIT_MS = 4_000;
/** A multiple of the number of writers, so that each has rows of its own. */
const ROWS = 4_200;
const WRITERS = 3;

/** How one version of the application writes, and reads what it wrote. */
interface Version {
  readonly insert: (id: number, value: number) => string;
  readonly update: (id: number, value: number) => string;
}

interface Subject {
  readonly name: string;
  readonly plan: (facts: Facts) => Plan;
  readonly old: Version;
  readonly new: Version;
  /** Rows whose two sides are not alike, while there are two. */
  readonly unlike?: string;
}

const written = (table: string, column: string, value: (n: number) => string): Version => ({
  insert: (id, n) => `INSERT INTO app.${table} (id, ${column}) VALUES (${id}, ${value(n)})`,
  update: (id, n) => `UPDATE app.${table} SET ${column} = ${value(n)} WHERE id = ${id}`,
});
const number = (n: number) => String(n);
const at = { schema: "app", table: "things", batchSize: 200 } as const;

const SUBJECTS: readonly Subject[] = [
  {
    name: "renameColumn",
    plan: (facts) => renameColumn({ facts, ...at, column: "value", to: "amount" }),
    old: written("things", "value", number),
    new: written("things", "amount", number),
    unlike: "value IS DISTINCT FROM amount",
  },
  {
    name: "renameTable",
    plan: (facts) => renameTable({ facts, ...at, to: "goods" }),
    old: written("things", "value", number),
    new: written("goods", "value", number),
  },
  {
    name: "changeColumnType",
    plan: (facts) => changeColumnType({ facts, ...at, column: "value", type: "numeric(20,2)" }),
    old: written("things", "value", number),
    new: written("things", "value", number),
    unlike: "value IS DISTINCT FROM underpin_value_other",
  },
  {
    name: "splitColumn",
    plan: (facts) =>
      splitColumn({
        facts,
        ...at,
        column: "value",
        value: "1000 * thousands + rest",
        into: [
          { name: "thousands", type: "integer", value: "value / 1000" },
          { name: "rest", type: "integer", value: "value % 1000" },
        ],
      }),
    old: written("things", "value", number),
    new: {
      insert: (id, n) =>
        `INSERT INTO app.things (id, thousands, rest) VALUES (${id}, ${Math.floor(n / 1000)}, ${n % 1000})`,
      update: (id, n) =>
        `UPDATE app.things SET thousands = ${Math.floor(n / 1000)}, rest = ${n % 1000} WHERE id = ${id}`,
    },
    unlike: "value IS DISTINCT FROM 1000 * thousands + rest",
  },
];

onServers("Two versions of an application at full speed", (server) => {
  it.each(SUBJECTS)("lose nothing under $name, there and back", async (subject) => {
    const sql = server.sql();
    await sql.unsafe(`DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
      CREATE TABLE app.things (id bigint PRIMARY KEY, value integer NOT NULL CHECK (value >= 0));
      CREATE INDEX ON app.things (value);
      INSERT INTO app.things SELECT g, g FROM generate_series(1, ${ROWS}) g`);
    const expected = new Map<number, number>();
    const traffic = startWriters(sql, expected);
    const made = subject.plan(await readFacts(sql, { schemas: ["app"] }));
    try {
      traffic.begin(subject.old, 0);
      await sleep(100);
      const report = await apply(sql, made);
      expect([report.failure, report.outcome]).toEqual([undefined, "waiting"]);
      traffic.begin(subject.new, WRITERS);
      await sleep(300);
      if (subject.unlike !== undefined)
        expect(await sql.unsafe(`SELECT * FROM app.things WHERE ${subject.unlike}`)).toEqual([]);
      // Versions that know the new side are taken away before it goes.
      await traffic.end(subject.new);
      expect((await undo(sql, made)).failure).toBeUndefined();
      await sleep(100);
    } finally {
      await traffic.end();
    }
    const rows = await sql.unsafe<{ id: string; value: number }[]>(
      `SELECT id, value FROM app.things`,
    );
    const found = new Map(rows.map(({ id, value }) => [Number(id), value]));
    const lost = [...expected].filter(([id, value]) => found.get(id) !== value);
    expect(lost).toEqual([]);
    console.info(
      `PostgreSQL ${server.major}, ${subject.name}: ${traffic.written()} writes, longest wait ${Math.round(traffic.longestMs())} ms`,
    );
    expect(traffic.longestMs()).toBeLessThan(LONGEST_WAIT_MS);
  });
});

/** Writers of one version each, with rows of their own, so that the last value of each is known. */
function startWriters(sql: Sql, expected: Map<number, number>) {
  const loops = new Map<Version, { stop: boolean; readonly ended: Promise<unknown>[] }>();
  let longest = 0;
  let count = 0;
  const timed = async (text: string) => {
    const began = performance.now();
    await sql.unsafe(text);
    longest = Math.max(longest, performance.now() - began);
    count++;
  };
  const begin = (version: Version, first: number) => {
    const loop = { stop: false, ended: [] as Promise<unknown>[] };
    loops.set(version, loop);
    for (let writer = first; writer < first + WRITERS; writer++)
      loop.ended.push(
        (async () => {
          for (let n = writer; !loop.stop; n += 2 * WRITERS) {
            const mine = (n % ROWS) - ((n % ROWS) % (2 * WRITERS)) + writer + 1;
            const fresh = 1_000_000 + n;
            await timed(version.update(mine, n));
            expected.set(mine, n);
            await timed(version.insert(fresh, n));
            await timed(version.update(fresh, n + 1));
            expected.set(fresh, n + 1);
          }
        })(),
      );
  };
  const end = async (version?: Version) => {
    for (const [each, loop] of loops)
      if (version === undefined || each === version) {
        loop.stop = true;
        await Promise.all(loop.ended);
      }
  };
  return { begin, end, longestMs: () => longest, written: () => count };
}
