import { defineAccess, ids } from "../../rls/define-access.ts";
import type { AccessData } from "../../definition/access.ts";

/** Who may be told apart, and where their roles get their names. */
export interface AccessChoices {
  readonly schema: string;
  readonly target?: AccessData["target"];
  readonly rolePrefix?: string;
  readonly migratorRole?: string;
}

/**
 * Students, teachers, parents and administrators of one institution.
 *
 * `assigned` are the students of a teacher's courses, `children` those in a parent's `parent_of`, `classmates` those whom a student may
 * assess as a peer.
 */
export function accessFor(choices: AccessChoices) {
  return defineAccess({
    ...choices,
    tenantColumn: "institutionId",
    personas: ["student", "teacher", "parent", "admin"],
    lookups: { assigned: ids("uuid"), children: ids("uuid"), classmates: ids("uuid") },
  });
}

/** What {@link accessFor} makes. */
export type ProgressCardAccess = ReturnType<typeof accessFor>;
