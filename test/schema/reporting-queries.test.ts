import { sql, type SQL } from "drizzle-orm";
import type { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import { ident } from "../../src/sql/quote.ts";
import {
  as,
  domain,
  install,
  organizationOf,
  type AnyDatabase,
  type Organization,
} from "./reporting-world.ts";

const { reports, reportExecutions } = domain;
const SCHEMA = ident('we"ird Schema');

/** Two organizations with 3,000 reports each, and of each report one execution in these days. */
async function setup(db: AnyDatabase, client: PGlite): Promise<void> {
  await install(client, domain.definition);
  for (const number of [1, 2]) {
    const { id, users, template } = await organizationOf(db, number);
    await db.execute(sql`
      insert into ${reports} (organization_id, id, name, template_id, created_by, status, parameters, created_at)
      select ${id}::uuid, md5(${number} || '-' || n)::uuid, 'Generated ' || n, ${template}::uuid, ${users.user}::uuid,
        case when n % 100 = 0 then 'failed' else 'completed' end,
        jsonb_build_object('region', n % 500), '2024-01-15Z'::timestamptz - ((n + 3) / 7) * interval '1 minute'
      from generate_series(1, 3000) n`);
    await db.execute(sql`
      insert into ${reportExecutions} (organization_id, report_id, executed_by, status, started_at, execution_time_ms)
      select organization_id, id, created_by, case when priority = 5 and name like '%7' then 'failed' else 'completed' end,
        now(), 100
      from ${reports} where organization_id = ${id}`);
  }
  // A month long ago, and the index-only scans' visibility map.
  await db.execute(sql`select ${sql.raw(SCHEMA)}.provision_report_executions('2024-01-15')`);
  await client.exec("VACUUM ANALYZE");
}

const organization = (number: number): Organization => ({
  id: `00000001-0000-4000-8000-00000000${number}000`,
  users: Object.fromEntries(
    ["org_admin", "report_manager", "report_viewer", "user"].map((persona, at) => [
      persona,
      `00000002-0000-4000-8000-00000000${number}00${at}`,
    ]),
  ) as unknown as Organization["users"],
  template: `00000003-0000-4000-8000-00000000${number}000`,
  reports: [
    `00000004-0000-4000-8000-00000000${number}001`,
    `00000004-0000-4000-8000-00000000${number}002`,
  ],
});
const own = organization(1);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ setup });
});
afterAll(() => database.close());

