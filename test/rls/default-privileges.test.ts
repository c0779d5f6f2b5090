import { afterAll, beforeAll, expect, it } from "vitest";
import { pgSchema, primaryKey, uuid } from "drizzle-orm/pg-core";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { defineDatabase, pgGrant } from "../../src/index.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { defineAccess, tenant } from "../../src/rls/index.ts";
import { apply } from "../../src/run/apply.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import { shop } from "../install/shop.ts";
import { onEngines, type TestEngine } from "../support/server.ts";

onEngines("default privileges of the host", (engine) => {
  let reports = "";
  beforeAll(async () => {
    reports = await hostRole(engine);
    for (const on of ["SELECT ON TABLES", "EXECUTE ON FUNCTIONS"])
      await engine.executor().query(`ALTER DEFAULT PRIVILEGES GRANT ${on} TO ${ident(reports)}`);
  });
  afterAll(async () => {
    for (const on of ["SELECT ON TABLES", "EXECUTE ON FUNCTIONS"])
      await engine.executor().query(`ALTER DEFAULT PRIVILEGES REVOKE ${on} FROM ${ident(reports)}`);
  });
  const look = async () => canonical(await readFacts(engine.db()), { leaveOut: ["underpin"] });

  it("give nobody a table, a view, a materialized view, or a function with its owner's rights", async () => {
    const schema = 'we"ird $body$ Schema';
    const definition = shop(schema, "defaults_shop");
    const before = await look();
    const report = await apply(engine.db(), planInstall(definition));
    expect(report.outcome, JSON.stringify(report)).toBe("applied");
    const given = await engine.executor().query(`
      SELECT o.name FROM (
        SELECT relname::text AS name, relacl AS acl FROM pg_catalog.pg_class
        WHERE relnamespace = ${literal(ident(schema))}::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        UNION ALL SELECT proname::text, proacl FROM pg_catalog.pg_proc
        WHERE pronamespace = ${literal(ident(schema))}::regnamespace AND prosecdef) AS o,
        pg_catalog.aclexplode(o.acl) AS a
      WHERE a.grantee IN (0, ${literal(ident(reports))}::regrole) ORDER BY 1`);
    expect(given).toEqual([]);
    const isShared = (object: string) => object.startsWith(`privileges of ${ident(reports)} `);
    // A function with the caller's rights shows its caller nothing more: verify tells of it, and the host decides.
    expect(
      (await verify(engine.db(), definition)).filter(({ object }) => !isShared(object)),
    ).toEqual([]);
    const gone = await apply(engine.db(), planUninstall(definition));
    expect(gone.outcome, JSON.stringify(gone)).toBe("applied");
    expect(compareCatalogs(before, await look())).toEqual([]);
  });

  it("are taken back before a grant that the definition declares, which stays", async () => {
    const space = pgSchema("declared_grants");
    const access = defineAccess({
      schema: "declared_grants",
      tenantColumn: "tenantId",
      personas: ["writer"],
      rolePrefix: "declared_grants",
      migratorRole: "declared_grants_migrator",
    });
    const notes = space
      .table("notes", { tenantId: uuid("tenant_id").notNull(), id: uuid("id").notNull() }, (t) => [
        primaryKey({ name: "notes_pk", columns: [t.tenantId, t.id] }),
        ...access.rules(t, { select: { writer: tenant } }),
      ])
      .enableRLS();
    const definition = defineDatabase({
      name: "declared grants",
      tables: { space, notes },
      objects: [pgGrant({ table: notes, to: reports, privileges: ["insert"] })],
      access,
    });
    const report = await apply(engine.db(), planInstall(definition));
    expect(report.outcome, JSON.stringify(report)).toBe("applied");
    expect(
      await engine.executor().query(`
        SELECT privilege_type AS may FROM pg_catalog.pg_class, pg_catalog.aclexplode(relacl) AS a
        WHERE oid = 'declared_grants.notes'::regclass AND a.grantee = ${literal(ident(reports))}::regrole`),
    ).toEqual([{ may: "INSERT" }]);
    await apply(engine.db(), planUninstall(definition));
  });
});

/** A role of the host that reads what is in the public domain. */
async function hostRole(engine: TestEngine): Promise<string> {
  if (engine.server !== undefined) return engine.server.role("reports", { login: false });
  await engine.executor().query('CREATE ROLE "Reports of the ""host""" NOLOGIN');
  return 'Reports of the "host"';
}
