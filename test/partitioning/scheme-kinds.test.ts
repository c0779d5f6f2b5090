import {
  bigint,
  date,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import { beforeAll, describe, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { hash, list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { provision } from "../../src/partitioning/provision.ts";
import { apply } from "../../src/run/apply.ts";
import { qualified } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";

const SCHEMA = `we"ird Kinds`;
const space = pgSchema(SCHEMA);
const own = (name: string) => qualified(SCHEMA, name);

const events = space.table("events", { id: bigint({ mode: "bigint" }).primaryKey() });
const byNumber = partitionBy(events, range(events.id, { every: 1_000_000, premake: 1 }));

const small = space.table("small", { id: integer().primaryKey() });
const toTheEnd = partitionBy(small, range(small.id, { every: 2_000_000_000, premake: 0 }));

const messages = space.table("messages", { id: uuid().primaryKey(), body: text() });
const byUuid = partitionBy(messages, range(messages.id, { every: "1 month", time: "uuidv7" }), {
  prefix: "msg",
});

const visits = space
  .table(
    "visits",
    {
      siteId: text("site_id").notNull(),
      at: timestamp({ withTimezone: true }).notNull(),
      n: integer().notNull(),
    },
    (t) => [primaryKey({ name: "visits_pkey", columns: [t.siteId, t.at, t.n] })],
  )
  .enableRLS();
const bySite = partitionBy(
  visits,
  list(visits.siteId, { default: true }),
  range(visits.at, { every: "1 month", premake: 1, default: true }),
  {
    timeZone: "Europe/Berlin",
    overrides: [{ values: { siteId: "it's busy" }, every: "1 week", premake: 5 }],
  },
);

const kind = space.enum("kind", ["a", "b"]);
const days = space.table(
  "days",
  { kind: kind().notNull(), day: date().notNull(), n: integer().notNull() },
  (t) => [primaryKey({ name: "days_pkey", columns: [t.kind, t.day, t.n] })],
);
const byDay = partitionBy(
  days,
  list(days.kind),
  range(days.day, { every: "1 year", premake: 0 }),
  range(days.day, { every: "1 week", premake: 1 }),
  hash(days.n, { modulus: 3 }),
);

const definition = defineDatabase({
  name: "kinds",
  tables: { space, events, small, messages, visits, kind, days },
  partitions: [byNumber, toTheEnd, byUuid, bySite, byDay],
});

onEngines("a scheme", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    const report = await apply(db, planInstall(definition));
    expect(report.failure).toBeUndefined();
  }, 120_000);

  const bounds = async (table: string): Promise<readonly string[]> => {
    const rows = await db.query<{ line: string }>(
      `SELECT c.relname || ': ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS line
       FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
       WHERE i.inhparent = $1::text::regclass ORDER BY c.relname`,
      [own(table)],
    );
    return rows.map(({ line }) => line);
  };

  it("of numbers is cut by their size, below zero too, and its last partition is open", async () => {
    await provision(db, byNumber, {}, { from: -1, until: 0 });
    expect(await bounds("events")).toEqual([
      "events_0: FOR VALUES FROM ('0') TO ('1000000')",
      "events_1000000: FOR VALUES FROM ('1000000') TO ('2000000')",
      "events_m1000000: FOR VALUES FROM ('-1000000') TO ('0')",
    ]);
    await provision(db, toTheEnd, {}, { from: 2_147_483_647 });
    expect(await bounds("small")).toEqual([
      "small_0: FOR VALUES FROM (0) TO (2000000000)",
      "small_2000000000: FOR VALUES FROM (2000000000) TO (MAXVALUE)",
    ]);
    await db.query(`INSERT INTO ${own("small")} VALUES (2147483647)`);
    expect(await provision(db, toTheEnd, {}, { from: 2_147_483_647 })).toMatchObject({ steps: [] });
    await expect(provision(db, toTheEnd, {}, { from: 2_147_483_648 })).rejects.toThrow(
      "have to be numbers that id may hold",
    );
  });

  it("of uuids is cut by the time in them", async () => {
    await provision(
      db,
      byUuid,
      {},
      { from: new Date("2025-01-15Z"), until: new Date("2025-02-01Z") },
    );
    const ms = (iso: string) => new Date(iso).getTime().toString(16).padStart(12, "0");
    const bound = (day: string) => {
      const hex = ms(`${day}T00:00:00Z`);
      return `'${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000'`;
    };
    expect((await bounds("messages")).slice(0, 2)).toEqual([
      `msg_2025_01: FOR VALUES FROM (${bound("2025-01-01")}) TO (${bound("2025-02-01")})`,
      `msg_2025_02: FOR VALUES FROM (${bound("2025-02-01")}) TO (${bound("2025-03-01")})`,
    ]);
    const id = (iso: string) => `${ms(iso).slice(0, 8)}-${ms(iso).slice(8)}-7abc-8def-0123456789ab`;
    await db.query(
      `INSERT INTO ${own("messages")} (id) VALUES ('${id("2025-01-31T23:59:59.999Z")}'), ('${id("2025-02-01T00:00:00Z")}')`,
    );
    const rows = await db.query<{ part: string }>(
      `SELECT DISTINCT pg_catalog.split_part(tableoid::regclass::text, '.', 2) AS part FROM ${own("messages")} ORDER BY 1`,
    );
    expect(rows.map(({ part }) => part)).toEqual(["msg_2025_01", "msg_2025_02"]);
    expect(
      await provision(
        db,
        byUuid,
        {},
        { from: new Date("2025-01-15Z"), until: new Date("2025-02-01Z") },
      ),
    ).toMatchObject({ steps: [] });
    await expect(provision(db, byUuid, {}, { from: new Date("1969-01-01Z") })).rejects.toThrow(
      "have to be moments",
    );
  });

  it("cuts one site by weeks and the rest by months, in its own time zone", async () => {
    const from = new Date("2025-03-10Z");
    await provision(db, bySite, [{ siteId: "it's busy" }, { siteId: "calm" }], { from });
    expect(await bounds("visits_site_calm")).toEqual(
      [
        "visits_site_calm_2025_03: FOR VALUES FROM ('2025-02-28 23:00:00+00') TO ('2025-03-31 22:00:00+00')",
        "visits_site_calm_2025_04: FOR VALUES FROM ('2025-03-31 22:00:00+00') TO ('2025-04-30 22:00:00+00')",
        "visits_site_calm_default: DEFAULT",
      ].map((line) => expect.stringContaining(line.slice(0, 24)) as string),
    );
    const weeks = await bounds("visits_site_itsbusy");
    expect(weeks.map((line) => line.replace(/:.*/, ""))).toEqual([
      ...[11, 12, 13, 14, 15, 16].map((week) => `visits_site_itsbusy_2025_w${week}`),
      "visits_site_itsbusy_default",
    ]);
    expect(await bounds("visits")).toContain("visits_default: DEFAULT");
    const rows = await db.query<{ n: number }>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_class WHERE relispartition AND relkind IN ('r', 'p')
         AND relname LIKE 'visits\\_%' AND NOT (relrowsecurity AND relforcerowsecurity)`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it("with a default partition refuses a partition whose rows are in it, and no row is lost", async () => {
    await db.query(`INSERT INTO ${own("visits")} VALUES ('early', '2025-03-01', 1)`);
    const report = await provision(
      db,
      bySite,
      { siteId: "early" },
      { from: new Date("2025-03-10Z") },
    );
    expect(report).toMatchObject({ outcome: "failed", failure: { sqlState: "23514" } });
    const rows = await db.query(`SELECT tableoid::regclass::text AS t FROM ${own("visits")}`);
    expect(rows).toHaveLength(1);
  });

  it("nests years, weeks and hashes, none beyond the one above it", async () => {
    const report = await provision(
      db,
      byDay,
      { kind: "b" },
      { from: new Date("2024-12-20Z"), until: new Date("2025-01-10Z") },
    );
    expect(report.failure).toBeUndefined();
    const report2 = await provision(
      db,
      byDay,
      { kind: "b" },
      { from: new Date("2024-12-20Z"), until: new Date("2025-01-10Z") },
    );
    expect(report2.steps).toEqual([]);
    for (const day of ["2024-12-31", "2025-01-01", "2025-01-05", "2025-01-10"])
      await db.query(`INSERT INTO ${own("days")} VALUES ('b', '${day}', 1), ('b', '${day}', 2)`);
    const bad: object = { kind: "c" };
    await expect(provision(db, byDay, bad as { kind: "a" })).rejects.toMatchObject({
      code: "invalidInput",
    });
  });
});

describe("partitionBy", () => {
  const plain = pgSchema("app").table("plain", {
    id: uuid().primaryKey(),
    at: timestamp().notNull(),
    n: integer().notNull(),
    maybe: text(),
    words: text().notNull(),
  });

  it("is checked by the compiler", () => {
    // @ts-expect-error maybe may be NULL: add .notNull()
    list(plain.maybe);
    // @ts-expect-error A number on a time.
    range(plain.at, { every: 5 });
    // @ts-expect-error An interval on a number.
    range(plain.n, { every: "1 month" });
    // @ts-expect-error A uuid says that it holds a time.
    range(plain.id, { every: "1 month" });
    // @ts-expect-error Words are no range.
    range(plain.words, { every: "1 month" });
    // @ts-expect-error The primary key lacks it.
    partitionBy(plain, range(plain.at, { every: "1 month" }));
    // @ts-expect-error A column of another table.
    partitionBy(plain, list(visits.siteId));
    partitionBy(visits, list(visits.siteId), {
      // @ts-expect-error No value of that name.
      overrides: [{ values: { site: "x" }, every: "1 day" }],
    });
    // @ts-expect-error An interval that is none.
    range(plain.at, { every: "2 fortnights" });
    const ask = () => [
      // @ts-expect-error The values of list dimensions.
      provision({} as never, bySite, { site: "x" }),
      // @ts-expect-error No label of the enum.
      provision({} as never, byDay, { kind: "c" }),
    ];
    expect(ask).toBeTypeOf("function");
  });

  it("is refused by defineDatabase where a composite key or a unique lacks a dimension", () => {
    const keyed = pgSchema("app").table(
      "keyed",
      { a: text().notNull(), b: text().notNull(), c: text().notNull().unique() },
      (t) => [primaryKey({ columns: [t.a, t.c] })],
    );
    expect(() =>
      defineDatabase({
        name: "x",
        tables: { keyed },
        partitions: [partitionBy(keyed, list(keyed.b))],
      }),
    ).toThrow(/missing in the unique constraint on c[^]*missing in the primary key/);
  });

  it("refuses a length that cannot be, and a range that is none of its column's", () => {
    const faults = (every: number) => () =>
      defineDatabase({
        name: "x",
        tables: { events },
        partitions: [partitionBy(events, range(events.id, { every }))],
      });
    for (const every of [0, -5, 1.5, Number.NaN]) expect(faults(every)).toThrow("every");
  });
});
