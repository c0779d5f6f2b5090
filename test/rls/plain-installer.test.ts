import { randomBytes } from "node:crypto";
import { afterAll, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { objectsFor } from "../../src/rls/index.ts";
import { apply } from "../../src/run/apply.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import { school } from "./school.ts";

onServers("an access that is installed by a login with CREATEROLE and no more", (server) => {
  const prefix = `rls_o'w"n_${randomBytes(4).toString("hex")}`;
  const schema = 'we"ird Schema';
  const { access, definition } = school(schema, prefix);
  let owner = "";
  const asOwner = async () => {
    if (owner === "") {
      owner = await server.role("installer", { attributes: "CREATEROLE" });
      const database = ident(new URL(server.url()).pathname.slice(1));
      await server.sql().unsafe(`GRANT CREATE ON DATABASE ${database} TO ${ident(owner)}`);
    }
    return server.connect(server.urlAs(owner));
  };
  afterAll(async () => {
    const [left] = await server.sql()`select from pg_roles where rolname = ${access.readerRole}`;
    if (left === undefined) return;
    for (const role of [...Object.values(access.roles), access.readerRole, access.migratorRole])
      await server.sql().unsafe(`DROP OWNED BY ${ident(role)} CASCADE; DROP ROLE ${ident(role)}`);
  });

  it("gives lookups and materialized views to the reader, and is not its member afterwards", async () => {
    const sql = await asOwner();
    const report = await apply(sql, planInstall(definition));
    expect(report.outcome, JSON.stringify(report)).toBe("applied");
    const owned = await toExecutor(sql).query(`
      SELECT relname AS name FROM pg_catalog.pg_class WHERE relowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ${literal(access.readerRole)}) AND relkind = 'm'
      UNION ALL SELECT proname FROM pg_catalog.pg_proc WHERE proowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ${literal(access.readerRole)}) ORDER BY name`);
    expect(owned).toEqual(
      ["assigned_ids", "children_ids", "refresh_totals", "totals"].map((name) => ({ name })),
    );
    expect(
      await toExecutor(sql).query(`
        SELECT pg_has_role(${literal(access.readerRole)}, 'USAGE') AS uses, has_schema_privilege(${literal(access.readerRole)}, ${literal(ident(schema))}::regnamespace::oid, 'CREATE') AS makes`),
    ).toEqual([{ uses: false, makes: false }]);
  });

  it("makes again what the reader owns", async () => {
    const sql = await asOwner();
    const owned = objectsFor(access, Object.values(definition.tables)).filter(({ create }) =>
      create.includes("underpin.borrowed_role"),
    );
    expect(owned.length).toBeGreaterThan(3);
    for (const { create } of owned) await sql.begin((tx) => tx.unsafe(create));
  });

  it("refreshes a materialized view without being its owner", async () => {
    const sql = await asOwner();
    await sql.unsafe(`SELECT ${qualified(schema, "refresh_totals")}()`);
    // The naive form: who owns the tables is not who owns the view.
    await expect(
      sql.unsafe(`REFRESH MATERIALIZED VIEW ${qualified(schema, "totals")}`),
    ).rejects.toMatchObject({ code: "42501" });
  });

  it("is taken away by the same login", async () => {
    const sql = await asOwner();
    const report = await apply(sql, planUninstall(definition));
    expect(report.outcome, JSON.stringify(report)).toBe("applied");
  });
});
