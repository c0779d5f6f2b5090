import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { beforeAll, expect, it } from "vitest";
import type { Executor, Queryable, Row } from "../../src/executor/executor.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import {
  as,
  company,
  companyOf,
  dish,
  domain,
  install,
  managed,
  own,
  refusal,
  siteOf,
  submission,
  takenBack,
  uuid,
} from "./observations-world.ts";

const petri = own("petri_observations");
const IDS = [uuid(4, 1, 1), uuid(4, 1, 2), uuid(4, 1, 3)] as const;

onEngines("a company's observations", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    await install(engine.db(), domain.definition);
    for (const number of [1, 2]) await companyOf(db, number);
  });

  const count = async (from: string, on: Queryable = db): Promise<number> => {
    const [row] = await on.query<{ n: number }>(
      `SELECT pg_catalog.count(*)::int AS n FROM ${from}`,
    );
    return row?.n ?? -1;
  };
  const leavesOf = async (query: string): Promise<readonly string[]> => {
    const rows = await db.query(
      `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ${query}`,
    );
    const lines = rows.map((row) => String(Object.values(row)[0]));
    return lines
      .filter((line) => !line.includes("never executed") && !line.includes("Bitmap Index Scan"))
      .flatMap((line) => / on (petri_obs_[a-z0-9_]+)/.exec(line)?.[1] ?? []);
  };

  it("asks for the partitions of a new program and site, and makes them when a worker calls", async () => {
    await as(
      db,
      1,
      "admin",
      `INSERT INTO ${own("pilot_programs")} (company_id, program_id, name, status, start_date) VALUES (${literal(company(1))}, 'abc-123', 'Pilot', 'active', '2025-01-01')`,
      `INSERT INTO ${own("sites")} (company_id, program_id, site_id, name) VALUES (${literal(company(1))}, 'abc-123', 'def-456', 'North')`,
      `INSERT INTO ${own("submissions")} (company_id, submission_id, program_id, site_id, submitted_by)
       VALUES (${literal(company(1))}, ${literal(submission(1))}, 'abc-123', 'def-456', ${literal(uuid(2, 1, 1))})`,
    );
    expect(await count(`${own("provision_requests")} WHERE done_at IS NULL`)).toBe(2);
    expect(await refusal(as(db, 1, "operator", dish(1, "abc-123", "def-456", "now", IDS[0])))).toBe(
      "23514",
    );
    expect(await db.query(`SELECT issue FROM ${managed("validate_partitions")}()`)).toEqual([
      { issue: "not provisioned" },
      { issue: "not provisioned" },
    ]);
    await db.query(`CALL ${managed("provision_requested")}()`);
    expect(await count(`${own("provision_requests")} WHERE done_at IS NULL`)).toBe(0);
    await as(db, 1, "operator", dish(1, "abc-123", "def-456", "now", IDS[0]));
    const [row] = await db.query<{ leaf: string; month: string }>(
      `SELECT c.relname AS leaf, pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY_MM') AS month
       FROM ${petri} AS o JOIN pg_catalog.pg_class AS c ON c.oid = o.tableoid`,
    );
    expect(row?.leaf).toBe(`petri_obs_prog_abc123_site_def456_${row?.month}`);
    expect(await db.query(`SELECT * FROM ${managed("validate_partitions")}()`)).toEqual([]);
  });

  it("finds an observation by its id in the one partition that holds it", async () => {
    await db.query(
      `SELECT ${managed("provision_site")}('abc-123', 'def-456', '2025-01-01', '2025-06-30')`,
    );
    await as(db, 1, "operator", dish(1, "abc-123", "def-456", "2025-02-03 10:00Z", IDS[1]));
    const rows = await as(
      db,
      1,
      "viewer",
      `SELECT observation_id FROM ${own("petri_observation_by_id")}(${literal(IDS[1])})`,
    );
    expect(rows).toEqual([{ observation_id: IDS[1] }]);
    const locked = (query: string) =>
      takenBack(db, async (tx) => {
        await tx.query(query);
        const locks = await tx.query<{ name: string }>(
          `SELECT DISTINCT c.relname AS name FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
           WHERE l.pid = pg_catalog.pg_backend_pid() AND c.relkind = 'r' AND c.relispartition`,
        );
        return locks.map(({ name }) => name);
      });
    const found = `SELECT * FROM ${own("petri_observation_by_id")}(${literal(IDS[1])})`;
    expect(await locked(found)).toEqual(["petri_obs_prog_abc123_site_def456_2025_02"]);
    const naive = `SELECT * FROM ${petri} WHERE observation_id = ${literal(IDS[1])}`;
    expect((await locked(naive)).length).toBeGreaterThan(6);
  });

  it("reads the months, sites and programs that are asked for, and one of sixteen by submission", async () => {
    const where = `company_id = ${literal(company(1))} AND program_id = 'abc-123' AND site_id = 'def-456'`;
    expect(
      await leavesOf(
        `SELECT * FROM ${petri} WHERE ${where} AND created_at >= '2025-02-01Z' AND created_at < '2025-04-01Z'`,
      ),
    ).toEqual([
      "petri_obs_prog_abc123_site_def456_2025_02",
      "petri_obs_prog_abc123_site_def456_2025_03",
    ]);
    expect(
      await leavesOf(
        `SELECT * FROM ${own("petri_observations_by_submission")} WHERE company_id = ${literal(company(1))} AND submission_id = ${literal(submission(1))}`,
      ),
    ).toHaveLength(1);
    const call = (of: number) =>
      `SELECT observation_id FROM ${own("get_observations_optimized")}(p_company_id => ${literal(company(of))}, p_program_id => 'abc-123', p_start_date => '2025-01-01')`;
    expect(await as(db, 1, "viewer", call(1))).toEqual([
      { observation_id: IDS[0] },
      { observation_id: IDS[1] },
    ]);
    expect(await as(db, 2, "viewer", call(1))).toEqual([]);
  });

  it("keeps locator and copy when a row moves, changes and goes", async () => {
    await takenBack(db, async (tx) => {
      await tx.query(
        `UPDATE ${petri} SET created_at = '2025-05-05 05:05Z', growth_index = 99 WHERE observation_id = ${literal(IDS[1])}`,
      );
      const kept = async (table: string) =>
        tx.query<Row>(
          `SELECT created_at = '2025-05-05 05:05Z' AS moved FROM ${own(table)} WHERE observation_id = ${literal(IDS[1])}`,
        );
      expect(await kept("observation_locator")).toEqual([{ moved: true }]);
      expect(await kept("petri_observations_by_submission")).toEqual([{ moved: true }]);
      await tx.query(
        `UPDATE ${petri} SET notes = 'seen' WHERE observation_id = ${literal(IDS[1])}`,
      );
      expect(
        await count(`${own("petri_observations_by_submission")} WHERE notes = 'seen'`, tx),
      ).toBe(1);
      await tx.query(`DELETE FROM ${petri} WHERE observation_id = ${literal(IDS[1])}`);
      expect(await kept("observation_locator")).toEqual([]);
      expect(await kept("petri_observations_by_submission")).toEqual([]);
    });
  });

  it("holds the copy by submission to the same rules, whoever writes it", async () => {
    for (const [rule, change] of [
      ["placement_known", "placement = 'nowhere'"],
      ["growth_stage_known", "growth_stage = 'nowhere'"],
      ["growth_index_real", "growth_index = 101"],
      ["growth_area_mm2_real", "growth_area_mm2 = 'NaN'"],
      ["ph_real", "ph = 15"],
      ["temperature_c_real", "temperature_c = 91"],
      ["humidity_percent_real", "humidity_percent = -1"],
    ] as const)
      for (const table of ["petri_observations", "petri_observations_by_submission"])
        expect(
          await refusal(takenBack(db, (tx) => tx.query(`UPDATE ${own(table)} SET ${change}`))),
        ).toBe(`23514 ${table}_${rule}`);
  });

  it("keeps an id unique over all partitions, which no key of a partitioned table can", async () => {
    expect(await refusal(db.query(dish(1, "abc-123", "def-456", "2025-03-03Z", IDS[1])))).toBe(
      "23505 observation_locator_pkey",
    );
    expect(
      await refusal(
        db.query(
          `CREATE TABLE naive (id uuid PRIMARY KEY, at date NOT NULL) PARTITION BY RANGE (at)`,
        ),
      ),
    ).toBe("0A000");
  });

  it("lets nobody write what triggers keep, nor truncate what they watch", async () => {
    const locator = own("observation_locator");
    const copy = own("petri_observations_by_submission");
    for (const write of [
      `DELETE FROM ${locator}`,
      `UPDATE ${copy} SET notes = 'forged'`,
      `INSERT INTO ${copy} SELECT * FROM ${copy}`,
    ]) {
      expect(await refusal(as(db, 1, "operator", write))).toBe("42501");
      // Everybody may make a temporary table with a trigger: there the depth is above one, too.
      const trigger = [
        `CREATE FUNCTION pg_temp.forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${write}; RETURN NULL; END $$`,
        "CREATE TEMP TABLE mine (x int)",
        "CREATE TRIGGER forge AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.forge()",
        "INSERT INTO mine VALUES (1)",
      ];
      expect(await refusal(as(db, 1, "operator", ...trigger))).toBe("42501");
    }
    const role = ident(domain.access.readerRole);
    expect(
      await refusal(
        takenBack(db, (tx) => tx.query(`SET LOCAL ROLE ${role}; UPDATE ${copy} SET notes = ''`)),
      ),
    ).toBe("42501");
    expect(await refusal(takenBack(db, (tx) => tx.query(`TRUNCATE ${petri}`)))).toBe(
      "0A000 kept_by_trigger",
    );
  });

  it("shows a company its own rows and no others, in every table and view", async () => {
    await siteOf(db, 2, "abc-123", "def-456");
    await db.query(dish(2, "abc-123", "def-456", "2025-02-04Z", uuid(4, 2, 1)));
    await db.query(
      `INSERT INTO ${own("gasifier_observations")} (company_id, program_id, site_id, created_at, submission_id, gasifier_code)
       VALUES (${literal(company(2))}, 'abc-123', 'def-456', '2025-02-04Z', ${literal(submission(2))}, 'G1')`,
    );
    for (const [name, table] of Object.entries(domain.definition.tables)) {
      if (!is(table, PgTable) || name === "provisionRequests") continue;
      const relation = own(getTableConfig(table).name);
      const rows = await as(db, 2, "viewer", `SELECT DISTINCT company_id AS c FROM ${relation}`);
      expect(rows, name).toEqual([{ c: company(2) }]);
    }
    const foreign = `UPDATE ${petri} SET company_id = ${literal(company(1))}`;
    expect(await refusal(as(db, 2, "operator", foreign))).toBe("42501");
  });

  it("lets no row point into another company, nor to another site than its submission's", async () => {
    const borrowed = dish(2, "abc-123", "def-456", "2025-02-05Z", uuid(4, 2, 9)).replace(
      submission(2),
      submission(1),
    );
    expect(await refusal(db.query(borrowed))).toBe("23503 petri_observations_submission_fkey");
    await siteOf(db, 2, "abc-123", "other", 1);
    await db.query(
      `SELECT ${managed("provision_site")}('abc-123', 'other', '2025-02-01', '2025-02-01')`,
    );
    expect(await refusal(db.query(dish(2, "abc-123", "other", "2025-02-05Z", uuid(4, 2, 9))))).toBe(
      "23503 petri_observations_submission_fkey",
    );
  });

  it("closes every partition: no privilege, and no rows for whom one is given", async () => {
    const leaf = own("petri_obs_prog_abc123_site_def456_2025_02");
    expect(await refusal(as(db, 1, "admin", `SELECT * FROM ${leaf}`))).toBe("42501");
    await takenBack(db, async (tx) => {
      await tx.query(`GRANT SELECT ON ${leaf} TO ${ident(domain.access.roles.admin ?? "")}`);
      const found = await tx.query(
        `SELECT issue, detail FROM ${managed("validate_partitions")}() WHERE issue = 'privileges'`,
      );
      expect(found).toEqual([
        { issue: "privileges", detail: expect.stringContaining("may SELECT") as string },
      ]);
      await tx.query(`SELECT pg_catalog.set_config('app.tenant_id', ${literal(company(1))}, true)`);
      await tx.query(`SET LOCAL ROLE ${ident(domain.access.roles.admin ?? "")}`);
      expect(await count(leaf, tx)).toBe(0);
    });
  });

  it("shows each company its own days of the materialized view, which nobody reads by itself", async () => {
    await db.query(`SELECT ${own("refresh_mv_daily_metrics")}()`);
    expect(
      await as(
        db,
        2,
        "viewer",
        `SELECT company_id, day::text, petri_count::int AS n, average_growth_index::float8 AS growth FROM ${own("daily_metrics")}`,
      ),
    ).toEqual([{ company_id: company(2), day: "2025-02-04", n: 1, growth: 12.5 }]);
    expect(await refusal(as(db, 2, "viewer", `SELECT * FROM ${own("mv_daily_metrics")}`))).toBe(
      "42501",
    );
    const naive = `CREATE MATERIALIZED VIEW naive AS SELECT 1; REFRESH MATERIALIZED VIEW CONCURRENTLY naive`;
    expect(await refusal(takenBack(db, (tx) => tx.query(naive)))).toBe("55000");
  });
});
