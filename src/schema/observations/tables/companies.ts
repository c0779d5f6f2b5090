import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isOneOf, ofCompany, writtenAt } from "../columns.ts";
import { COMPANY_STATUSES, ROLES } from "../words.ts";

const READ = { admin: tenant, operator: tenant, viewer: tenant } as const;

/** The tenants. */
export function companiesTable<S extends string>({ space, access }: Place<S>) {
  return space
    .table(
      "companies",
      {
        companyId: uuid("company_id").notNull().defaultRandom(),
        name: text("name").notNull(),
        status: text("status", { enum: COMPANY_STATUSES }).notNull().default("active"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "companies_pkey", columns: [t.companyId] }),
        check("companies_name_filled", sql`length(btrim(name)) > 0`),
        check("companies_status_known", isOneOf("status", COMPANY_STATUSES)),
        ...access.rules(t, { select: READ, update: { admin: tenant } }),
      ],
    )
    .enableRLS();
}

/** The table of {@link companiesTable}. */
export type Companies = ReturnType<typeof companiesTable>;

/**
 * Who works in a company. `id` is that of the sign-in (`auth.uid()`); somebody who works in two companies has two rows.
 *
 * E-mail addresses are unique within a company and not beyond it: else a failed INSERT would tell one company whom another one knows.
 */
export function usersTable<S extends string>(
  { space, access }: Place<S>,
  { companies }: { readonly companies: Companies },
) {
  return space
    .table(
      "users",
      {
        companyId: ofCompany(),
        id: uuid("id").notNull(),
        email: text("email").notNull(),
        displayName: text("display_name").notNull(),
        role: text("role", { enum: ROLES }).notNull().default("viewer"),
        isActive: boolean("is_active").notNull().default(true),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "users_pkey", columns: [t.companyId, t.id] }),
        foreignKey({
          name: "users_company_fkey",
          columns: [t.companyId],
          foreignColumns: [companies.companyId],
        }),
        uniqueIndex("users_email_key").on(t.companyId, sql`lower(email)`),
        check(
          "users_email_formed",
          sql`email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'`,
        ),
        check("users_role_known", isOneOf("role", ROLES)),
        ...access.rules(t, {
          select: READ,
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link usersTable}. */
export type Users = ReturnType<typeof usersTable>;
