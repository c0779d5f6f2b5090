import { sql } from "drizzle-orm";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import { afterAll, expect, it } from "vitest";
import { isConnectionError } from "../../src/errors.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { withTenant } from "../../src/rls/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";
import { A, B } from "./school.ts";

onServers("a handle whose backend was killed", (server) => {
  const { access, users } = installedSchool({
    kind: "server",
    major: server.major,
    server,
    db: () => server.sql(),
    executor: () => toExecutor(server.sql()),
  });
  const pools: pg.Pool[] = [];
  afterAll(() => Promise.all(pools.map((pool) => pool.end())));
  let login: Promise<string> | undefined;
  const url = () =>
    (login ??= (async () => {
      const role = await server.role("app", { attributes: "NOINHERIT" });
      const roles = Object.values(access.roles).map(ident).join(", ");
      await server.sql().unsafe(`GRANT ${roles} TO ${ident(role)}`);
      return server.urlAs(role);
    })());
  const admin = (t: typeof A | typeof B) =>
    ({ access, persona: "admin", tenant: t.tenant, user: t.admin }) as const;
  const kill = async (pid: number) => {
    await server.sql()`select pg_terminate_backend(${pid}, 5000)`;
  };
  const settled = () => new Promise((resolve) => setTimeout(resolve, 50));

  it("reads another tenant's rows over bare postgres.js, and throws over ours", async () => {
    const client = server.connect(await url(), { max: 1, backoff: false });
    const bare = drizzlePostgresJs(client);
    type Handle = Parameters<Parameters<typeof bare.transaction>[0]>[0];

    const bareContext = async (tx: Handle, t: typeof A | typeof B) =>
      tx.execute(
        sql`select set_config('role', ${access.roles.admin}, true), set_config('app.tenant_id', ${t.tenant}, true), set_config('app.user_id', ${t.admin}, true), pg_backend_pid() as pid`,
      );
    const spoilt = { handle: undefined as Handle | undefined };
    await expect(
      bare.transaction(async (tx) => {
        spoilt.handle = tx;
        const [row] = await bareContext(tx, A);
        await kill(Number(row?.["pid"]));
        // It works on for ever: its end would send COMMIT to a socket that is gone, which ends the process.
        await new Promise(() => undefined);
      }),
    ).rejects.toThrow();
    const seen = await bare.transaction(async (tx) => {
      await bareContext(tx, B);
      // Somebody still works with A's handle.
      return spoilt.handle?.select().from(users);
    });
    expect(seen?.map(({ tenantId }) => tenantId)).toContain(B.tenant);

    const kept = { handle: undefined as Pick<Handle, "select"> | undefined };
    await expect(
      withTenant(bare, admin(A), async (tx) => {
        kept.handle = tx;
        const [row] = await tx.execute(sql`select pg_backend_pid() as pid`);
        await kill(Number(row?.["pid"]));
        await settled();
      }),
    ).rejects.toSatisfy(isConnectionError);
    await withTenant(bare, admin(B), async (tx) => {
      await expect(
        Promise.resolve().then(() => kept.handle?.select().from(users)),
      ).rejects.toMatchObject({ cause: { code: "connection" } });
      expect(await tx.select().from(users)).toHaveLength(5);
    });
  });

  const drivers = {
    "postgres.js": async () =>
      drizzlePostgresJs(server.connect(await url(), { max: 1, backoff: false })),
    "node-postgres": async () => {
      const pool = new pg.Pool({ connectionString: await url(), max: 1 });
      pool.on("error", () => undefined);
      pools.push(pool);
      return drizzlePg(pool) as unknown as ReturnType<typeof drizzlePostgresJs>;
    },
  };
  for (const [driver, open] of Object.entries(drivers))
    it(`lets nothing out over ${driver}: the work goes on, the pool serves the next`, async () => {
      const db = await open();
      for (let round = 0; round < 5; round++) {
        await expect(
          withTenant(db, admin(A), async (tx) => {
            const result = await tx.execute(sql`select pg_backend_pid() as pid`);
            const [row] = (
              Array.isArray(result) ? result : (result as { rows: unknown[] }).rows
            ) as {
              pid: number;
            }[];
            await kill(row?.pid ?? 0);
            if (round % 2 === 0) await settled();
            // What was caught is tried again at once, as applications do.
            for (let tries = 0; tries < 3; tries++)
              await Promise.resolve()
                .then(() => tx.select().from(users))
                .catch(() => undefined);
          }),
        ).rejects.toThrow();
        expect(await withTenant(db, admin(B), (tx) => tx.select().from(users))).toHaveLength(5);
      }
    });
});
