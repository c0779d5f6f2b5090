import { foreignKey, index, numeric, pgSchema, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { among, own, tenant } from "../../rls/row-class.ts";
import { authUsersTable } from "../auth-stand-in.ts";
import { namespaceOf } from "../namespace.ts";
import { readByAll, type ProjectAccess } from "./access.ts";
import { keyColumns, moment } from "./basis.ts";

/**
 * What a host brings, for whoever has no host yet: projects, their members, simulations and `auth.users`, protected by the access of the
 * domain.
 */
export function standInHost(access: ProjectAccess) {
  const authSchema = pgSchema("auth");
  const projectReportsHostSchema = namespaceOf("project_reports_host");
  const users = authUsersTable(
    (t) =>
      access.rules(t, {
        tenantColumn: null,
        select: { manager: own("id"), member: own("id"), viewer: own("id") },
      }),
    authSchema,
  );
  const projects = projectReportsHostSchema
    .table(
      "projects",
      {
        id: uuid("id").notNull().defaultRandom(),
        name: text("name").notNull(),
        createdAt: moment("created_at").notNull().defaultNow(),
      },
      (t) => {
        const ofMembers = among("member_project", "id");
        return [
          primaryKey({ name: "projects_pkey", columns: [t.id] }),
          ...access.rules(t, {
            tenantColumn: "id",
            select: { manager: ofMembers, member: ofMembers, viewer: ofMembers, system: tenant },
          }),
        ];
      },
    )
    .enableRLS();
  const projectMembers = projectReportsHostSchema
    .table(
      "project_members",
      {
        projectId: uuid("project_id").notNull(),
        userId: uuid("user_id").notNull(),
        joinedAt: moment("joined_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "project_members_pkey", columns: [t.projectId, t.userId] }),
        foreignKey({
          name: "project_members_project_fkey",
          columns: [t.projectId],
          foreignColumns: [projects.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "project_members_user_fkey",
          columns: [t.userId],
          foreignColumns: [users.id],
        }).onDelete("cascade"),
        // The look-up of membership asks by user.
        index("project_members_user_idx").on(t.userId, t.projectId),
        ...access.rules(t, { select: readByAll }),
      ],
    )
    .enableRLS();
  const monteCarloSimulations = projectReportsHostSchema
    .table(
      "monte_carlo_simulations",
      {
        ...keyColumns(),
        name: text("name").notNull(),
        expectedCost: numeric("expected_cost", { precision: 14, scale: 2, mode: "number" }),
        createdAt: moment("created_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "monte_carlo_simulations_pkey", columns: [t.projectId, t.id] }),
        foreignKey({
          name: "monte_carlo_simulations_project_fkey",
          columns: [t.projectId],
          foreignColumns: [projects.id],
        }).onDelete("cascade"),
        index("monte_carlo_simulations_project_idx").on(t.projectId, t.createdAt),
        ...access.rules(t, { select: readByAll }),
      ],
    )
    .enableRLS();
  return {
    projectReportsHostSchema,
    authSchema,
    users,
    projects,
    projectMembers,
    monteCarloSimulations,
  };
}
