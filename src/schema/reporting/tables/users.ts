import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  index,
  inet,
  jsonb,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { own, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isObject, isOneOf, moment, ofOrganization, rowId, writtenAt } from "../columns.ts";
import { USER_ROLES } from "../words.ts";
import type { Organizations } from "./organizations.ts";

/** Among whom an e-mail address and a user name are taken once. */
export type LoginScope = "organization" | "everywhere";

/**
 * The accounts. An address is one account in whatever letters it is written.
 *
 * What they sign in with is in {@link userCredentialsTable}: whoever may see a colleague would see it here.
 *
 * Within an organization, unless the host says otherwise: a key across organizations tells an administrator of one who has an account in
 * another. Who signs in by address alone needs that, and takes it knowingly.
 */
export function usersTable(
  { space, access }: Place,
  { organizations, loginScope }: { organizations: Organizations; loginScope: LoginScope },
) {
  const isGlobal = loginScope === "everywhere";
  return space
    .table(
      "users",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        email: varchar("email", { length: 255 }).notNull(),
        username: varchar("username", { length: 100 }).notNull(),
        firstName: varchar("first_name", { length: 100 }).notNull(),
        lastName: varchar("last_name", { length: 100 }).notNull(),
        role: varchar("role", { length: 50, enum: USER_ROLES }).notNull().default("user"),
        preferences: jsonb("preferences").$type<Record<string, unknown>>().notNull().default({}),
        ...writtenAt(),
        isActive: boolean("is_active").notNull().default(true),
        lastLogin: moment("last_login"),
        emailVerified: boolean("email_verified").notNull().default(false),
        phone: varchar("phone", { length: 20 }),
        timezone: varchar("timezone", { length: 50 }).notNull().default("UTC"),
        language: varchar("language", { length: 10 }).notNull().default("en"),
      },
      (t) => [
        primaryKey({ name: "users_pkey", columns: [t.organizationId, t.id] }),
        foreignKey({
          name: "users_organization_fk",
          columns: [t.organizationId],
          foreignColumns: [organizations.id],
        }).onDelete("cascade"),
        ...(isGlobal
          ? [
              uniqueIndex("users_email_key").on(sql`lower(email)`),
              uniqueIndex("users_username_key").on(sql`lower(username)`),
            ]
          : [
              uniqueIndex("users_email_key").on(t.organizationId, sql`lower(email)`),
              uniqueIndex("users_username_key").on(t.organizationId, sql`lower(username)`),
              // A sign-in that asks for no organization looks here for the accounts of an address.
              index("users_email_lower_idx").on(sql`lower(email)`),
            ]),
        index("users_last_login_idx").on(
          t.organizationId,
          t.lastLogin.desc().nullsLast(),
          t.id.desc().nullsFirst(),
        ),
        check("valid_role", isOneOf("role", USER_ROLES)),
        check("valid_email", sql`email ~ '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}$'`),
        check("valid_username", sql`username ~ '^[a-zA-Z0-9_-]{3,30}$'`),
        check("valid_preferences", isObject("preferences")),
        ...access.rules(t, {
          ...(isGlobal
            ? {
                globalKeys: {
                  users_email_key: "the host signs people in by address alone",
                  users_username_key: "the host signs people in by name alone",
                },
              }
            : {}),
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: own("id"),
            user: own("id"),
          },
          insert: { org_admin: tenant },
          update: {
            org_admin: tenant,
            report_manager: own("id"),
            report_viewer: own("id"),
            user: own("id"),
          },
          delete: { org_admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link usersTable}. */
export type Users = ReturnType<typeof usersTable>;

/**
 * What the accounts sign in with, in a table of its own: a rule holds for whole rows, and managers read the rows of users.
 *
 * No persona reads a hash, its own neither: who signs people in compares it before there is a persona. An administrator gives an account its first.
 */
export function userCredentialsTable({ space, access }: Place, { users }: { users: Users }) {
  const mine = {
    org_admin: own("userId"),
    report_manager: own("userId"),
    report_viewer: own("userId"),
    user: own("userId"),
  } as const;
  return space
    .table(
      "user_credentials",
      {
        organizationId: ofOrganization(),
        userId: uuid("user_id").notNull(),
        passwordHash: varchar("password_hash", { length: 255 }).notNull(),
        changedAt: moment("changed_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "user_credentials_pkey", columns: [t.organizationId, t.userId] }),
        foreignKey({
          name: "user_credentials_user_fk",
          columns: [t.organizationId, t.userId],
          foreignColumns: [users.organizationId, users.id],
        }).onDelete("cascade"),
        check("valid_password_hash", sql`password_hash <> ''`),
        ...access.rules(t, {
          unread: { passwordHash: "who may read a hash may guess at the password" },
          select: mine,
          insert: { ...mine, org_admin: tenant },
          update: mine,
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link userCredentialsTable}. */
export type UserCredentials = ReturnType<typeof userCredentialsTable>;

/**
 * Who is signed in. Of a token only its hash is kept; what the browser holds names the organization too, so that the look-up has a
 * tenant before it has a user.
 */
export function userSessionsTable({ space, access }: Place, { users }: { users: Users }) {
  return space
    .table(
      "user_sessions",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        userId: uuid("user_id").notNull(),
        tokenHash: varchar("token_hash", { length: 64 }).notNull(),
        ipAddress: inet("ip_address"),
        userAgent: text("user_agent"),
        createdAt: moment("created_at").notNull().defaultNow(),
        lastSeenAt: moment("last_seen_at").notNull().defaultNow(),
        expiresAt: moment("expires_at").notNull(),
        revokedAt: moment("revoked_at"),
      },
      (t) => [
        primaryKey({ name: "user_sessions_pkey", columns: [t.organizationId, t.id] }),
        unique("user_sessions_token_hash_key").on(t.organizationId, t.tokenHash),
        foreignKey({
          name: "user_sessions_user_fk",
          columns: [t.organizationId, t.userId],
          foreignColumns: [users.organizationId, users.id],
        }).onDelete("cascade"),
        index("user_sessions_user_idx").on(t.organizationId, t.userId),
        // For whoever removes what has expired, in all organizations.
        index("user_sessions_expires_at_idx").on(t.expiresAt),
        check("valid_token_hash", sql`token_hash ~ '^[0-9a-f]{64}$'`),
        check("expires_after_created", sql`expires_at > created_at`),
        ...access.rules(t, {
          select: {
            org_admin: tenant,
            report_manager: own("userId"),
            report_viewer: own("userId"),
            user: own("userId"),
          },
          insert: {
            org_admin: own("userId"),
            report_manager: own("userId"),
            report_viewer: own("userId"),
            user: own("userId"),
          },
          update: {
            org_admin: own("userId"),
            report_manager: own("userId"),
            report_viewer: own("userId"),
            user: own("userId"),
          },
          delete: {
            org_admin: tenant,
            report_manager: own("userId"),
            report_viewer: own("userId"),
            user: own("userId"),
          },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link userSessionsTable}. */
export type UserSessions = ReturnType<typeof userSessionsTable>;
