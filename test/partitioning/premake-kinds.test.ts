import { bigint, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { beforeEach, expect, it } from "vitest";
import type { Scheme } from "../../src/definition/scheme.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { validatePartitions } from "../../src/partitioning/validate-partitions.ts";
import { onEngines } from "../support/server.ts";
import { app, partitions, schema, setup } from "./maintain-fixture.ts";

const letters = app.table("letters", { id: uuid("id").primaryKey(), body: text("body") });
const byTimeOfId = partitionBy(
  letters,
  range(letters.id, { every: "1 month", premake: 2, time: "uuidv7" }),
);

const entries = app.table("entries", { id: bigint("id", { mode: "bigint" }).primaryKey() });
const byThousand = partitionBy(entries, range(entries.id, { every: 1000, premake: 2 }));

const samples = app.table(
  "samples",
  { site: text("site").notNull(), at: timestamp("at").notNull() },
  (t) => [primaryKey({ name: "samples_pkey", columns: [t.site, t.at] })],
);
const busyByWeek = partitionBy(
  samples,
  list(samples.site),
  range(samples.at, { every: "1 month", premake: 1 }),
  {
    timeZone: "Asia/Kolkata",
    overrides: [{ values: { site: "busy" }, every: "1 week", premake: 3 }],
  },
);

onEngines("premaking", (engine) => {
  let db: Executor;
  const done = async (scheme: Scheme, now: string) => {
    const report = await maintain(engine.db(), [scheme], { now });
    expect(report.failure?.message).toBeUndefined();
    expect(report.findings).toEqual([]);
    return report.steps.map(({ id }) => id).filter((id) => !id.startsWith("analyze/"));
  };

  beforeEach(async () => {
    db = engine.executor();
    await db.query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE`,
    );
    await db.query(setup([letters, entries, samples], [byTimeOfId, byThousand, busyByWeek]));
  }, 60_000);

  it("cuts uuids by the time in them, as the clock goes on", async () => {
    await db.query(
      `DO $do$ BEGIN EXECUTE (SELECT pg_catalog.string_agg(pg_catalog.format('DROP TABLE %s', inhrelid::regclass), ';') FROM pg_catalog.pg_inherits
        WHERE inhparent = '${schema}.letters'::regclass); END $do$;
       SELECT ${schema}.provision_letters('2025-01-15', '2025-01-15')`,
    );
    expect(await done(byTimeOfId, "2025-02-10T00:00:00Z")).toHaveLength(1);
    expect(await partitions(db, "letters")).toEqual(
      ["01", "02", "03", "04"].map((month) => `letters_2025_${month}`),
    );
    expect(await done(byTimeOfId, "2025-02-28T23:59:59Z")).toEqual([]);
    expect(await done(byTimeOfId, "2025-03-01T00:00:00Z")).toHaveLength(1);
    // The last millisecond of April, and the first of May.
    await db.query(
      `INSERT INTO ${schema}.letters (id) VALUES ('01968924-9bff-7000-8000-000000000000'), ('01968924-9c00-7000-8000-000000000000')`,
    );
    const [row] = await db.query(
      `SELECT pg_catalog.string_agg(tableoid::regclass::text, ' ' ORDER BY id) AS parts FROM ${schema}.letters`,
    );
    expect(row).toEqual({ parts: `${schema}.letters_2025_04 ${schema}.letters_2025_05` });
    expect(await validatePartitions(db, byTimeOfId, { now: new Date("2025-03-02") })).toEqual([]);
  });

  it("keeps numbers ahead of the newest rows, whatever the clock says", async () => {
    expect(await partitions(db, "entries")).toHaveLength(3);
    expect(await done(byThousand, "2025-01-01T00:00:00Z")).toEqual([]);
    await db.query(`INSERT INTO ${schema}.entries VALUES (999), (2500)`);
    expect(await done(byThousand, "2031-01-01T00:00:00Z")).toHaveLength(1);
    expect(await partitions(db, "entries")).toEqual(
      [0, 1000, 2000, 3000, 4000].map((from) => `entries_${from}`),
    );
    expect(await done(byThousand, "2031-01-01T00:00:00Z")).toEqual([]);
  });

  it("follows each site's own intervals, in the zone of the scheme", async () => {
    await db.query(
      `SELECT ${schema}.provision_samples('busy', '2025-01-15', '2025-01-15'), ${schema}.provision_samples('calm', '2025-01-15', '2025-01-15')`,
    );
    // In Kolkata the month has begun.
    await done(busyByWeek, "2025-01-31T18:30:00Z");
    expect(
      (await partitions(db, "samples")).map((name) => name.slice("samples_site_".length)),
    ).toEqual([
      ...["03", "04", "05", "06", "07", "08"].map((week) => `busy_2025_w${week}`),
      ...["01", "02", "03"].map((month) => `calm_2025_${month}`),
    ]);
    expect(await done(busyByWeek, "2025-01-31T18:30:00Z")).toEqual([]);
  });
});