/** The plan of a query as an administrator sees it, a line for each of its nodes and conditions. */
async function explained(query: SQL, options = "costs off"): Promise<string> {
  return as(database.db, own, "org_admin", async (db) => {
    const found = await (db as TestDatabase["db"]).execute<{ "QUERY PLAN": string }>(
      sql`explain (${sql.raw(options)}) ${query}`,
    );
    return found.rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
}

describe("a page of reports", () => {
  it("holds each report of the organization once, newest first, whoever asks", async () => {
    const pages = await as(database.db, own, "org_admin", async (db) => {
      const all: { readonly id: string; readonly createdAt: Date }[] = [];
      let after: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof domain.reportPage>> = await domain.reportPage(db, {
          organizationId: own.id,
          after,
          limit: 500,
        });
        all.push(...page.reports);
        after = page.next;
      } while (after !== null);
      return all;
    });
    expect(new Set(pages.map(({ id }) => id)).size).toBe(3002);
    const times = pages.map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  it("of one status is read from the index in its order", async () => {
    const page = await domain.reportPage(database.db, { organizationId: own.id, status: "failed" });
    expect(page.reports).toHaveLength(20);
    expect(page.reports.every(({ status }) => status === "failed")).toBe(true);
    const plan = await explained(
      sql`select id from ${reports} where organization_id = ${own.id} and status = 'failed' and (created_at, id) < (now(), ${own.id}::uuid) order by created_at desc, id desc limit 20`,
    );
    expect(plan).toContain("reports_org_status_created_idx");
    expect(plan).not.toContain("Sort");
  });

  it("as the seed has it loses rows that were created at once", async () => {
    const seedPage = async (before: Date | null) => {
      const { rows } = await database.db.execute<{ id: string; created_at: string }>(sql`
        select id, created_at from ${reports}
        where organization_id = ${own.id} and name like 'Generated%' and (${before?.toISOString() ?? null}::timestamptz is null or created_at < ${before?.toISOString() ?? null}::timestamptz)
        order by created_at desc limit 20`);
      return rows;
    };
    const first = await seedPage(null);
    const second = await seedPage(new Date(first.at(-1)?.created_at ?? 0));
    const { rows } = await database.db.execute<{ id: string }>(sql`
      select id from ${reports} where organization_id = ${own.id} and name like 'Generated%'
      order by created_at desc, id desc limit 40`);
    const seen = new Set([...first, ...second].map(({ id }) => id));
    expect(rows.filter(({ id }) => !seen.has(id)).length).toBeGreaterThan(0);
  });
});

describe("the statistics of executions", () => {
  it("count and average by status, in one organization", async () => {
    const statistics = await as(database.db, own, "report_manager", (db) =>
      domain.executionStatistics(db, { since: new Date(Date.now() - 86_400_000) }),
    );
    expect(statistics).toEqual([
      { status: "completed", count: 2702, averageTimeMs: 100 },
      { status: "failed", count: 300, averageTimeMs: 100 },
    ]);
    const future = new Date(Date.now() + 86_400_000);
    const none = await as(database.db, own, "report_manager", (db) =>
      domain.executionStatistics(db, { since: future }),
    );
    expect(none).toEqual([]);
  });

  it("look back thirty days, and are null where no time is known", async () => {
    await database.rolledBack(async (db) => {
      await db.update(reportExecutions).set({ executionTimeMs: null });
      const statistics = await as(db, own, "org_admin", (inside) =>
        domain.executionStatistics(inside),
      );
      expect(statistics.map(({ averageTimeMs }) => averageTimeMs)).toEqual([null, null]);
    });
  });

  it("are read from one index alone, of the months that are asked for", async () => {
    const plan = await explained(
      sql`select status, count(*), avg(execution_time_ms) from ${reportExecutions} where started_at >= now() - interval '1 day' group by status`,
    );
    const [month] = await database.db
      .select({ name: sql<string>`tableoid::regclass::text` })
      .from(reportExecutions);
    const leaf = month?.name.split(".").at(-1) ?? "";
    expect(plan).toMatch(new RegExp(`Index Only Scan using \\S+ on ${leaf}`));
    expect(plan).not.toContain(`Seq Scan on ${leaf}`);
    expect(plan).toMatch(/Subplans Removed: [1-9]/);
  });
});

describe("a template", () => {
  it("is at work while one of its reports is processing", async () => {
    await database.rolledBack(async (db) => {
      const atWork = () =>
        as(db, own, "user", (inside) => domain.hasProcessingReports(inside, own.template));
      expect(await atWork()).toBe(false);
      await db.execute(
        sql`update ${reports} set status = 'processing' where id = ${own.reports[0]}`,
      );
      expect(await atWork()).toBe(true);
    });
  });

  it("is found at work by its index", async () => {
    const plan = await explained(
      sql`select 1 from ${reports} where template_id = ${own.template} and status = 'processing' limit 1`,
    );
    expect(plan).toContain("reports_template_status_idx");
  });
});

describe("reports by their parameters", () => {
  it("are found through the GIN index, which row security hides from a plain query", async () => {
    const found = await as(database.db, own, "report_manager", (db) =>
      domain.reportsWithParameters(db, { region: 7 }),
    );
    expect(found.map(({ name }) => name)).toHaveLength(6);
    const plain = await explained(
      sql`select id from ${reports} where parameters @> '{"region": 7}'`,
    );
    expect(plain).not.toContain("reports_parameters_idx");
    const inFunction = await database.rolledBack(async (db) => {
      await db.execute(sql`select set_config('app.tenant_id', ${own.id}, true)`);
      await db.execute(sql.raw(`SET LOCAL ROLE ${ident(domain.access.readerRole)}`));
      const { rows } = await db.execute<{ "QUERY PLAN": string }>(
        sql`explain select id from ${reports} where organization_id = (select ${sql.raw(SCHEMA)}.current_tenant_id()) and parameters @> '{"region": 7}'`,
      );
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    });
    expect(inFunction).toContain("reports_parameters_idx");
  });

  it("are not searched by a persona that does not see them all", async () => {
    const search = as(database.db, own, "user", (db) =>
      domain.reportsWithParameters(db, { region: 7 }),
    );
    await expect(search).rejects.toMatchObject({ cause: { code: "42501" } });
  });
});

describe("the use of indexes", () => {
  it("is counted for each, with its partitions, where the seed asks for columns that are not there", async () => {
    const usage = await domain.indexUsage(database.db);
    const names = usage.map(({ index }) => index);
    expect(names).toContain("report_executions_statistics_idx");
    expect(names.filter((name) => /_\d{4}_\d\d/.test(name))).toEqual([]);
    expect(usage.every(({ scans, sizeBytes }) => scans >= 0 && sizeBytes > 0)).toBe(true);
    const asWritten = database.db.execute(
      sql`select schemaname, tablename, indexname, idx_scan from pg_stat_user_indexes`,
    );
    await expect(asWritten).rejects.toMatchObject({ cause: { code: "42703" } });
  });
});
