import postgres from "postgres";
import { expect, it } from "vitest";
import { PASSWORD_LOGIN } from "../support/server-process.ts";
import { onServers } from "../support/server.ts";

onServers("the test rig", (server) => {
  it("connects to a server of the named major, to a database of its own", async () => {
    const [row] = await server.sql()<{ version: number; name: string; locks: string }[]>`
      select current_setting('server_version_num')::int as version, current_database() as name,
        current_setting('max_locks_per_transaction') as locks`;
    expect(Math.floor((row?.version ?? 0) / 10000)).toBe(server.major);
    expect(row?.name).toMatch(/^underpin_test_/);
    expect(row?.locks).toBe("64");
  });

  it("logs in as a role that it made, whatever the role's name", async () => {
    const role = await server.role(`o'ne "more/@`, { attributes: "NOINHERIT" });
    const sql = server.connect(server.urlAs(role), { max: 1 });
    const [row] = await sql<{ user: string; inherits: boolean }[]>`
      select current_user as user, rolinherit as inherits from pg_roles where rolname = current_user`;
    expect(row).toEqual({ user: role, inherits: false });
  });

  it("creates one more database", async () => {
    const sql = server.connect(await server.database("second"));
    const [row] = await sql<{ name: string }[]>`select current_database() as name`;
    expect(row?.name).toMatch(/_second$/);
  });

  it.skipIf(!server.isOwn)("asks one login for its password", async () => {
    const url = server.urlAs(PASSWORD_LOGIN, "right");
    const [row] = await server.connect(url)<{ user: string }[]>`select current_user as user`;
    expect(row?.user).toBe(PASSWORD_LOGIN);
    const wrong = postgres(server.urlAs(PASSWORD_LOGIN, "wrong"));
    await expect(wrong`select 1`).rejects.toMatchObject({ code: "28P01" });
    await wrong.end();
  });
});
