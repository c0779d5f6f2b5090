import type { PGlite } from "@electric-sql/pglite";
import { expect, it } from "vitest";
import { assertSafeLogin } from "../../src/rls/index.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { ident } from "../../src/sql/quote.ts";
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
