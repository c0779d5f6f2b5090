import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  unique,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isObject, isOneOf, moment, writtenAt } from "../columns.ts";
import { SUBSCRIPTION_TIERS } from "../words.ts";

/**
 * The tenants. `name` and `slug` are unique among all of them, which tells nobody anything that a sign-in page does not: both are
 * public, and no persona may write them (a trigger refuses it before the index is asked).
 */
export function organizationsTable({ space, access }: Place) {
  return space
    .table(
      "organizations",
      {
        id: uuid("id").notNull().defaultRandom(),
        name: varchar("name", { length: 255 }).notNull(),
        domain: varchar("domain", { length: 255 }),
        slug: varchar("slug", { length: 100 }).notNull(),
        description: text("description"),
        settings: jsonb("settings").$type<Record<string, unknown>>().notNull().default({}),
        ...writtenAt(),
        isActive: boolean("is_active").notNull().default(true),
        subscriptionTier: varchar("subscription_tier", { length: 50, enum: SUBSCRIPTION_TIERS })
          .notNull()
          .default("free"),
        subscriptionExpiresAt: moment("subscription_expires_at"),
        maxUsers: integer("max_users").notNull().default(10),
        maxReports: integer("max_reports").notNull().default(100),
        storageLimitGb: integer("storage_limit_gb").notNull().default(5),
      },
      (t) => [
        primaryKey({ name: "organizations_pkey", columns: [t.id] }),
        unique("organizations_name_key").on(t.name),
        unique("organizations_slug_key").on(t.slug),
        // Which organization a mail domain signs in to.
        index("organizations_domain_idx").on(t.domain),
        check("valid_subscription_tier", isOneOf("subscription_tier", SUBSCRIPTION_TIERS)),
        // Not `~*`, for which `ACME` is a slug too, beside `acme`.
        check("valid_slug", sql`slug ~ '^[a-z0-9-]{3,50}$'`),
        check("valid_domain", sql`domain ~ '^[a-zA-Z0-9.-]+[.][a-zA-Z]{2,}$'`),
        check("valid_settings", isObject("settings")),
        check("valid_limits", sql`max_users >= 0 AND max_reports >= 0 AND storage_limit_gb >= 0`),
        ...access.rules(t, {
          tenantColumn: "id",
          globalKeys: {
            organizations_name_key: "public, and no persona may write it",
            organizations_slug_key: "public, and no persona may write it",
          },
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: tenant,
            user: tenant,
          },
          update: { org_admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link organizationsTable}. */
export type Organizations = ReturnType<typeof organizationsTable>;
