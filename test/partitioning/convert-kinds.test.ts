import {
  bigint,
  date,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { hash, list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";

const things = pgTable(
  "things",
  {
    id: integer("id").notNull(),
    place: text("place").notNull(),
    at: timestamp("at", { withTimezone: true }).notNull(),
    local: timestamp("local").notNull(),
    day: date("day").notNull(),
    number: bigint("number", { mode: "bigint" }).notNull(),
    made: uuid("made").notNull(),
  },
  (t) => [primaryKey({ columns: [t.id, t.place] })],
);

const SETUP = `CREATE TABLE things (id integer PRIMARY KEY, place text NOT NULL, at timestamptz NOT NULL, local timestamp NOT NULL,
  day date NOT NULL, number bigint NOT NULL, made uuid NOT NULL)`;

/** A row in the n-th month of 2020, whose number is negative where n is odd. */
const insert = (id: number, n: number, place: string) =>
  `INSERT INTO things SELECT ${id}, '${place}', m, m AT TIME ZONE 'UTC', m::date, ${n % 2 === 0 ? n : -n} * 700,
     ('0171' || lpad(to_hex(${n} * 2000000), 8, '0') || '70008000000000000000')::uuid
   FROM (SELECT '2020-01-31 23:30Z'::timestamptz + ${n} * interval '1 month' AS m) AS months`;

const KINDS: readonly (readonly [string, Scheme])[] = [
  ["values", partitionBy(things, list(things.place))],
  [
    "months of a place",
    partitionBy(things, list(things.place), range(things.at, { every: "1 month", premake: 1 })),
  ],
  [
    "months in another zone",
    partitionBy(things, range(things.local, { every: "1 month", premake: 0 }), {
      timeZone: "Europe/Berlin",
    }),
  ],
  ["weeks of a date", partitionBy(things, range(things.day, { every: "1 week", premake: 0 }))],
  [
    "years and their months",
    partitionBy(
      things,
      range(things.at, { every: "1 year", premake: 0 }),
      range(things.at, { every: "1 month", premake: 0 }),
    ),
  ],
  ["numbers", partitionBy(things, range(things.number, { every: 1_000, premake: 1 }))],
  [
    "the time in uuids",
    partitionBy(things, range(things.made, { every: "1 month", time: "uuidv7", premake: 0 })),
  ],
  ["hashes", partitionBy(things, hash(things.id, { modulus: 3 }))],
  [
    "hashes and their months",
    partitionBy(
      things,
      hash(things.place, { modulus: 2 }),
      range(things.at, { every: "3 months", premake: 0 }),
    ),
  ],
  [
    "values beside others",
    partitionBy(
      things,
      list(things.place, { default: true }),
      range(things.at, { every: "1 month", premake: 0, default: true }),
    ),
  ],
  [
    "months but of one place days",
    partitionBy(things, list(things.place), range(things.at, { every: "1 month", premake: 0 }), {
      overrides: [{ values: { place: "a" }, every: "1 day", premake: 0 }],
    }),
  ],
];

onEngines("A plain table becomes one of", (engine) => {
  it.each(KINDS)("%s", async (kind, scheme) => {
    const db = engine.executor();
    await db.query(
      `DROP TABLE IF EXISTS things CASCADE; DROP TABLE IF EXISTS things_parts_log; DROP SCHEMA IF EXISTS underpin CASCADE; ${SETUP}`,
    );
    for (const n of [1, 2, 3, 9]) await db.query(insert(n, n, n < 3 ? "a" : "b"));
    const facts = () => readFacts(engine.db(), { schemas: ["public"] });
    const ids = async () =>
      (await db.query<{ id: number }>("SELECT id FROM things ORDER BY id")).map(({ id }) => id);
    const before = await facts();
    const plan = convertToPartitioned({ facts: before, scheme, strategy: "copy" });
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "provision") stop.abort();
      },
    });
    await db.query(insert(20, 20, "c"));
    await db.query(insert(21, 31, "a"));
    await db.query(
      `UPDATE things SET at = at + interval '5 years', local = local + interval '5 years', number = number + 9000 WHERE id = 2`,
    );
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(await ids()).toEqual([1, 2, 3, 9, 20, 21]);
    const { tables } = await facts();
    expect(tables.find(({ name }) => name === "things")?.kind).toBe("partitionedTable");
    // What was there got its partitions; what came meanwhile goes where it would go afterwards.
    const [other] = await db.query<{ ids: string }>(
      "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') AS ids FROM things WHERE tableoid::regclass::text LIKE '%default'",
    );
    expect(other?.ids).toBe(kind === "values beside others" ? "2,20,21" : "");
    await db.query("DELETE FROM things WHERE id IN (1, 20)");
    const undone = await undo(engine.db(), plan);
    expect(undone.failure).toBeUndefined();
    expect(await ids()).toEqual([2, 3, 9, 21]);
    expect(compareCatalogs(canonical(before), canonical(await facts()))).toEqual([]);
  });
});
