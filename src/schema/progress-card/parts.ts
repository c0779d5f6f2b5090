import type { PgSchema } from "drizzle-orm/pg-core";
import { accessFor, type AccessChoices } from "./access.ts";
import { auditTable } from "./audit-table.ts";
import { enumsOf } from "./enums.ts";
import { evaluationTables } from "./evaluation-tables.ts";
import { evidenceTable } from "./evidence-table.ts";
import { institutionTables, type AccountColumn } from "./institution-tables.ts";
import { withLookups } from "./lookups.ts";
import { parameterTables } from "./parameter-tables.ts";
import { reportTables } from "./report-tables.ts";
import { viewsOf } from "./views.ts";

/** What the parts are made with. */
export interface PartsOptions extends AccessChoices {
  readonly namespace: PgSchema;
  readonly accounts?: AccountColumn | undefined;
  readonly privateBuckets: readonly string[];
}

/** Every table, enum and view of the domain, and its access. */
export function partsOf({ namespace, accounts, privateBuckets, ...choices }: PartsOptions) {
  const declared = accessFor(choices);
  const enums = enumsOf(namespace);
  const institution = institutionTables(namespace, enums, declared, accounts);
  const parameters = parameterTables(namespace, enums, declared, institution);
  const basis = { ...institution, ...parameters };
  const evaluations = evaluationTables(namespace, enums, declared, basis);
  const tables = {
    ...basis,
    ...evaluations,
    ...evidenceTable(namespace, declared, { ...institution, ...evaluations }, privateBuckets),
    ...reportTables(namespace, enums, declared, basis),
    ...auditTable(namespace, declared, institution),
  };
  const access = withLookups(declared, institution);
  return { enums, tables, views: viewsOf(namespace, access, tables), access };
}

/** What {@link partsOf} makes. */
export type ProgressCardParts = ReturnType<typeof partsOf>;

/** The tables of the domain. */
export type ProgressCardTables = ProgressCardParts["tables"];
