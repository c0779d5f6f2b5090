import { sql } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Seed } from "../../definition/definition.ts";
import { literal, qualified } from "../../sql/quote.ts";

/** A role that is there from the beginning; each persona has the role of its name. */
interface DefaultRole {
  readonly name: string;
  readonly title: string;
  /** Permissions as resource and actions. */
  readonly may: Readonly<Record<string, readonly string[]>>;
}

const WORK = ["read", "create", "update"] as const;
const READ = ["read"] as const;

const ROLES: readonly DefaultRole[] = [
  {
    name: "tester",
    title: "Tester",
    may: {
      cycles: READ,
      reports: READ,
      phases: ["read", "update"],
      attributes: [...WORK, "delete"],
      samples: [...WORK, "delete"],
      test_executions: WORK,
      observations: WORK,
      requests: WORK,
      data_profiles: WORK,
    },
  },
  {
    name: "test_manager",
    title: "Test Executive",
    may: {
      cycles: WORK,
      reports: WORK,
      phases: [...WORK, "override"],
      attributes: [...WORK, "delete", "approve"],
      samples: [...WORK, "delete", "approve"],
      test_executions: WORK,
      observations: [...WORK, "approve"],
      requests: WORK,
      data_profiles: WORK,
      audit_logs: READ,
      users: READ,
    },
  },
  {
    name: "report_owner",
    title: "Report Owner",
    may: {
      cycles: READ,
      reports: ["read", "update"],
      phases: READ,
      attributes: ["read", "approve"],
      samples: ["read", "approve"],
      test_executions: READ,
      observations: ["read", "update", "approve"],
      requests: READ,
      data_profiles: READ,
    },
  },
  {
    name: "data_provider",
    title: "Data Provider",
    may: {
      cycles: READ,
      reports: READ,
      phases: READ,
      attributes: READ,
      samples: READ,
      requests: ["read", "update"],
    },
  },
  {
    name: "admin",
    title: "Administrator",
    may: {
      cycles: WORK,
      reports: WORK,
      phases: WORK,
      users: WORK,
      roles: ["read", "assign"],
      permissions: ["read", "assign"],
      audit_logs: READ,
    },
  },
];

/** The default roles and permissions, and which role holds which. Their keys are given out by PostgreSQL, so that they are looked up. */
export function seedsOf(
  schema: string,
  tables: Readonly<Record<"roles" | "permissions" | "rolePermissions", PgTable>>,
): readonly Seed[] {
  const held = ROLES.flatMap(({ name, may }) =>
    Object.entries(may).flatMap(([resource, actions]) =>
      actions.map((action) => ({ role: name, resource, action })),
    ),
  );
  const permissions = new Map(
    held.map(({ resource, action }) => [`${resource}.${action}`, { resource, action }]),
  );
  return [
    {
      table: tables.roles,
      key: ["name"],
      rows: ROLES.map(({ name, title }) => ({ name, title })),
    },
    {
      table: tables.permissions,
      key: ["resource", "action"],
      rows: [...permissions.values()],
    },
    {
      table: tables.rolePermissions,
      key: ["roleId", "permissionId"],
      rows: held.map(({ role, resource, action }) => ({
        roleId: sql.raw(
          `(SELECT role_id FROM ${qualified(schema, "roles")} WHERE name = ${literal(role)})`,
        ),
        permissionId: sql.raw(
          `(SELECT permission_id FROM ${qualified(schema, "permissions")} WHERE resource = ${literal(resource)} AND action = ${literal(action)})`,
        ),
      })),
    },
  ];
}
