import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { onEngines } from "../support/server.ts";
import { byProgram, programs, readings, schema, setup } from "./maintain-fixture.ts";

onEngines("a year of days", (engine) => {
  it(
    "leaves no gap and no leftover, and the catalog of one that was built from scratch",
    { timeout: 240_000 },
    async () => {
      // One server is enough for what takes this long.
      if (engine.major === 15) return;
      const db: Executor = engine.executor();
      const begin = async () => {
        await db.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await db.query(setup([programs, readings], [byProgram]));
        await db.query(`INSERT INTO ${schema}.programs VALUES ('p1'), ('p2')`);
      };
      const provision = (program: string, site: string, from: string, until = "NULL") =>
        db.query(`SELECT ${schema}.provision_readings('${program}', '${site}', ${from}, ${until})`);
      const read = async () => canonical(await readFacts(db, { schemas: [`we"ird Schema`] }));

      await begin();
      await provision("p1", "s1", "'2025-01-01'");
      const first = Date.UTC(2025, 0, 1);
      const sites = [["p1", "s1"]];
      let inserted = 0;
      for (let day = 0; day < 365; day++) {
        const at = (shift: number) => new Date(first + (day + shift) * 86_400_000).toISOString();
        if (day === 60) sites.push(["p1", "s2"]);
        if (day === 200) sites.push(["p2", "s1"]);
        for (const [program = "", site = ""] of sites) {
          if (day === 60 || day === 200) await provision(program, site, `'${at(0)}'`);
          // Today's, a late one, and one of the next week.
          const shifts = [0, ...(day % 9 === 8 && day % 100 > 40 ? [-20] : []), 7];
          for (const shift of shifts) {
            const born =
              day < 60 ? 0 : day < 200 ? (site === "s2" ? 60 : 0) : program === "p2" ? 200 : 0;
            if (day + shift < born) continue;
            await db.query(
              `INSERT INTO ${schema}.readings VALUES ('${program}', '${site}', '${at(shift)}', ${++inserted})`,
            );
          }
        }
        // A host that is away for some days loses nothing: three months are ready.
        if (day % 30 > 26) continue;
        const report = await maintain(db, [byProgram], {
          now: at(0.5),
          archive: { kind: "none" },
          graceDays: 3,
        });
        expect(report.failure?.message).toBeUndefined();
        expect(report.findings).toEqual([]);
      }
      // The last grace periods end.
      const end = new Date(first + 364.5 * 86_400_000);
      for (const later of [0, 4, 8])
        await maintain(db, [byProgram], {
          now: new Date(end.getTime() + later * 86_400_000),
          archive: { kind: "none" },
          graceDays: 3,
        });
      const lived = await read();
      const [kept] = await db.query<{ oldest: string }>(
        `SELECT pg_catalog.to_char(pg_catalog.min(at) AT TIME ZONE 'UTC', 'YYYY-MM') AS oldest FROM ${schema}.readings`,
      );
      // Retained for three months on the fourth of January.
      expect(kept?.oldest).toBe("2025-10");

      await begin();
      for (const [program = "", site = ""] of sites)
        await provision(program, site, "'2025-10-01'", "'2026-03-01'");
      // A key that was attached with its table says NO INHERIT where one that was made in place does not; of a key it means nothing.
      const differences = compareCatalogs(await read(), lived).filter(
        ({ path }) => !/^constraint .*_pkey".*: no inherit$/.test(path),
      );
      expect(differences).toEqual([]);
    },
  );
});
