import { existsSync } from "node:fs";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { adviceText } from "../../src/partitioning/advice-text.ts";
import { advise, type Advice } from "../../src/partitioning/advise.ts";
import "../support/provided.ts";
import { findNative, MAJORS, type Major } from "../support/server-binaries.ts";
import { startServer, type RunningServer } from "../support/server-process.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

const { own, missing } = inject("underpinServers");

function whyNot(major: Major): string | undefined {
  if (!own) return "UNDERPIN_TEST_URL: this needs servers that preload pg_stat_statements";
  const native = findNative(major);
  if (native === undefined) return missing.find((absent) => absent.major === major)?.reason;
  const control = join(native, "share", "postgresql", "extension", "pg_stat_statements.control");
  return existsSync(control) ? undefined : `this PostgreSQL ${major} has no pg_stat_statements`;
}

/**
 * As applications write them, with values: the server counts them without, some so that they are no SQL any more. Each with whether it prunes,
 * and what it lacks.
 */
const APPLICATION: readonly (readonly [query: string, prunes: string, ...missing: string[]])[] = [
  [`SELECT count(*) FROM ${schema}.readings WHERE program_id = 'p1' AND site_id = 's1'`, "yes"],
  [
    `SELECT avg(value) FROM ${schema}.readings WHERE program_id = 'p1' AND site_id = 's1' AND created_at >= now() - interval '1 day'`,
    "yes",
  ],
  [
    `SELECT value FROM ${schema}.readings WHERE program_id IN ('p1', 'p2', 'p3') AND site_id = 's1' AND created_at >= timestamptz '2025-01-01 00:00+00' LIMIT 5`,
    "yes",
  ],
  [`SELECT max(value) FROM ${schema}.readings WHERE program_id = 'p1'`, "partly", "site_id"],
  [
    `SELECT min(value) FROM ${schema}.readings WHERE created_at > now() - interval '1 day'`,
    "no",
    "program_id",
    "site_id",
  ],
  [
    `SELECT count(r.value) FROM ${schema}.readings AS r JOIN ${schema}.programs AS p ON p.program_id = r.program_id WHERE r.value > 3`,
    "no",
    "program_id",
    "site_id",
  ],
  [
    `UPDATE ${schema}.readings SET value = 3 WHERE reading_id = gen_random_uuid()`,
    "no",
    "program_id",
    "site_id",
  ],
  [
    `SELECT date_trunc('day', created_at), sum(value) FROM ${schema}.readings WHERE site_id = 's1' AND program_id = 'p1' GROUP BY date_trunc('day', created_at)`,
    "yes",
  ],
  [
    `SELECT EXTRACT(year FROM created_at), sum(value) FROM ${schema}.readings WHERE site_id = 's1' GROUP BY 1`,
    "no",
    "program_id",
  ],
];

const NOT_OF_THE_TABLE = `SELECT count(*) FROM ${schema}.programs WHERE program_id = 'readings'`;

for (const major of MAJORS) {
  const skipReason = whyNot(major);
  const meta = {
    engine: `PostgreSQL ${major}` as const,
    ...(skipReason === undefined ? {} : { skipReason }),
  };
  const name = `statements that the server counted: PostgreSQL ${major}${skipReason === undefined ? "" : ` (skipped: ${skipReason})`}`;
  describe.skipIf(skipReason !== undefined)(name, { meta }, () => {
    let server: RunningServer;
    let sql: Sql;
    beforeAll(async () => {
      const settings = { shared_preload_libraries: "pg_stat_statements" };
      server = await startServer(major, { settings });
      sql = postgres(server.url, { max: 1, onnotice: () => undefined });
      await sql.unsafe(
        `CREATE SCHEMA "st""ats"; CREATE EXTENSION pg_stat_statements SCHEMA "st""ats"`,
      );
    }, 60_000);
    afterAll(async () => {
      await sql?.end({ timeout: 1 });
      await server?.stop();
    });

    /** Each query once more often than the next, and one as a driver sends it, with parameters of its own. */
    const runAll = async () => {
      await sql.unsafe(`SELECT "st""ats".pg_stat_statements_reset()`);
      for (const [at, [query]] of APPLICATION.entries())
        for (let round = at; round < APPLICATION.length; round += 1) await sql.unsafe(query);
      for (let round = 0; round < 20; round += 1)
        await sql.unsafe(`DELETE FROM ${schema}.readings WHERE program_id = $1 AND site_id = $2`, [
          "p9",
          "s9",
        ]);
      await sql.unsafe(NOT_OF_THE_TABLE);
    };
    const expected = [
      [20, "yes"],
      ...APPLICATION.map(([, prunes, ...missing], at) => [
        APPLICATION.length - at,
        prunes,
        ...missing,
      ]),
    ];
    const found = ({ queries }: Advice) =>
      queries.map(({ calls, prunes, missing }) => [calls, prunes, ...missing]);

    it("are told apart on a plain table, without our own", async () => {
      await sql.unsafe(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.programs (program_id text PRIMARY KEY);
        CREATE TABLE ${schema}.readings (program_id text NOT NULL, site_id text NOT NULL, created_at timestamptz NOT NULL,
          reading_id uuid NOT NULL DEFAULT gen_random_uuid(), n integer, value integer, PRIMARY KEY (program_id, site_id, created_at, reading_id));
        INSERT INTO ${schema}.readings SELECT 'p' || n % 5, 's' || n % 3, '2025-01-01'::timestamptz + n * interval '1 hour', gen_random_uuid(), n, n FROM generate_series(1, 5000) AS n;
        ANALYZE ${schema}.readings`);
      await runAll();
      await advise(sql, nested);
      const advice = await advise(sql, nested);
      expect(found(advice)).toEqual(expected);
      expect(advice.queries.filter(({ how }) => how === "plan")).toHaveLength(8);
      const unpruned = advice.findings.filter(({ check }) => check === "query-unpruned");
      expect(unpruned).toHaveLength(5);
      expect(adviceText(advice)).toContain("prunes        20 × DELETE FROM");
    });

    it("are told apart on a partitioned table", async () => {
      await sql.unsafe(`DROP SCHEMA ${schema} CASCADE`);
      await sql.unsafe(setup());
      await sql.unsafe(
        `SELECT ${schema}.provision_readings('p1', 's1', '2025-01-01 00:00+00', '2025-04-01 00:00+00')`,
      );
      await runAll();
      await advise(sql, nested);
      const advice = await advise(sql, nested);
      expect(found(advice)).toEqual(expected);
      expect(new Set(advice.queries.map(({ how }) => how))).toEqual(
        new Set(major < 16 ? ["text"] : ["plan", "text"]),
      );
    });

    it("are said to be hidden where they are of others", async () => {
      await sql.unsafe(
        `CREATE ROLE asks LOGIN; GRANT USAGE ON SCHEMA "st""ats", ${schema} TO asks`,
      );
      const url = new URL(server.url);
      url.username = "asks";
      const own = postgres(url.href, { max: 1, onnotice: () => undefined });
      try {
        const { findings, queries } = await advise(own, nested);
        expect(queries).toEqual([]);
        const hidden = findings.find(({ check }) => check === "statements-hidden");
        expect(hidden?.repair).toContain("pg_read_all_stats");
        await sql.unsafe("GRANT pg_read_all_stats TO asks");
        const after = await advise(own, nested);
        expect(after.queries).toHaveLength(expected.length);
        expect(after.findings.map(({ check }) => check)).not.toContain("statements-hidden");
      } finally {
        await own.end({ timeout: 1 });
      }
    });
  });
}
