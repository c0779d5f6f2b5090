import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";
import { own, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

/** Lines of business, which are the tenants, and the people in them. */
export function peopleTables<K extends KeyKind, S extends string>({
  keys,
  space,
  access,
  points,
}: Basis<K, S>) {
  const lobs = space
    .table(
      "lobs",
      {
        lobId: keys.generated("lob_id"),
        code: varchar("code", { length: 40 }).notNull(),
        name: varchar("name", { length: 200 }).notNull(),
        description: text("description"),
        ownerUserId: keys.optional("owner_user_id"),
        isActive: boolean("is_active").notNull().default(true),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "lobs_pkey", columns: [t.lobId] }),
        unique("lobs_code_key").on(t.code),
        points("lobs_owner_user_id_fkey", [t.lobId, t.ownerUserId], "users", ["lob_id", "user_id"]),
        check("lobs_code_form", sql`code ~ '^[a-z0-9]+(-[a-z0-9]+)*$'`),
        check("lobs_name_filled", sql`btrim(name) <> ''`),
        index("idx_lobs_owner_user_id").on(t.lobId, t.ownerUserId),
        ...access.rules(t, {
          globalKeys: {
            lobs_code_key:
              "no persona writes lines of business, so that nobody can try whether a code is taken",
          },
          select: {
            tester: tenant,
            test_manager: tenant,
            report_owner: tenant,
            data_provider: tenant,
            admin: tenant,
          },
        }),
      ],
    )
    .enableRLS();

  const users = space
    .table(
      "users",
      {
        userId: keys.generated("user_id"),
        lobId: keys.required("lob_id"),
        managerId: keys.optional("manager_id"),
        email: varchar("email", { length: 320 }).notNull(),
        firstName: varchar("first_name", { length: 100 }).notNull(),
        lastName: varchar("last_name", { length: 100 }).notNull(),
        isActive: boolean("is_active").notNull().default(true),
        lastLoginAt: timestamp("last_login_at", { withTimezone: true }),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "users_pkey", columns: [t.userId] }),
        unique("users_lob_id_user_id_key").on(t.lobId, t.userId),
        // In one line of business only: a unique over all of them would tell one whom another employs.
        uniqueIndex("users_email_key").on(t.lobId, sql`lower(email)`),
        points("users_lob_id_fkey", [t.lobId], "lobs", ["lob_id"]),
        points("users_manager_id_fkey", [t.lobId, t.managerId], "users", ["lob_id", "user_id"]),
        check("users_email_form", sql`email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:].]+$'`),
        check("users_manager_is_another", sql`manager_id <> user_id`),
        index("idx_users_manager_id").on(t.lobId, t.managerId),
        ...access.rules(t, {
          globalKeys: { users_pkey: GIVEN_OUT },
          select: {
            tester: tenant,
            test_manager: tenant,
            report_owner: tenant,
            data_provider: own("userId"),
            admin: tenant,
          },
          insert: { admin: tenant },
          update: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { lobs, users };
}
