import { sql } from "drizzle-orm";
import { pgSchema, uuid } from "drizzle-orm/pg-core";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { defineAccess, tenant, withTenant } from "../../src/rls/index.ts";
import { apply } from "../../src/run/apply.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";

/** `UNDERPIN_BLEED=100000 npx vitest run test/rls/context-bleed` reads that often. */
const READS = Number(process.env["UNDERPIN_BLEED"] ?? 3_000);
const TENANTS = 200;
const ROWS = 3;

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

onServers("200 tenants on a pool of four, under load", (server) => {
  const prefix = `rls_bleed_${server.major}_${process.pid}`;
  const space = pgSchema("bleed");
  const access = defineAccess({
    schema: "bleed",
    rolePrefix: prefix,
    migratorRole: `${prefix}_migrator`,
    tenantColumn: "tenantId",
    personas: ["member"],
  });
  const things = space
    .table("things", { tenantId: uuid("tenant_id").notNull() }, (t) =>
      access.rules(t, { select: { member: tenant }, insert: { member: tenant } }),
    )
    .enableRLS();
  let url = "";
  let login = "";
  const pools: pg.Pool[] = [];

  beforeAll(async () => {
    const definition = defineDatabase({ name: "bleed", tables: { space, things }, access });
    const report = await apply(server.sql(), planInstall(definition));
    expect(report.outcome).toBe("applied");
    login = await server.role("app", { attributes: "NOINHERIT" });
    url = server.urlAs(login);
    await server.sql().unsafe(`
      INSERT INTO bleed.things SELECT ('00000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid
        FROM generate_series(1, ${TENANTS}) AS t, generate_series(1, ${ROWS});
      GRANT ${ident(access.roles.member)} TO ${ident(login)};
      ALTER ROLE ${ident(login)} SET plan_cache_mode TO force_generic_plan`);
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    for (const role of [access.roles.member, access.readerRole, access.migratorRole].map(ident))
      await server.sql().unsafe(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });

  const drivers = {
    // Killed while it asks for types, postgres.js 3.4.9 rejects where nobody can catch it.
    "postgres.js": () =>
      drizzlePostgresJs(server.connect(url, { max: 4, backoff: false, fetch_types: false })),
    "node-postgres": () => {
      const pool = new pg.Pool({ connectionString: url, max: 4 });
      // Without a listener an idle connection that is killed ends the process.
      pool.on("error", () => undefined);
      pools.push(pool);
      return drizzlePg(pool) as unknown as ReturnType<typeof drizzlePostgresJs>;
    },
  };
  for (const [driver, open] of Object.entries(drivers))
    it(
      `sees not one row of another tenant over ${driver}, with backends killed, exceptions and generic plans`,
      async () => {
        const db = open();
        const seen = { reads: 0, own: 0, foreign: 0, wrongCount: 0, failed: 0, killed: 0 };
        let started = 0;
        const worker = async (): Promise<void> => {
          while (started < READS) {
            const n = started++;
            const id = idOf(1 + ((n * 7919) % TENANTS));
            const context = { access, persona: "member", tenant: id, user: id } as const;
            const kind = n % 10;
            await withTenant(db, context, async (tx) => {
              if (kind === 0) throw new Error("after the context was set");
              if (kind === 1)
                await tx
                  .insert(things)
                  .values({ tenantId: idOf(0) })
                  .catch(() => undefined);
              const rows = await (kind < 5
                ? tx.select().from(things).prepare("all_things").execute()
                : tx.select().from(things));
              if (kind === 2) throw new Error("after the read");
              seen.reads += 1;
              for (const { tenantId } of rows) seen[tenantId === id ? "own" : "foreign"] += 1;
              if (rows.length !== ROWS) seen.wrongCount += 1;
            }).catch(() => {
              seen.failed += 1;
            });
          }
        };
        let over = false;
        const killer = (async () => {
          while (!over) {
            await new Promise((resolve) => setTimeout(resolve, 40));
            const [row] = await server.sql()<{ n: number }[]>`
            select count(pg_terminate_backend(pid))::int as n from (
              select pid from pg_stat_activity where usename = ${login} order by random() limit 1) as one`;
            seen.killed += row?.n ?? 0;
          }
        })();
        await Promise.all(Array.from({ length: 16 }, worker));
        over = true;
        await killer;
        expect(seen).toMatchObject({ foreign: 0, wrongCount: 0, own: seen.reads * ROWS });
        // Each of these happened: what did not happen proves nothing.
        expect(seen.reads).toBeGreaterThan(READS / 2);
        expect(seen.failed).toBeGreaterThan(READS / 10);
        expect(seen.killed).toBeGreaterThan(0);
        const who = sql`select current_user = session_user as itself, coalesce(current_setting('app.tenant_id', true), '') as tenant`;
        let left: unknown;
        // A connection that was killed while it was idle fails the first query.
        for (let tries = 0; tries < 5 && left === undefined; tries++)
          left = await db.execute(who).catch(() => undefined);
        const [row] = Array.isArray(left)
          ? (left as unknown[])
          : (left as { rows: unknown[] }).rows;
        expect({ ...(row as object) }).toEqual({ itself: true, tenant: "" });
      },
      40_000 + READS * 5,
    );
});
