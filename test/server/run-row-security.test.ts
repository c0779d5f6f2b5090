import { beforeEach, expect, it } from "vitest";
import type { Sql } from "postgres";
import { plan } from "../../src/plan/plan.ts";
import type { Plan, Step } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { onServers } from "../support/server.ts";

const secret = { schema: "secured", name: "secret" };
const open = { schema: "secured", name: "open" };

const checkFilled: Step = {
  kind: "check",
  id: "is-filled",
  title: "No row is left out",
  sql: "SELECT id FROM secured.secret WHERE n IS NULL",
  expect: "noRows",
  rows: [{ ...secret, access: "read" }],
  transaction: "inside",
  undo: { kind: "nothing" },
};

const backfill: Step = {
  kind: "backfill",
  id: "fill",
  title: "Fill",
  table: secret,
  key: [{ name: "id", type: "integer" }],
  set: "n = 1",
  where: "n IS NULL",
  batchSize: 10,
  pauseMs: 0,
  undo: { kind: "nothing" },
};

const filled = (name: string): Plan => plan(name, [backfill, checkFilled]);

onServers("a step over rows, for an owner under FORCE ROW LEVEL SECURITY", (server) => {
  let owner = "";
  let sql: Sql;
  beforeEach(async () => {
    if (owner === "") {
      owner = await server.role(`o'wn"er`);
      sql = server.connect(server.urlAs(owner));
    }
    const role = `"${owner.replaceAll('"', '""')}"`;
    await server.sql().unsafe(`
      DROP SCHEMA IF EXISTS secured CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
      GRANT CREATE ON DATABASE "${new URL(server.url()).pathname.slice(1)}" TO ${role};
      CREATE SCHEMA secured AUTHORIZATION ${role};
      SET ROLE ${role};
      CREATE TABLE secured.secret (id integer PRIMARY KEY, n integer);
      CREATE TABLE secured.open (id integer PRIMARY KEY);
      INSERT INTO secured.secret SELECT pg_catalog.generate_series(1, 25);
      ALTER TABLE secured.secret ENABLE ROW LEVEL SECURITY;
      ALTER TABLE secured.secret FORCE ROW LEVEL SECURITY;
      RESET ROLE`);
  });

  const unfilled = async (): Promise<number> => {
    const [row] = await server.sql()<{ n: number }[]>`
      select count(*)::int as n from secured.secret where n is null`;
    return row?.n ?? -1;
  };

  it("would be told lies without the engine: nothing is seen, nothing is changed, and no error", async () => {
    expect(await sql.unsafe(checkFilled.kind === "check" ? checkFilled.sql : "")).toEqual([]);
    const changed = await sql`update secured.secret set n = 1 where n is null`;
    expect(changed.count).toBe(0);
    expect(await unfilled()).toBe(25);
  });

  it("is refused where no policy lets it see all rows", async () => {
    const checked = await apply(sql, plan("checked", [checkFilled]));
    expect(checked).toMatchObject({
      outcome: "failed",
      failure: { code: "rowSecurity", step: "is-filled" },
    });
    const changed = await apply(sql, filled("filled"));
    expect(changed).toMatchObject({
      outcome: "failed",
      failure: { code: "rowSecurity", step: "fill" },
    });
    expect(changed.failure?.hint).toContain("CREATE POLICY");
    expect(await unfilled()).toBe(25);
  });

  it("passes with a policy without conditions, and then does see and change all rows", async () => {
    const before = await apply(sql, filled("filled"));
    expect(before.outcome).toBe("failed");
    await sql`create policy for_migrations on secured.secret to current_user using (true) with check (true)`;
    const found = await apply(sql, plan("checked", [checkFilled]));
    expect(found).toMatchObject({ outcome: "failed", failure: { code: "checkFailed" } });
    expect(found.failure?.message).toContain("more than 5 rows");
    expect(await apply(sql, filled("filled"))).toMatchObject({ outcome: "applied" });
    expect(await unfilled()).toBe(0);
    expect(await apply(sql, plan("checked", [checkFilled]))).toMatchObject({ outcome: "applied" });
  });

  it("is refused where a policy for all has a condition, or covers another command only", async () => {
    await sql`create policy some_rows on secured.secret using (id < 10) with check (true)`;
    await sql`create policy only_inserts on secured.secret for insert with check (true)`;
    expect(await apply(sql, plan("checked", [checkFilled]))).toMatchObject({
      failure: { code: "rowSecurity" },
    });
    await sql`create policy all_reads on secured.secret for select using (true)`;
    // Reading is allowed now, and finds the rows; changing is not.
    expect(await apply(sql, plan("checked", [checkFilled]))).toMatchObject({
      failure: { code: "checkFailed" },
    });
    expect(await apply(sql, filled("filled"))).toMatchObject({ failure: { code: "rowSecurity" } });
    expect(await unfilled()).toBe(25);
  });

  it("is refused where a restrictive policy takes rows away again", async () => {
    await sql`create policy for_migrations on secured.secret to current_user using (true) with check (true)`;
    await sql`create policy but_not_these on secured.secret as restrictive for select using (id <> 7)`;
    expect(await apply(sql, filled("filled"))).toMatchObject({
      outcome: "failed",
      failure: { code: "rowSecurity" },
    });
    expect(await unfilled()).toBe(25);
  });

  it("needs no policy where row security is not forced on the owner", async () => {
    // NO FORCE: row security is not active for the owner, and the engine makes any later silence an error.
    await sql`alter table secured.secret no force row level security`;
    expect(await apply(sql, filled("filled"))).toMatchObject({ outcome: "applied" });
    expect(await unfilled()).toBe(0);
  });

  it("runs with row security off as a superuser, so that silence would be an error", async () => {
    const seen = plan("seen", [
      {
        ...checkFilled,
        sql: "SELECT pg_catalog.current_setting('row_security') AS setting WHERE pg_catalog.current_setting('row_security') <> 'off'",
      },
    ]);
    expect(await apply(server.sql(), seen)).toMatchObject({ outcome: "applied" });
    expect(await apply(server.sql(), filled("filled"))).toMatchObject({ outcome: "applied" });
    expect(await unfilled()).toBe(0);
  });

  it("keeps to each step's own relations when steps share a transaction", async () => {
    await sql`create policy for_migrations on secured.secret to current_user using (true) with check (true)`;
    const first: Step = {
      ...checkFilled,
      id: "open-first",
      sql: "SELECT id FROM secured.open",
      rows: [{ ...open, access: "read" }],
    };
    const then: Step = { ...checkFilled, sql: "SELECT id FROM secured.secret WHERE id > 100" };
    // Switched off for the first relation, it must be on again for the second, or the server raises 42501.
    expect((await apply(sql, plan("both", [first, then]))).failure).toBeUndefined();
  });
});
