import { eq } from "drizzle-orm";
import type { AccessData } from "../../definition/access.ts";
import { defineAccess, ids } from "../../rls/define-access.ts";
import { predicateOf } from "../../rls/predicate.ts";
import { among, custom, tenant } from "../../rls/row-class.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { Host } from "./binding.ts";

/** How the domain's access is named. */
export interface AccessBinding {
  readonly schema: string;
  readonly rolePrefix?: string;
  readonly migratorRole?: string;
  readonly target?: "postgres" | "supabase";
}

/**
 * Who works on project reports. The tenant is the project.
 *
 * Two things must hold for a person: the row is of the project that the context names (the floor of every table), and the
 * person is a member of its project (the class of every rule). So a context that names a project of others shows nothing. `system` is the
 * service that writes AI content and runs jobs: it acts in one project at a time, and is no member.
 */
export function accessOf({ schema, rolePrefix, migratorRole, target }: AccessBinding) {
  return defineAccess({
    schema,
    tenantColumn: "projectId",
    personas: ["manager", "member", "viewer", "system"],
    lookups: { member_project: ids("uuid") },
    ...(rolePrefix === undefined ? {} : { rolePrefix }),
    ...(migratorRole === undefined ? {} : { migratorRole }),
    ...(target === undefined ? {} : { target }),
  });
}

/** The access of the domain, before it knows its host. */
export type ProjectAccess = ReturnType<typeof accessOf>;

/** The access with its lookup over the host's own table of members. */
export function withMembers(access: ProjectAccess, { projectId, userId }: Host["members"]) {
  return access.with({
    member_project: (db, me) =>
      db.select({ id: projectId }).from(projectId.table).where(eq(userId, me.userId)),
  });
}

/** The rows of the projects that the user is a member of. */
export const ofMembers = among("member_project", "projectId");

/** Everybody in the project reads, and the service does. */
export const readByAll = {
  manager: ofMembers,
  member: ofMembers,
  viewer: ofMembers,
  system: tenant,
} as const;

/** The user's own rows, as long as the user is a member: who has left the project has left its rows. */
export function ownOfMembers(access: AccessData, column: { readonly name: string }) {
  const mine = predicateOf(access, null, { kind: "own", column: column.name });
  const membership = predicateOf(access, null, {
    kind: "among",
    lookup: "member_project",
    column: "project_id",
  });
  return custom(
    `${mine} and ${membership}`,
    "own rows count only while the user is a member of the project: there is no class for both at once",
  );
}

/**
 * SQL that says whether one of these personas asks. False for the migrator and for whoever owns the tables, so that loading and
 * maintenance are not held to what persons are held to.
 */
export function isPersona(
  { roles, target, schema }: AccessData,
  personas: readonly string[],
): string {
  const list = (names: readonly string[]) => names.map((name) => literal(name).trim()).join(", ");
  if (target === "supabase")
    return `(CASE WHEN current_user = 'authenticated' THEN ${qualified(schema, "current_persona")}() IN (${list(personas)}) ELSE false END)`;
  return `(current_user IN (${list(personas.map((persona) => roles[persona] ?? persona))}))`;
}

/** SQL that says whether any persona asks. */
export function isAnyPersona(access: AccessData): string {
  return isPersona(access, Object.keys(access.roles));
}

/** SQL for the user's id, NULL where nobody is named: a migration or a job writes too. */
export function softUserId({ target, user }: AccessData): string {
  // Not by auth.uid(), on which the migrator has no right.
  return target === "supabase"
    ? "(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid"
    : `nullif(pg_catalog.current_setting(${literal(user.setting).trim()}, true), '')::uuid`;
}
