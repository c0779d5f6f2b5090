import { eq, sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { isUnderpinError } from "../../src/errors.ts";
import { withTenant, type TenantDatabase } from "../../src/rls/index.ts";
import { onEngines } from "../support/server.ts";
import { driversOf, EverybodysCache, loginOf, rowsOf, type Db } from "./drivers.ts";
import { installedSchool } from "./installed-school.ts";
import { A, B } from "./school.ts";

onEngines("a tenant's transaction", (engine) => {
  // Drizzle 0.44 does not double the quotes in a name.
  const { access, users, grades } = installedSchool(engine, "weird Schema");
  const login = loginOf(engine, Object.values(access.roles));
  const student = { access, persona: "student", tenant: A.tenant, user: A.student } as const;
  const admin = { access, persona: "admin", tenant: A.tenant, user: A.admin } as const;

  for (const [driver, open] of Object.entries(driversOf(engine, login)))
    describe(`over ${driver}`, () => {
      const own = <T>(work: (db: Db) => Promise<T>): Promise<T> => open().then(work);
      const errorOf = (work: Promise<unknown>) =>
        work.then(
          () => Promise.reject(new Error("it was allowed")),
          (error: unknown) => rootOf(error),
        );

      it("shows a persona its rows, and leaves nothing on the connection", () =>
        own(async (db) => {
          const who = async (handle: Pick<Db, "execute">) =>
            rowsOf(
              await handle.execute(
                sql`select current_user = session_user as itself, coalesce(current_setting('app.tenant_id', true), '') as tenant`,
              ),
            );
          expect(
            await withTenant(db, student, async (tx) => {
              expect(await tx.select().from(users)).toMatchObject([{ id: A.student }]);
              return who(tx);
            }),
          ).toEqual([{ itself: false, tenant: A.tenant }]);
          expect(await who(db)).toEqual([{ itself: true, tenant: "" }]);
        }));

      it("commits what was written and rolls back what failed", () =>
        own(async (db) => {
          const name = (value: string, fails = false) =>
            withTenant(db, admin, async (tx) => {
              await tx.update(users).set({ name: value }).where(eq(users.id, A.other));
              if (fails) throw new Error("on purpose");
            });
          await name("kept");
          await expect(name("lost", true)).rejects.toThrow("on purpose");
          await withTenant(db, admin, async (tx) => {
            const rows = await tx.select().from(users).where(eq(users.id, A.other));
            expect(rows).toMatchObject([{ name: "kept" }]);
          });
        }));

      it("stops with its transaction: the handle, builders made of it, prepared queries, savepoints", () =>
        own(async (db) => {
          const kept = await withTenant(db, student, async (tx) => {
            const prepared = tx.select().from(users).prepare("kept_query");
            expect(await prepared.execute()).toHaveLength(1);
            const savepoint = await tx.transaction((inner) => Promise.resolve(inner));
            const builder = tx.select().from(users);
            const uses: readonly (() => PromiseLike<unknown>)[] = [
              () => tx.select().from(users),
              () => builder,
              () => prepared.execute(),
              () => tx.execute(sql`select 1`),
              () => tx.insert(users).values({ tenantId: A.tenant, name: "late" }),
              () => savepoint.select().from(users),
              () => tx.transaction((inner) => inner.select().from(users)),
            ];
            return uses;
          });
          for (const use of kept)
            expect(await errorOf(Promise.resolve().then(() => use()))).toMatchObject({
              code: "invalidInput",
              message: expect.stringContaining("which is over") as unknown,
            });
        }));

      it("refuses a wrong context before it takes a connection, and names the field and the value", async () => {
        let begun = 0;
        const never: TenantDatabase = {
          transaction: () => {
            begun += 1;
            return Promise.resolve();
          },
        };
        const refusals = [
          [{ ...student, tenant: "" }, "tenant of the context is empty"],
          [{ ...student, tenant: "O'Brien" }, 'tenant of the context is not a uuid: "O\'Brien"'],
          [{ ...student, tenant: 2 ** 53 }, "tenant of the context is a number that is not exact"],
          [{ ...student, user: 1.5 }, "user of the context is a number that is not exact: 1.5"],
          [{ ...student, user: undefined as never }, "user of the context is missing"],
          [{ ...student, user: `${A.student}\n` }, "user of the context is not a uuid"],
          [
            { ...student, persona: "root" as never },
            "persona of the context is not one of student",
          ],
          [{ ...student, persona: "toString" as never }, "persona of the context is not one of"],
          [{ ...student, claims: {} }, "claims of the context is only for the target supabase"],
          [
            { ...student, claims: { n: 1n } },
            'claims of the context is only for the target supabase: ["n"]',
          ],
        ] as const;
        for (const [context, message] of refusals)
          expect(await errorOf(withTenant(never, context, () => Promise.resolve()))).toMatchObject({
            code: "invalidInput",
            message: expect.stringContaining(message) as unknown,
          });
        expect(begun).toBe(0);
      });

      it("makes a savepoint of a nested use, and restores what was changed in it", () =>
        own(async (db) => {
          await withTenant(db, admin, async (tx) => {
            await withTenant(tx, admin, async (inner) => {
              await inner.update(users).set({ name: "nested" }).where(eq(users.id, A.other));
              await inner.execute(sql`select set_config('app.tenant_id', ${B.tenant}, true)`);
            });
            await expect(
              withTenant(tx, admin, async (inner) => {
                await inner.update(users).set({ name: "undone" }).where(eq(users.id, A.other));
                throw new Error("on purpose");
              }),
            ).rejects.toThrow("on purpose");
            const rows = await tx.select().from(users).where(eq(users.id, A.other));
            expect(rows).toMatchObject([{ tenantId: A.tenant, name: "nested" }]);
          });
        }));

      it("refuses to widen a context from within, also through a savepoint of Drizzle's own", () =>
        own(async (db) => {
          for (const [field, context] of Object.entries({
            tenant: { ...student, tenant: B.tenant },
            persona: { ...student, persona: "admin" },
            user: { ...student, user: A.other },
          } as const)) {
            const wider = (tx: Parameters<Parameters<Db["transaction"]>[0]>[0]) =>
              withTenant(tx, context, () => Promise.resolve());
            for (const inside of [wider, (tx: typeof db) => tx.transaction(wider)] as const)
              expect(
                await errorOf(withTenant(db, student, (tx) => inside(tx as never))),
              ).toMatchObject({
                code: "invalidInput",
                message: expect.stringContaining(`asks for ${field}`) as unknown,
                hint: expect.stringContaining("never widened") as unknown,
              });
          }
        }));

      it("refuses a transaction that somebody else began", () =>
        own(async (db) => {
          expect(
            await errorOf(db.transaction((tx) => withTenant(tx, student, () => Promise.resolve()))),
          ).toMatchObject({ code: "invalidInput" });
        }));

      it("says so when a failed statement was caught and nothing could be committed", () =>
        own(async (db) => {
          await expect(
            withTenant(db, admin, async (tx) => {
              await tx.execute(sql`select 1/0`).catch(() => undefined);
            }),
          ).rejects.toThrow();
          await withTenant(db, admin, async (tx) => {
            await tx.transaction((inner) => inner.execute(sql`select 1/0`)).catch(() => undefined);
            expect(await tx.select().from(grades)).toHaveLength(2);
          });
        }));

      it("takes hostile text as data", () =>
        own(async (db) => {
          const name = "O'Brien'; reset role; --\\";
          await withTenant(db, admin, async (tx) => {
            await tx.update(users).set({ name }).where(eq(users.id, A.other));
            expect(await tx.select().from(users).where(eq(users.name, name))).toHaveLength(1);
          });
        }));

      it("gives every connection back", () =>
        own(async (db) => {
          const rounds = Array.from({ length: 20 }, (_, n) =>
            withTenant(db, n % 2 === 0 ? student : admin, async (tx) => {
              if (n % 5 === 0) throw new Error("on purpose");
              return (await tx.select().from(users)).length;
            }).catch(() => undefined),
          );
          expect(await Promise.all(rounds)).toEqual(
            Array.from({ length: 20 }, (_, n) => (n % 5 === 0 ? undefined : n % 2 === 0 ? 1 : 5)),
          );
        }));

      it("leaves Drizzle's cache out, which does not know tenants", () =>
        own(async () => {
          const db = await open(new EverybodysCache());
          const idsOf = (context: typeof student | typeof admin) =>
            withTenant(db, context, async (tx) => (await tx.select().from(users)).length);
          expect(await idsOf(admin)).toBe(5);
          expect(await idsOf(student)).toBe(1);
          // The naive form: the same query of another persona is answered from the cache.
          const bare = (persona: "admin" | "student") =>
            db.transaction(async (tx) => {
              const { role } = { role: access.roles[persona] };
              await tx.execute(
                sql.raw(
                  `select set_config('role', '${role}', true), set_config('app.tenant_id', '${A.tenant}', true), set_config('app.user_id', '${A[persona]}', true)`,
                ),
              );
              return (await tx.select().from(users)).length;
            });
          expect(await bare("admin")).toBe(5);
          expect(await bare("student")).toBe(5);
        }));
    });
});

/** What underpin threw, under what Drizzle put around it. */
function rootOf(error: unknown): unknown {
  for (let at = error; at !== undefined; at = (at as { cause?: unknown }).cause)
    if (isUnderpinError(at)) return at;
  return error;
}
