import { expect, it } from "vitest";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { onServers } from "../support/server.ts";
import { startTraffic } from "../server/run-traffic.ts";
import { byProgram, programs, readings, schema, setup } from "./maintain-fixture.ts";

const SITES = 40;

onServers("a month that begins for many sites", (server) => {
  it(
    "is made site by site, and nobody waits for longer than a lock timeout",
    { timeout: 120_000 },
    async () => {
      const sql = server.sql();
      await sql.unsafe(
        `${setup([programs, readings], [byProgram])}; INSERT INTO ${schema}.programs VALUES ('p1'), ('p2')`,
      );
      for (let site = 0; site < SITES; site += 1)
        await sql.unsafe(
          `SELECT ${schema}.provision_readings('p${1 + (site % 2)}', 's${site}', '2025-01-15', '2025-03-15')`,
        );
      await maintain(sql, [byProgram], { now: "2025-01-20T12:00:00Z" });
      const traffic = await startTraffic(server, [
        `INSERT INTO ${schema}.readings SELECT 'p1', 's0', '2025-02-07', pg_catalog.floor(pg_catalog.random() * 1e9)::int`,
        `SELECT pg_catalog.count(*) FROM ${schema}.readings WHERE program_id = 'p1' AND site_id = 's0'`,
        // ATTACH locks the table that is referred to, too.
        `UPDATE ${schema}.programs SET program_id = program_id WHERE program_id = 'p1'`,
      ]);
      const report = await maintain(sql, [byProgram], { now: "2025-02-01T00:00:00Z" });
      const longestMs = await traffic.stop();
      expect(report.failure?.message).toBeUndefined();
      const premakes = report.planned?.steps.filter(({ id }) => id.startsWith("premake/")) ?? [];
      expect(premakes).toHaveLength(SITES);
      expect(premakes.map((step) => step.kind === "sql" && step.transaction)).toEqual(
        Array(SITES).fill("commitAfter"),
      );
      expect(longestMs).toBeLessThan(2_000);
      console.info(
        `a month for ${SITES} sites on PostgreSQL ${server.major}: the longest statement beside it took ${Math.round(longestMs)} ms`,
      );
    },
  );
});
