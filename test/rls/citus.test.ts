import type { PGlite } from "@electric-sql/pglite";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { withTenant } from "../../src/rls/index.ts";
import { onEngines } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";
import { A } from "./school.ts";

/** PostgreSQL without Citus takes the same text: what is shown here is that it means the same. */
onEngines("an access for Citus", (engine) => {
  const { access, users } = installedSchool(engine, 'we"ird Schema', "citus");
  const db = () =>
    engine.server === undefined
      ? drizzlePglite(engine.db() as PGlite)
      : (drizzlePostgresJs(engine.db() as Sql) as unknown as ReturnType<typeof drizzlePglite>);
  const idsOf = (persona: "student" | "teacher" | "parent" | "admin") =>
    withTenant(db(), { access, persona, tenant: A.tenant, user: A[persona] }, async (tx) =>
      (await tx.select({ id: users.id }).from(users)).map(({ id }) => id).sort(),
    );

  it("shows each persona the same rows, with lookups asked once when the context is set", async () => {
    expect(await idsOf("student")).toEqual([A.student]);
    expect(await idsOf("teacher")).toEqual([A.student, A.teacher]);
    expect(await idsOf("parent")).toEqual([A.student, A.parent]);
    expect(await idsOf("admin")).toHaveLength(5);
  });
});
