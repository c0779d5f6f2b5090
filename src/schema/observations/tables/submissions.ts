import {
  check,
  foreignKey,
  index,
  numeric,
  primaryKey,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { own, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isOneOf, moment, ofCompany, ofSite, within, writtenAt } from "../columns.ts";
import { SUBMISSION_STATUSES } from "../words.ts";
import type { Users } from "./companies.ts";
import type { Sites } from "./programs.ts";

/** One visit of one person to one site: what its observations belong to. */
export function submissionsTable<S extends string>(
  { space, access }: Place<S>,
  { users, sites }: { readonly users: Users; readonly sites: Sites },
) {
  return space
    .table(
      "submissions",
      {
        companyId: ofCompany(),
        submissionId: uuid("submission_id").notNull().defaultRandom(),
        ...ofSite(),
        submittedBy: uuid("submitted_by").notNull(),
        status: text("status", { enum: SUBMISSION_STATUSES }).notNull().default("draft"),
        submittedAt: moment("submitted_at"),
        temperatureC: numeric("temperature_c", { precision: 5, scale: 2 }),
        humidityPercent: numeric("humidity_percent", { precision: 5, scale: 2 }),
        notes: text("notes"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "submissions_pkey", columns: [t.companyId, t.submissionId] }),
        // What observations point to: one key that says that site, program and company are those of the submission.
        unique("submissions_place_key").on(t.companyId, t.submissionId, t.programId, t.siteId),
        foreignKey({
          name: "submissions_site_fkey",
          columns: [t.companyId, t.programId, t.siteId],
          foreignColumns: [sites.companyId, sites.programId, sites.siteId],
        }),
        foreignKey({
          name: "submissions_submitted_by_fkey",
          columns: [t.companyId, t.submittedBy],
          foreignColumns: [users.companyId, users.id],
        }),
        index("submissions_site_idx").on(t.companyId, t.programId, t.siteId, t.createdAt),
        index("submissions_submitted_by_idx").on(t.companyId, t.submittedBy, t.createdAt),
        check("submissions_status_known", isOneOf("status", SUBMISSION_STATUSES)),
        check(
          "submissions_submitted_when_not_draft",
          sql`status = 'draft' OR submitted_at IS NOT NULL`,
        ),
        check("submissions_temperature_c_real", within(["temperature_c"], -90, 90)),
        check("submissions_humidity_percent_real", within(["humidity_percent"], 0, 100)),
        ...access.rules(t, {
          select: { admin: tenant, operator: tenant, viewer: tenant },
          insert: { admin: tenant, operator: own("submittedBy") },
          update: { admin: tenant, operator: own("submittedBy") },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link submissionsTable}. */
export type Submissions = ReturnType<typeof submissionsTable>;
