import { drizzle as drizzleNodePostgres } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withTenant } from "../../src/rls/with-tenant.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import { domain, install, organizationOf, type Organization } from "./reporting-world.ts";

onServers(
  "the queries of reports, by a login that may be each persona and nothing else",
  (server) => {
    let own: Organization;
    let pool: pg.Pool;
    let url: string;

    beforeAll(async () => {
      await install(server.sql(), domain.definition);
      const db = drizzlePostgresJs(server.sql());
      own = await organizationOf(db, 1);
      await organizationOf(db, 2);
      await db.update(domain.reports).set({ parameters: { region: "it's" }, status: "processing" });
      await db.insert(domain.reportExecutions).values({
        organizationId: own.id,
        reportId: own.reports[0],
        executedBy: own.users.user,
        executionTimeMs: 7,
      });
      const login = await server.role("app", { attributes: "NOINHERIT" });
      const personas = Object.values(domain.access.roles).map(ident).join(", ");
      await server.sql().unsafe(`GRANT ${personas} TO ${ident(login)}`);
      url = server.urlAs(login);
      pool = new pg.Pool({ connectionString: url, max: 2 });
    });
    afterAll(() => pool.end());

    for (const driver of ["postgres.js", "node-postgres"] as const)
      describe(`through ${driver}`, () => {
        const asked = async () => {
          const context = {
            access: domain.access,
            persona: "report_manager" as const,
            tenant: own.id,
            user: own.users.report_manager,
          };
          const work = async (tx: Parameters<typeof domain.reportPage>[0]) => ({
            first: await domain.reportPage(tx, { organizationId: own.id, limit: 1 }),
            statistics: await domain.executionStatistics(tx),
            since: await domain.executionStatistics(tx, { since: new Date("2001-01-01") }),
            atWork: await domain.hasProcessingReports(tx, own.template),
            found: await domain.reportsWithParameters(tx, { region: "it's" }),
          });
          return driver === "postgres.js"
            ? withTenant(drizzlePostgresJs(server.connect(url, { max: 1 })), context, work)
            : withTenant(drizzleNodePostgres(pool), context, work);
        };

        it("answer alike, with numbers as numbers and times as Dates", async () => {
          const { first, statistics, since, atWork, found } = await asked();
          expect(first.reports).toHaveLength(1);
          expect(first.reports[0]?.createdAt).toBeInstanceOf(Date);
          expect(first.next).toMatch(/^[\w-]+$/);
          expect(statistics).toEqual([{ status: "running", count: 1, averageTimeMs: 7 }]);
          expect(since).toEqual(statistics);
          expect(atWork).toBe(true);
          expect(found.map(({ name }) => name)).toEqual(["Report 1", "Report 2"]);
        });

        it("go on where the page before ended", async () => {
          const { first } = await asked();
          const db = drizzlePostgresJs(server.sql());
          const second = await domain.reportPage(db, {
            organizationId: own.id,
            limit: 1,
            after: first.next,
          });
          expect(second.next).toBeNull();
          expect(second.reports.map(({ id }) => id)).not.toEqual(first.reports.map(({ id }) => id));
        });
      });
  },
);
