import type { PgSchema } from "drizzle-orm/pg-core";
import type { AccessData } from "../../definition/access.ts";
import { defineAccess, ids } from "../../rls/define-access.ts";

/** How the domain's access is bound to a host. */
export interface AccessBinding {
  readonly schema: string;
  readonly rolePrefix?: string | undefined;
  readonly migratorRole?: string | undefined;
  readonly target?: AccessData["target"] | undefined;
}

/**
 * Who works with reports: the values of `users.role`, but for `super_admin`.
 *
 * That one works for the provider across organizations, which no persona may: it reaches rows as the migrator, or not at all.
 */
export function reportingPersonas(binding: AccessBinding) {
  const { schema, rolePrefix, migratorRole, target } = binding;
  return defineAccess({
    schema,
    tenantColumn: "organizationId",
    personas: ["org_admin", "report_manager", "report_viewer", "user"],
    lookups: {
      /** Reports that somebody shares with the user, to view or to edit. */
      shared: ids("uuid"),
      /** Those of them that the user may edit. */
      editable: ids("uuid"),
      /** Reports that the user created. */
      authored: ids("uuid"),
    },
    ...(rolePrefix === undefined ? {} : { rolePrefix }),
    ...(migratorRole === undefined ? {} : { migratorRole }),
    ...(target === undefined ? {} : { target }),
  });
}

/** The personas before their lookups have bodies: what tables are made with. */
export type ReportingPersonas = ReturnType<typeof reportingPersonas>;

/** What each table of the domain stands on. */
export interface Place {
  readonly space: PgSchema;
  readonly access: ReportingPersonas;
}
