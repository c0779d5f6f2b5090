import { definitionOf } from "../../definition/definition-of.ts";
import type { AccessData } from "../../definition/access.ts";
import { namespaceOf } from "../namespace.ts";
import { approvalObjects } from "./approval.ts";
import { auditObjects } from "./audit-trail.ts";
import { commentObjects } from "./comments.ts";
import { DEFAULT_PRIVATE_BUCKETS } from "./evidence-table.ts";
import { familyObjects } from "./families.ts";
import type { AccountColumn } from "./institution-tables.ts";
import { partsOf } from "./parts.ts";
import { scoringObjects } from "./scoring.ts";
import { stampObjects } from "./stamps.ts";
import { summaryObjects } from "./summary-objects.ts";

/** How the domain lies in a host's database. */
export interface ProgressCardOptions {
  /** @default "progress_card" */
  readonly schema?: string;
  /**
   * The host's accounts, uuid by uuid the ids of profiles: `auth.users.id` on Supabase. The column has to be a key.
   *
   * @default none: profiles stand by themselves
   */
  readonly accounts?: AccountColumn;
  /** The buckets that the host's object store keeps private. @default ["hpc-evidence"] */
  readonly privateBuckets?: readonly [string, ...string[]];
  /** What role names begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** @default "postgres" */
  readonly target?: AccessData["target"];
}

/**
 * Holistic progress cards of many institutions: what is evaluated, by whom, with which weight, and how the report gets to the family.
 *
 * Every key begins with the institution and every reference holds it, so that no row can point into another institution, and an id of
 * another is answered as one that nobody has.
 *
 * @example
 * import { progressCard } from "underpin/schema/progress-card";
 *
 * const { hpcEvaluations, definition } = progressCard({ schema: "hpc" });
 */
export function progressCard(options: ProgressCardOptions = {}) {
  const { schema = "progress_card", accounts, privateBuckets, ...choices } = options;
  const namespace = namespaceOf<string>(schema);
  const parts = partsOf({
    ...choices,
    schema,
    namespace,
    accounts,
    privateBuckets: privateBuckets ?? DEFAULT_PRIVATE_BUCKETS,
  });
  const { enums, tables, views, access } = parts;
  const entities = { progressCardSchema: namespace, ...enums, ...tables, ...views };
  const definition = definitionOf({
    // Two of them may live in one database, in two schemas.
    name: schema === "public" ? "progress_card" : schema,
    tables: entities,
    access,
    objects: [
      ...stampObjects(schema, parts),
      ...auditObjects(schema, parts),
      ...scoringObjects(schema, parts),
      ...approvalObjects(schema, parts),
      ...familyObjects(schema, parts),
      ...summaryObjects(schema, access),
      ...commentObjects(schema, parts),
    ],
  });
  return { ...entities, access, definition };
}
