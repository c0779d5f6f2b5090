import type { PGlite } from "@electric-sql/pglite";
import { sql } from "drizzle-orm";
import { pgSchema, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { authStandIn, defineAccess, own, tenant, withTenant } from "../../src/rls/index.ts";
import { apply } from "../../src/run/apply.ts";
import { asPersona } from "../../src/testing/index.ts";
import { onEngines } from "../support/server.ts";
import { A, B } from "./school.ts";

const space = pgSchema("notes_of_supabase");
const access = defineAccess({
  schema: "notes_of_supabase",
  target: "supabase",
  tenantColumn: "tenantId",
  personas: ["writer", "editor"],
  rolePrefix: "rls_supabase",
  migratorRole: "rls_supabase_migrator",
});
const notes = space
  .table(
    "notes",
    {
      tenantId: uuid("tenant_id").notNull(),
      id: uuid("id").notNull().defaultRandom(),
      writerId: uuid("writer_id").notNull(),
      body: text("body").notNull(),
    },
    (t) => [
      primaryKey({ name: "notes_pk", columns: [t.tenantId, t.id] }),
      access.rules(t, {
        select: { writer: own("writerId"), editor: tenant },
        insert: { writer: own("writerId") },
        update: { editor: tenant },
      }),
    ],
  )
  .enableRLS();
const definition = defineDatabase({
  name: "notes",
  tables: { space, notes },
  objects: authStandIn(),
  access,
});

onEngines("an access for Supabase, on a PostgreSQL without it", (engine) => {
  const open = () =>
    engine.server === undefined
      ? drizzlePglite(engine.db() as PGlite)
      : (drizzlePostgresJs(engine.db() as Sql) as unknown as ReturnType<typeof drizzlePglite>);
  const writer = { access, persona: "writer", tenant: A.tenant, user: A.student } as const;
  beforeAll(async () => {
    const report = await apply(engine.db(), planInstall(definition));
    expect(report.outcome, JSON.stringify(report)).toBe("applied");
    await open()
      .insert(notes)
      .values([
        { tenantId: A.tenant, writerId: A.student, body: "mine" },
        { tenantId: A.tenant, writerId: A.other, body: "another's" },
        { tenantId: B.tenant, writerId: A.student, body: "of another tenant" },
      ]);
  });
  afterAll(async () => {
    await apply(engine.db(), planUninstall(definition));
    // The three roles stay: they belong to the cluster, and other files may use them at this moment.
  });

  it("has one permissive policy for each command, which asks the token for the persona", async () => {
    const seen = await asPersona(open(), writer, (tx) => tx.select().from(notes));
    expect(seen.map(({ body }) => body)).toEqual(["mine"]);
    const editor = { ...writer, persona: "editor" } as const;
    expect(await asPersona(open(), editor, (tx) => tx.select().from(notes))).toHaveLength(2);
    await expect(
      asPersona(open(), editor, (tx) =>
        tx.insert(notes).values({ tenantId: A.tenant, writerId: A.student, body: "x" }),
      ),
    ).rejects.toMatchObject({ cause: { code: "42501" } });
  });

  it("takes claims as data, and lets none of them stand for the context", async () => {
    const claims = {
      name: `O'Brien"; reset role; --`,
      sub: A.other,
      role: "service_role",
      app_metadata: { tenant_id: B.tenant, persona: "editor", plan: "gold" },
    };
    const result = await withTenant(open(), { ...writer, claims }, async (tx) => {
      expect(await tx.select().from(notes)).toHaveLength(1);
      const read = await tx.execute(
        sql`select auth.jwt() ->> 'name' as name, auth.uid() as uid, auth.role() as role, auth.jwt() -> 'app_metadata' ->> 'plan' as plan`,
      );
      return (Array.isArray(read) ? read : (read as { rows: unknown[] }).rows) as unknown[];
    });
    expect({ ...(result[0] as object) }).toEqual({
      name: claims.name,
      uid: A.student,
      role: "authenticated",
      plan: "gold",
    });
  });

  it("refuses other claims from within, since policies by hand may ask for them", async () => {
    const claims = { plan: "free" };
    const nested = (inner: Record<string, unknown> | undefined) =>
      withTenant(open(), { ...writer, claims }, (tx) =>
        withTenant(
          tx,
          { ...writer, ...(inner === undefined ? {} : { claims: inner }) },
          (savepoint) => savepoint.select().from(notes),
        ),
      );
    expect(await nested({ plan: "free" })).toHaveLength(1);
    for (const other of [{ plan: "gold" }, { ...claims, admin: true }, undefined])
      await expect(nested(other)).rejects.toMatchObject({
        code: "invalidInput",
        message: expect.stringContaining("asks for other claims") as unknown,
        hint: expect.stringContaining("never widened") as unknown,
      });
  });

  it("refuses claims that JSON or PostgreSQL cannot hold, by name and before it takes a connection", async () => {
    const circle: Record<string, unknown> = {};
    circle["again"] = circle;
    for (const [claims, at, why] of [
      [{ amount: 1n }, "amount", "BigInt"],
      [{ deep: { circle } }, "again", "circular"],
      [{ name: "a\0b" }, "name", "a NUL character"],
      [{ list: ["a", "\0"] }, "1", "a NUL character"],
      [{ "a\0": 1 }, "a\0", "a NUL character"],
      [{ name: "\ud83d" }, "name", "half of a surrogate pair"],
      [{ app_metadata: { plan: { toJSON: () => 1n } } }, "plan", "BigInt"],
    ] as const)
      await expect(
        withTenant(open(), { ...writer, claims }, (tx) => tx.select().from(notes)),
        at,
      ).rejects.toMatchObject({
        code: "invalidInput",
        message: expect.stringMatching(
          new RegExp(
            `^claims of the context .* at ${JSON.stringify(at).replace("\\", "\\\\")}: .*${why}`,
          ),
        ) as unknown,
      });
    const claims = { name: "\\u0000 😀 \u0001" };
    expect(
      await withTenant(open(), { ...writer, claims }, (tx) => tx.select().from(notes)),
    ).toHaveLength(1);
  });

  it("refuses a token without tenant or with a persona that is none", async () => {
    for (const [claims, constraint] of [
      ["", "rls_context_empty"],
      ["not json", "rls_context_malformed"],
      ["{}", "rls_context_missing"],
      [`{"app_metadata":{"tenant_id":""}}`, "rls_context_empty"],
      [`{"app_metadata":{"tenant_id":"${A.tenant}","persona":"root"}}`, "rls_context_malformed"],
    ] as const)
      await expect(
        engine.executor().transaction(async (tx) => {
          await tx.query(
            `SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', '${claims}', true)`,
          );
          await tx.query(`SELECT * FROM notes_of_supabase.notes`);
        }),
      ).rejects.toSatisfy((error: unknown) => JSON.stringify(fieldsOf(error)).includes(constraint));
  });

  it("takes default privileges back from the roles that the API uses", async () => {
    expect(
      await engine.executor().query(`
        SELECT DISTINCT a.privilege_type AS may FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
        WHERE c.oid = 'notes_of_supabase.notes'::regclass AND a.grantee IN (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated'))
        ORDER BY 1`),
    ).toEqual([{ may: "INSERT" }, { may: "SELECT" }, { may: "UPDATE" }]);
  });
});

/** All that an error and its causes carry. */
function fieldsOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return error;
  return { ...error, cause: fieldsOf((error as { cause?: unknown }).cause) };
}
