import type { PGlite } from "@electric-sql/pglite";
import { expect, it } from "vitest";
import { assertSafeLogin } from "../../src/rls/index.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { ident } from "../../src/sql/quote.ts";
import { createTestDatabase } from "../../src/testing/index.ts";
import { onEngines } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";

onEngines("the login of an application", (engine) => {
  const { access, schema } = installedSchool(engine);
  const { server } = engine;

  if (server === undefined) {
    it("is refused where it is PGlite's own user, a superuser", async () => {
      await expect(assertSafeLogin(engine.db() as PGlite)).rejects.toMatchObject({
        code: "unsafeLogin",
        message: expect.stringContaining("it is a superuser") as unknown,
      });
    });

    it("is refused without an access too: by a policy FOR ALL USING (true), or for a schema of tables with row security", async () => {
      const made = `
        CREATE ROLE plain; CREATE ROLE between_them; CREATE ROLE opener; CREATE ROLE schema_owner;
        CREATE SCHEMA safe_login AUTHORIZATION schema_owner; CREATE TABLE safe_login.notes (); CREATE TABLE public.notes ();
        ALTER TABLE safe_login.notes ENABLE ROW LEVEL SECURITY; ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY every ON public.notes TO opener USING (true);
        CREATE POLICY nothing ON public.notes TO plain USING (false);`;
      const outcome = async (grants: string) => {
        // PGlite does not give its user back: one for each.
        await using sandbox = await bootSandbox();
        await sandbox.client.exec(`${made} ${grants}; SET SESSION AUTHORIZATION plain`);
        return await assertSafeLogin(sandbox.executor).then(
          () => "safe",
          (error: unknown) => `${(error as Error).message} ${String((error as Error).cause)}`,
        );
      };
      expect(await outcome("")).toBe("safe");
      const refused = await outcome(
        "GRANT opener, schema_owner TO between_them; GRANT between_them TO plain",
      );
      expect(refused).toContain(
        `"opener", which it can become, sees and writes every row of public.notes`,
      );
      expect(refused).toContain(`"schema_owner", which it can become, owns the schema safe_login`);
    });

    it("is refused for each way past policies that no policy tells of, and let in for what everyone may see", async () => {
      const made = `
        CREATE ROLE plain NOINHERIT; CREATE ROLE clerk NOINHERIT; CREATE ROLE other; GRANT clerk TO plain;
        CREATE SCHEMA "c""ontext"; CREATE SCHEMA "da""ta"; GRANT USAGE ON SCHEMA "da""ta" TO PUBLIC;
        CREATE FUNCTION "c""ontext".current_tenant_id() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
        CREATE FUNCTION "c""ontext".current_user_id() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
        CREATE FUNCTION "c""ontext".helper() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
        CREATE FUNCTION "da""ta".refresh() RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT 1';
        CREATE TABLE "da""ta".orders (tenant_id uuid); CREATE TABLE "da""ta".colours ();
        ALTER TABLE "da""ta".orders ENABLE ROW LEVEL SECURITY; ALTER TABLE "da""ta".colours ENABLE ROW LEVEL SECURITY;
        CREATE MATERIALIZED VIEW "da""ta".totals AS SELECT count(*) FROM "da""ta".orders;
        CREATE POLICY floor ON "da""ta".orders AS RESTRICTIVE TO clerk USING (tenant_id = (SELECT "c""ontext".current_tenant_id()));
        CREATE POLICY clerk ON "da""ta".orders FOR SELECT TO clerk USING (true);
        CREATE POLICY everyone ON "da""ta".colours FOR SELECT TO clerk USING (true);
        GRANT SELECT ON "da""ta".orders, "da""ta".colours TO clerk; GRANT TRIGGER ON "da""ta".orders TO other;`;
      const becomes = `"other", which it can become,`;
      const ways: readonly (readonly [sql: string, fault: string])[] = [
        ["", "safe"],
        [`ALTER FUNCTION "c""ontext".helper() OWNER TO plain`, "safe"],
        ["GRANT pg_read_all_data TO other; GRANT other TO plain", `"pg_read_all_data", which`],
        ["GRANT pg_write_all_data TO plain", `"pg_write_all_data", which`],
        [
          `CREATE POLICY reader ON "da""ta".orders FOR SELECT TO other USING (true); GRANT other TO plain`,
          `${becomes} sees every row of "da""ta".orders by a policy FOR SELECT USING (true)`,
        ],
        [
          `CREATE POLICY nothing ON "da""ta".orders AS RESTRICTIVE TO other USING (true);
           CREATE POLICY every ON "da""ta".orders TO other USING (true); GRANT other TO plain`,
          `${becomes} sees and writes every row`,
        ],
        [
          `ALTER FUNCTION "c""ontext".current_tenant_id() OWNER TO plain`,
          `it owns the function "c""ontext".current_tenant_id, on which row security relies`,
        ],
        [
          `ALTER FUNCTION "c""ontext".current_user_id() OWNER TO other; GRANT other TO plain`,
          `${becomes} owns the function "c""ontext".current_user_id`,
        ],
        [
          `ALTER FUNCTION "da""ta".refresh() OWNER TO plain`,
          `it owns the function "da""ta".refresh`,
        ],
        [
          `ALTER MATERIALIZED VIEW "da""ta".totals OWNER TO plain`,
          `it owns the materialized view "da""ta".totals, which shows every row`,
        ],
        [
          `GRANT TRUNCATE ON "da""ta".orders, "da""ta".colours TO clerk`,
          `"clerk", which it can become, may TRUNCATE 2 tables with row security, "da""ta".colours among them`,
        ],
        [
          `GRANT TRUNCATE ON "da""ta".orders TO PUBLIC`,
          `everybody, and so it, may TRUNCATE "da""ta".orders`,
        ],
        [
          `GRANT TRUNCATE ON "da""ta".orders TO PUBLIC, plain, clerk; GRANT pg_read_all_data, pg_write_all_data TO plain;
           ALTER FUNCTION "da""ta".refresh() OWNER TO plain; ALTER MATERIALIZED VIEW "da""ta".totals OWNER TO plain`,
          "; and 2 more",
        ],
      ];
      for (const [sql, fault] of ways) {
        await using database = await createTestDatabase({ setup: made });
        await database.client.exec(`${sql}; SET SESSION AUTHORIZATION plain`);
        const outcome = await assertSafeLogin(database.client).then(
          () => "safe",
          (error: unknown) => (error as Error).message,
        );
        expect(outcome, sql).toContain(fault);
      }
    }, 60_000);
    return;
  }

  const grant = (roles: readonly string[], to: string) =>
    server.sql().unsafe(`GRANT ${roles.map(ident).join(", ")} TO ${ident(to)}`);
  const checked = (login: string) =>
    assertSafeLogin(server.connect(server.urlAs(login), { max: 1 }), { access });

  it("is let in where it may act as the personas and as nobody else", async () => {
    const login = await server.role("safe", { attributes: "NOINHERIT" });
    await grant(Object.values(access.roles), login);
    await checked(login);
    await server.sql().unsafe(`REVOKE ${ident(access.roles.parent)} FROM ${ident(login)}`);
    await expect(checked(login)).rejects.toMatchObject({
      code: "unsafeLogin",
      message: expect.stringContaining(
        `it may not act as ${ident(access.roles.parent)}`,
      ) as unknown,
      hint: expect.stringContaining("GRANT ") as unknown,
    });
  });

  it("is let in without an access too, and not as the reader", async () => {
    const login = await server.role("plain", { attributes: "NOINHERIT" });
    await grant(Object.values(access.roles), login);
    const asked = () => assertSafeLogin(server.connect(server.urlAs(login), { max: 1 }));
    await asked();
    await grant([access.readerRole], login);
    await expect(asked()).rejects.toMatchObject({
      message: expect.stringMatching(
        / owns .*functions?.* on which row security relies.* sees every row of .* FOR SELECT USING \(true\)/,
      ) as unknown,
    });
  });

  it("is refused for what it is itself, and for what it can become", async () => {
    const owner = await server.role("owner", { login: false });
    await server
      .sql()
      .unsafe(
        `GRANT CREATE, USAGE ON SCHEMA ${ident(schema)} TO ${ident(owner)}; SET ROLE ${ident(owner)}; CREATE TABLE ${ident(schema)}.owned (); ALTER TABLE ${ident(schema)}.owned ENABLE ROW LEVEL SECURITY; RESET ROLE`,
      );
    const bypass = await server.role("bypass", { login: false, attributes: "BYPASSRLS" });
    const between = await server.role("between", { login: false });
    await grant([bypass], between);
    const unsafe: readonly (readonly [string, string, readonly string[], string])[] = [
      ["superuser", "SUPERUSER", [], "it is a superuser"],
      ["bypasses", "BYPASSRLS", [], "it has BYPASSRLS"],
      ["creates", "CREATEROLE", [], "it has CREATEROLE"],
      ["owns", "NOINHERIT", [owner], "owns"],
      ["far", "NOINHERIT", [between], `${ident(bypass)}, which it can become, has BYPASSRLS`],
      ["files", "NOINHERIT", ["pg_read_server_files"], "reaches the server's files"],
      ["reads", "NOINHERIT", [access.readerRole], "sees every row"],
      ["migrates", "NOINHERIT", [access.migratorRole], "sees every row"],
      ["all", "NOINHERIT", ["pg_read_all_data"], "reaches every table and materialized view"],
    ];
    for (const [suffix, attributes, roles, fault] of unsafe) {
      const login = await server.role(suffix, { attributes });
      await grant([...Object.values(access.roles), ...roles], login);
      await expect(checked(login), suffix).rejects.toMatchObject({
        code: "unsafeLogin",
        message: expect.stringContaining(fault) as unknown,
      });
    }
  });
});
