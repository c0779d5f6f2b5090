import type { PGlite } from "@electric-sql/pglite";
import { sql } from "drizzle-orm";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { asPersona } from "../../src/testing/index.ts";
import { onEngines } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";
import { A } from "./school.ts";

onEngines("a test as a persona", (engine) => {
  const { access, users } = installedSchool(engine);
  const open = () =>
    engine.server === undefined
      ? drizzlePglite(engine.db() as PGlite)
      : (drizzlePostgresJs(engine.db() as Sql) as unknown as ReturnType<typeof drizzlePglite>);
  const admin = { access, persona: "admin", tenant: A.tenant, user: A.admin } as const;
  const student = { access, persona: "student", tenant: A.tenant, user: A.student } as const;

  it("is taken back, and returns what it saw", async () => {
    const db = open();
    const seen = await asPersona(db, admin, async (tx) => {
      await tx
        .delete(users)
        .where(sql`name = 'other'`)
        .catch(() => undefined);
      await tx
        .insert(users)
        .values({ tenantId: A.tenant, name: "new" })
        .catch(() => undefined);
      return "seen";
    });
    expect(seen).toBe("seen");
    expect(await asPersona(db, admin, (tx) => tx.select().from(users))).toHaveLength(5);
  });

  it("lets the test's own transaction go on as who it was, after a refusal too", async () => {
    await open()
      .transaction(async (tx) => {
        await tx.insert(users).values({ tenantId: A.tenant, name: "of the test" });
        expect(await asPersona(tx, student, (as) => as.select().from(users))).toHaveLength(1);
        await asPersona(tx, student, async (as) => {
          await expect(
            as.insert(users).values({ tenantId: A.tenant, name: "refused" }),
          ).rejects.toMatchObject({ cause: { code: "42501" } });
        });
        expect(await asPersona(tx, admin, (as) => as.select().from(users))).toHaveLength(6);
        expect(await tx.select().from(users)).toHaveLength(11);
        throw new Error("the test is over");
      })
      .catch((error: unknown) => {
        expect(error).toMatchObject({ message: "the test is over" });
      });
  });

  it("fails with what its work throws", async () => {
    await expect(
      asPersona(open(), admin, () => Promise.reject(new Error("on purpose"))),
    ).rejects.toThrow("on purpose");
  });
});
