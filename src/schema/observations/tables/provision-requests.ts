import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { moment, ofCompany } from "../columns.ts";

/**
 * Programs and sites whose partitions are still to be made.
 *
 * A trigger files them and a worker makes the partitions: made in the transaction that writes the site, 9 of 20 concurrent
 * inserts deadlocked (15).
 */
export function provisionRequestsTable<S extends string>({ space, access }: Place<S>) {
  return space
    .table(
      "provision_requests",
      {
        companyId: ofCompany(),
        requestId: uuid("request_id").notNull().defaultRandom(),
        programId: text("program_id").notNull(),
        /** NULL for all sites of the program. */
        siteId: text("site_id"),
        requestedAt: moment("requested_at").notNull().defaultNow(),
        doneAt: moment("done_at"),
        attempts: integer("attempts").notNull().default(0),
        lastError: text("last_error"),
      },
      (t) => [
        primaryKey({ name: "provision_requests_pkey", columns: [t.companyId, t.requestId] }),
        index("provision_requests_open_idx")
          .on(t.requestedAt)
          .where(sql`done_at IS NULL`),
        check("provision_requests_attempts_counted", sql`attempts >= 0`),
        ...access.rules(t, { select: { admin: tenant }, insert: { admin: tenant } }),
      ],
    )
    .enableRLS();
}

/** The table of {@link provisionRequestsTable}. */
export type ProvisionRequests = ReturnType<typeof provisionRequestsTable>;
