import { pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { beforeAll, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { provisionRequested } from "../../src/partitioning/provision-requested.ts";
import { provisionRequests } from "../../src/partitioning/provision-requests.ts";
import { apply } from "../../src/run/apply.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { onEngines, onServers } from "../support/server.ts";

const SCHEMA = `we"ird Field`;
const space = pgSchema(SCHEMA);
const own = (name: string) => qualified(SCHEMA, name);

const sites = space.table("sites", {
  id: text().primaryKey(),
  program: text(),
  name: text(),
});
const readings = space.table(
  "readings",
  {
    programId: text("program_id").notNull(),
    siteId: text("site_id")
      .notNull()
      .references(() => sites.id),
    at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ name: "readings_pkey", columns: [t.programId, t.siteId, t.at] })],
);
const scheme = partitionBy(
  readings,
  list(readings.programId),
  list(readings.siteId),
  range(readings.at, { every: "1 month", premake: 1 }),
);
const definition = defineDatabase({
  name: "field",
  tables: { space, sites, readings },
  partitions: [scheme],
  objects: provisionRequests(scheme, {
    from: sites,
    values: { programId: sites.program, siteId: sites.id },
  }),
});

async function install(db: Executor): Promise<void> {
  const report = await apply(db, planInstall(definition));
  expect(report.failure).toBeUndefined();
}

const open = async (db: Executor) =>
  db.query<{ values: string; error: string | null }>(
    "SELECT list_values::text AS values, last_error AS error FROM underpin.provision_requests ORDER BY id",
  );

onEngines("a new site", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    await install(db);
  }, 60_000);

  it("asks for its partitions, whoever writes it, and a worker makes them", async () => {
    const role =
      engine.server === undefined ? "writer" : await engine.server.role("writer", { login: false });
    if (engine.server === undefined) await db.query(`CREATE ROLE ${role}`);
    await db.query(
      `GRANT USAGE ON SCHEMA ${ident(SCHEMA)} TO ${ident(role)}; GRANT INSERT, UPDATE, SELECT ON ${own("sites")} TO ${ident(role)}`,
    );
    await db.transaction(async (tx) => {
      await tx.query(`SET LOCAL ROLE ${ident(role)}`);
      await tx.query(
        `INSERT INTO ${own("sites")} VALUES ('s1', 'p1'), ('s2', 'p1'), ('nowhere', NULL)`,
      );
      await tx.query(`UPDATE ${own("sites")} SET name = 'North'`);
    });
    expect((await open(db)).map(({ values }) => JSON.parse(values) as unknown)).toEqual([
      { program_id: "p1", site_id: "s1" },
      { program_id: "p1", site_id: "s2" },
    ]);
    await expect(db.query(`INSERT INTO ${own("readings")} VALUES ('p1', 's1')`)).rejects.toThrow(
      "no partition",
    );
    expect(await provisionRequested(db, [scheme])).toEqual({ done: 2, failed: [] });
    expect(await open(db)).toEqual([]);
    await db.query(`INSERT INTO ${own("readings")} VALUES ('p1', 's1'), ('p1', 's2')`);
    expect(await provisionRequested(db, [scheme])).toEqual({ done: 0, failed: [] });
  });

  it("that moves to another program asks again", async () => {
    await db.query(`INSERT INTO ${own("sites")} VALUES ('s3', NULL)`);
    expect(await open(db)).toEqual([]);
    await db.query(`UPDATE ${own("sites")} SET program = 'p2' WHERE id = 's3'`);
    expect(await provisionRequested(db, [scheme])).toMatchObject({ done: 1 });
  });

  it("whose partitions cannot be made does not hold up the next, and says why", async () => {
    await db.query(`
      CREATE TABLE ${own("half")} PARTITION OF ${own("readings")} FOR VALUES IN ('half');
      INSERT INTO ${own("sites")} VALUES ('h', 'half'), ('ok', 'p3')`);
    const report = await provisionRequested(db, [scheme]);
    expect(report.done).toBe(1);
    expect(report.failed).toMatchObject([{ values: { program_id: "half", site_id: "h" } }]);
    expect(await open(db)).toMatchObject([
      { error: expect.stringContaining("is not partitioned as its scheme says") as string },
    ]);
    expect(await provisionRequested(db, [scheme])).toEqual({ done: 0, failed: [] });
  });
});

onServers("many sites at once", (server) => {
  it("are provisioned once each by ten workers beside the writers", async () => {
    const sql = server.sql();
    await apply(sql, planInstall(definition));
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        sql.unsafe(`INSERT INTO ${own("sites")} VALUES ('s${n}', 'p${n % 3}')`),
      ),
    );
    const reports = await Promise.all(
      Array.from({ length: 10 }, () => provisionRequested(server.connect({ max: 2 }), [scheme])),
    );
    expect(reports.flatMap(({ failed }) => failed)).toEqual([]);
    expect(reports.reduce((sum, { done }) => sum + done, 0)).toBe(20);
    const [row] = await sql.unsafe<{ n: number }[]>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_partition_tree('${own("readings")}') WHERE isleaf`,
    );
    expect(row?.n).toBe(40);
  }, 120_000);

  it("deadlock where their own transactions make the partitions, which is why none does", async () => {
    const sql = server.sql();
    await sql.unsafe(`
      CREATE FUNCTION ${own("naive")}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM pg_catalog.pg_sleep(0.3);
          PERFORM ${own("provision_readings")}(NEW.program, NEW.id);
          RETURN NULL;
        END $$;
      CREATE TRIGGER naive AFTER INSERT ON ${own("sites")} FOR EACH ROW EXECUTE FUNCTION ${own("naive")}()`);
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) =>
        sql.unsafe(`INSERT INTO ${own("sites")} VALUES ('naive${n}', 'naive${n}')`),
      ),
    );
    const states = tries.flatMap((each) =>
      each.status === "rejected" ? [(each.reason as { code?: string }).code] : [],
    );
    expect(states).toContain("40P01");
    await sql.unsafe(`DROP TRIGGER naive ON ${own("sites")}`);
  }, 60_000);
});
