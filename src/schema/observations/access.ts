import type { PgSchema } from "drizzle-orm/pg-core";
import type { AccessData } from "../../definition/access.ts";
import { defineAccess } from "../../rls/define-access.ts";
import { ROLES } from "./words.ts";

/** How the domain's access is bound to a host. */
export interface AccessBinding {
  readonly schema: string;
  readonly rolePrefix?: string | undefined;
  readonly migratorRole?: string | undefined;
  readonly target?: AccessData["target"] | undefined;
}

/** Who works in a company: the values of `users.role`. A company sees its own rows and no others. */
export function observationsAccess({ schema, rolePrefix, migratorRole, target }: AccessBinding) {
  return defineAccess({
    schema,
    tenantColumn: "companyId",
    personas: ROLES,
    ...(rolePrefix === undefined ? {} : { rolePrefix }),
    ...(migratorRole === undefined ? {} : { migratorRole }),
    ...(target === undefined ? {} : { target }),
  });
}

/** The access of {@link observationsAccess}. */
export type ObservationsAccess = ReturnType<typeof observationsAccess>;

/** What each table of the domain stands on. */
export interface Place<S extends string = string> {
  readonly space: PgSchema<S>;
  readonly access: ObservationsAccess;
}
