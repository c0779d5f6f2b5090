import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  primaryKey,
  text,
  timestamp,
  unique,
  varchar,
} from "drizzle-orm/pg-core";
import { everyone, own, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import type { KeyKind } from "../keys.ts";

const READ_BY_ALL = {
  tester: everyone,
  test_manager: everyone,
  report_owner: everyone,
  data_provider: everyone,
  admin: everyone,
};

const OWN_OR_ALL = {
  tester: own("userId"),
  test_manager: tenant,
  report_owner: own("userId"),
  data_provider: own("userId"),
  admin: tenant,
};

/**
 * What there is to be allowed, and who is. Roles and permissions mean the same everywhere and belong to no line of business: all
 * read them, a migration writes them. Who holds them belongs to one.
 */
export function rightsTables<K extends KeyKind, S extends string>({
  keys,
  space,
  access,
  points,
}: Basis<K, S>) {
  const roles = space
    .table(
      "roles",
      {
        roleId: keys.generated("role_id"),
        name: varchar("name", { length: 60 }).notNull(),
        title: varchar("title", { length: 120 }).notNull(),
        description: text("description"),
        isActive: boolean("is_active").notNull().default(true),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "roles_pkey", columns: [t.roleId] }),
        unique("roles_name_key").on(t.name),
        check("roles_name_form", sql`name ~ '^[a-z]+(_[a-z]+)*$'`),
        ...access.rules(t, { tenantColumn: null, select: READ_BY_ALL }),
      ],
    )
    .enableRLS();

  const permissions = space
    .table(
      "permissions",
      {
        permissionId: keys.generated("permission_id"),
        resource: varchar("resource", { length: 60 }).notNull(),
        action: varchar("action", { length: 30 }).notNull(),
        description: text("description"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "permissions_pkey", columns: [t.permissionId] }),
        unique("permissions_resource_action_key").on(t.resource, t.action),
        check("permissions_resource_form", sql`resource ~ '^[a-z]+(_[a-z]+)*$'`),
        check("permissions_action_form", sql`action ~ '^[a-z]+(_[a-z]+)*$'`),
        ...access.rules(t, { tenantColumn: null, select: READ_BY_ALL }),
      ],
    )
    .enableRLS();

  const rolePermissions = space
    .table(
      "role_permissions",
      {
        roleId: keys.required("role_id"),
        permissionId: keys.required("permission_id"),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "role_permissions_pkey", columns: [t.roleId, t.permissionId] }),
        points("role_permissions_role_id_fkey", [t.roleId], "roles", ["role_id"]),
        points("role_permissions_permission_id_fkey", [t.permissionId], "permissions", [
          "permission_id",
        ]),
        index("idx_role_permissions_permission_id").on(t.permissionId),
        ...access.rules(t, { tenantColumn: null, select: READ_BY_ALL }),
      ],
    )
    .enableRLS();

  const userRoles = space
    .table(
      "user_roles",
      {
        lobId: keys.required("lob_id"),
        userId: keys.required("user_id"),
        roleId: keys.required("role_id"),
        assignedBy: keys.optional("assigned_by"),
        expiresAt: timestamp("expires_at", { withTimezone: true }),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "user_roles_pkey", columns: [t.lobId, t.userId, t.roleId] }),
        points("user_roles_user_id_fkey", [t.lobId, t.userId], "users", ["lob_id", "user_id"]),
        points("user_roles_role_id_fkey", [t.roleId], "roles", ["role_id"]),
        points("user_roles_assigned_by_fkey", [t.lobId, t.assignedBy], "users", [
          "lob_id",
          "user_id",
        ]),
        index("idx_user_roles_role_id").on(t.roleId),
        index("idx_user_roles_assigned_by").on(t.lobId, t.assignedBy),
        ...access.rules(t, {
          select: OWN_OR_ALL,
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const userPermissions = space
    .table(
      "user_permissions",
      {
        lobId: keys.required("lob_id"),
        userId: keys.required("user_id"),
        permissionId: keys.required("permission_id"),
        isGranted: boolean("is_granted").notNull().default(true),
        reason: text("reason").notNull(),
        assignedBy: keys.optional("assigned_by"),
        expiresAt: timestamp("expires_at", { withTimezone: true }),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({
          name: "user_permissions_pkey",
          columns: [t.lobId, t.userId, t.permissionId],
        }),
        points("user_permissions_user_id_fkey", [t.lobId, t.userId], "users", [
          "lob_id",
          "user_id",
        ]),
        points("user_permissions_permission_id_fkey", [t.permissionId], "permissions", [
          "permission_id",
        ]),
        points("user_permissions_assigned_by_fkey", [t.lobId, t.assignedBy], "users", [
          "lob_id",
          "user_id",
        ]),
        check("user_permissions_reason_filled", sql`btrim(reason) <> ''`),
        index("idx_user_permissions_permission_id").on(t.permissionId),
        index("idx_user_permissions_assigned_by").on(t.lobId, t.assignedBy),
        ...access.rules(t, {
          select: OWN_OR_ALL,
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { roles, permissions, rolePermissions, userRoles, userPermissions };
}
