import type { Plan } from "../plan/step.ts";
import type { Scheme } from "../definition/scheme.ts";
import { attachPlan } from "./attach/attach-plan.ts";
import type { AttachOptions } from "./attach/attach-of.ts";
import type { CopyToPartitionedOptions } from "./convert/copy-options.ts";
import { copyPlan } from "./convert/copy-plan.ts";

/** A plain table, how it is to be partitioned, and by which way. */
export type ConvertToPartitionedOptions<S extends Scheme = Scheme> =
  | CopyToPartitionedOptions<S>
  | AttachToPartitionedOptions<S>;

/** The same without a copy: the table becomes the first partition. */
export interface AttachToPartitionedOptions<S extends Scheme = Scheme> extends AttachOptions<S> {
  /** `attach`: the table becomes one partition of a new root, and is not rewritten. */
  readonly strategy: "attach";
}

/**
 * Makes a partitioned table of a plain one, while reads and writes go on.
 *
 * PostgreSQL cannot turn one into the other. With `copy` the rows go in batches into a partitioned table beside it, which a log of changed
 * keys keeps alike; one short transaction then gives it the name, with indexes, constraints, foreign keys on either side, policies, grants,
 * triggers, views, comments and the numbers of its sequences. The plain table is kept as `<table>_unpartitioned` until `dropUnpartitioned`:
 * an undo gives it the name again, with all rows that were written since.
 *
 * With `attach` no row is copied: the table becomes one partition of a new root, for all values that are there, and new values get partitions
 * of their own.
 *
 * @example
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 * import { readFacts } from "underpin";
 * import { convertToPartitioned, list, partitionBy, range } from "underpin/partitioning";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: `CREATE TABLE readings (id text PRIMARY KEY, site_id text NOT NULL, at timestamptz NOT NULL);
 *     INSERT INTO readings VALUES ('r1', 's1', '2026-01-15')`,
 * });
 * const readings = pgTable(
 *   "readings",
 *   {
 *     id: text().notNull(),
 *     siteId: text("site_id").notNull(),
 *     at: timestamp({ withTimezone: true }).notNull(),
 *   },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at, t.id] })],
 * );
 * const scheme = partitionBy(
 *   readings,
 *   list(readings.siteId),
 *   range(readings.at, { every: "1 month" }),
 * );
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = convertToPartitioned({ facts, scheme, strategy: "copy" });
 * plan.name; // "convert-to-partitioned-public-readings"
 * await close();
 */
export function convertToPartitioned<S extends Scheme>(
  options: ConvertToPartitionedOptions<S>,
): Plan {
  return options.strategy === "copy" ? copyPlan(options) : attachPlan(options);
}
