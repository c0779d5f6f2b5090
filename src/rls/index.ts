export { defineAccess, ids, type Access, type AccessOptions, type Ids } from "./define-access.ts";
export type { LookupBodies, Me } from "./lookups.ts";
export { objectsFor } from "./objects-for.ts";
export {
  among,
  anyOf,
  assigned,
  childrenOf,
  custom,
  everyone,
  none,
  own,
  tenant,
  type RowClassOf,
} from "./row-class.ts";
export type { RulesOf } from "./rules-of.ts";
export { APPEND_ONLY_SETTING } from "./append-only.ts";
export { CONTEXT_CONSTRAINTS } from "./context-functions.ts";
export { withTenant, type TenantDatabase, type TenantTransaction } from "./with-tenant.ts";
export type { WithTenantOptions } from "./run-in-context.ts";
export type { Id, TenantContext } from "./tenant-context.ts";
export { assertSafeLogin, type SafeLoginOptions } from "./assert-safe-login.ts";
export { accessMatrix, type AccessCell, type AccessMatrix } from "./access-matrix.ts";
export { renderMatrix, rowsText } from "./render-matrix.ts";
export { authStandIn } from "./auth-stand-in.ts";
export { auditRls, type Accepted, type AuditOptions } from "./audit-rls.ts";
export { CHECKS, type CheckId } from "./audit/finding.ts";
export { findingsJson, findingsSarif, findingsText } from "./audit/present.ts";
export { proveIsolation, type ProofOptions } from "./prove-isolation.ts";
export type { Cell, MutationResult, MutationScore, Proof } from "./proof/proof.ts";
export { proofJson, proofMarkdown } from "./proof/present.ts";
export { proofHtml } from "./proof/present-html.ts";
export { proofJunit } from "./proof/present-junit.ts";
