import { factsOf } from "../catalog/read-facts.ts";
import type { ReadOptions } from "../catalog/read-json.ts";
import type { Definition } from "../definition/definition.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Queryable } from "../executor/executor.ts";
import { acceptedKeys, type Accepted } from "./audit/accepted.ts";
import { audited } from "./audit/audited.ts";
import { checkFunctions } from "./audit/check-functions.ts";
import { checkGrants } from "./audit/check-grants.ts";
import { checkKeys } from "./audit/check-keys.ts";
import { checkPolicies } from "./audit/check-policies.ts";
import { checkRoles } from "./audit/check-roles.ts";
import { checkTables } from "./audit/check-tables.ts";
import { checkUpkeep } from "./audit/check-upkeep.ts";
import { checkViews } from "./audit/check-views.ts";
import { sortFindings, type Findings } from "./audit/finding.ts";
import { readMoreFacts } from "./audit/more-facts.ts";

export type { Accepted } from "./audit/accepted.ts";

/** What an audit takes for granted. */
export interface AuditOptions extends ReadOptions {
  /** Names the personas, the reader and migrator roles, and the keys that hold across tenants, each accepted with its reason. */
  readonly definition?: Definition;
  /** Roles that are meant to reach every row, beside superusers. @default ["underpin_migrator"] */
  readonly trusted?: readonly string[];
  /** Columns that hold the tenant, in tables whose restrictive policy does not tell. @default ["tenant_id"] */
  readonly tenantColumns?: readonly string[];
  readonly accept?: readonly Accepted[];
}

/**
 * Looks through a database for ways around its row security, and for policies that cost more than they must.
 *
 * It reads the catalog of every schema twice, once by {@link factsOf}, and changes nothing. It covers what the database linter of Supabase covers, on
 * partitioned tables and in any schema too, except what needs statistics or the settings of a service.
 *
 * @example
 * const findings = await auditRls(db);
 */
export async function auditRls(db: DatabaseLike, options: AuditOptions = {}): Promise<Findings> {
  return toExecutor(db).session((session) => auditOf(session, options));
}

/** As {@link auditRls}, also inside a transaction: what it has changed is looked at as it will be. */
export async function auditOf(db: Queryable, options: AuditOptions = {}): Promise<Findings> {
  const { definition, trusted = ["underpin_migrator"], tenantColumns = ["tenant_id"] } = options;
  const known = [
    ...trusted,
    ...(definition?.access ?? []).flatMap(({ readerRole, migratorRole }) => [
      readerRole,
      migratorRole,
    ]),
  ];
  const facts = await factsOf(db, options);
  const more = await readMoreFacts(db, options);
  const personas = (definition?.access ?? []).flatMap(({ roles }) => Object.values(roles));
  const database = audited(facts, more, new Set(known), tenantColumns, new Set(personas));
  const accept = [
    ...(options.accept ?? []),
    ...(definition === undefined ? [] : acceptedKeys(definition)),
  ];
  return sortFindings(
    CHECKERS.flatMap((check) => check(database)).filter(
      ({ check, object }) =>
        !accept.some((each) => each.check === check && (each.object ?? object) === object),
    ),
  );
}

const CHECKERS = [
  checkTables,
  checkPolicies,
  checkGrants,
  checkViews,
  checkFunctions,
  checkKeys,
  checkUpkeep,
  checkRoles,
];
