import type { Finding, Findings } from "../catalog/finding.ts";
import type { Scheme } from "../definition/scheme.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { literal } from "../sql/quote.ts";
import { defaultFindings } from "./validation/default-findings.ts";
import { levelFindings } from "./validation/level-findings.ts";
import { partFindings } from "./validation/part-findings.ts";
import { rangeFindings } from "./validation/range-findings.ts";
import { readValidation } from "./validation/read-validation.ts";

/** How partitions are validated. */
export interface ValidateOptions {
  /** The moment that is taken for now. @default the server's clock */
  readonly now?: Date;
}

/**
 * Whether the partitions of a scheme are what it says: no interval or remainder without a partition, up to what is made ahead; every level
 * cut as declared; no row in a default partition; nothing half attached or left behind; and each partition as closed, owned,
 * indexed and triggered as its root.
 *
 * It changes nothing, reads rows of default partitions alone, and locks no other partition. Each finding has the SQL that mends it, or
 * none where a person has to decide.
 *
 * @example
 * import { apply, planInstall } from "underpin";
 * import { validatePartitions } from "underpin/partitioning";
 * import { definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const nextYear = new Date(Date.now() + 365 * 86_400_000);
 * const [finding] = await validatePartitions(db, schemes.auditLogs, { now: nextYear });
 * finding?.check; // "partition-missing"
 */
export async function validatePartitions(
  db: DatabaseLike,
  scheme: Scheme,
  { now }: ValidateOptions = {},
): Promise<Findings> {
  const executor = toExecutor(db);
  const moment =
    now === undefined ? "pg_catalog.now()" : `${literal(now.toISOString())}::timestamptz`;
  const reading = await readValidation(executor, scheme);
  const findings: readonly Finding[] = [
    ...levelFindings(scheme, reading),
    ...(await rangeFindings(executor, scheme, reading, moment)),
    ...(await defaultFindings(executor, scheme, reading)),
    ...partFindings(reading),
  ];
  return [...findings].sort((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0));
}
