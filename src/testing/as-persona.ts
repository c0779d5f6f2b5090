import { guardOf } from "../rls/guarded-client.ts";
import type { TenantContext } from "../rls/tenant-context.ts";
import { isTransaction } from "../rls/run-in-context.ts";
import {
  withTenant,
  withTenantInside,
  type TenantDatabase,
  type TenantTransaction,
} from "../rls/with-tenant.ts";

/**
 * Runs `work` as a persona, as `withTenant` does, and takes everything back. It returns what the work returned.
 *
 * It may stand in a transaction that the test began as somebody else, with rows of its own: that one goes on as who it was. PGlite's own user is a superuser,
 * whom no policy binds, so that a test without a persona proves nothing.
 *
 * @example
 * import { eq } from "drizzle-orm";
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { apply, defineDatabase, planInstall } from "underpin";
 * import { defineAccess, own } from "underpin/rls";
 * import { asPersona, createTestDatabase } from "underpin/testing";
 *
 * const access = defineAccess({ schema: "diary", tenantColumn: "tenantId", personas: ["writer"] });
 * const pages = pgTable(
 *   "pages",
 *   { tenantId: uuid("tenant_id").notNull(), writerId: uuid("writer_id").notNull() },
 *   (t) => access.rules(t, { select: { writer: own("writerId") } }),
 * );
 * const test = await createTestDatabase();
 * await apply(test.db, planInstall(defineDatabase({ name: "diary", tables: { pages }, access })));
 * const [tenantId, writerId, other] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
 * await test.rolledBack(async (db) => {
 *   await db.insert(pages).values([{ tenantId, writerId }, { tenantId, writerId: other }]);
 *   const context = { access, persona: "writer", tenant: tenantId, user: writerId } as const;
 *   const seen = await asPersona(db, context, (tx) => tx.select().from(pages));
 *   console.log(seen.length); // 1
 * });
 * await test.close();
 */
export async function asPersona<DB extends TenantDatabase, const P extends string, T>(
  db: DB,
  context: TenantContext<P>,
  work: (transaction: TenantTransaction<DB>) => Promise<T>,
): Promise<T> {
  const takeBack = new Error("taken back, as asked");
  const finished: { readonly result: T }[] = [];
  const run = async (transaction: TenantTransaction<DB>): Promise<never> => {
    finished.push({ result: await work(transaction) });
    throw takeBack;
  };
  const handle: unknown = db;
  try {
    if (isTransaction(handle) && guardOf(handle.session.client) === undefined)
      await withTenantInside(handle, context, (inner) => run(inner as never));
    else await withTenant(db, context, run);
  } catch (error) {
    if (error !== takeBack) throw error;
  }
  const [only] = finished;
  if (only === undefined) throw new Error("the transaction ended before its work");
  return only.result;
}
