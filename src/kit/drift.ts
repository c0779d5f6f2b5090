import type { Finding, Findings } from "../catalog/finding.ts";
import { readFacts, type Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { objectsOf } from "../install/objects-of.ts";
import { snapshot, snapshotOn, type Snapshot } from "../install/snapshot.ts";
import { verifyFacts } from "../install/verify.ts";
import { validatePartitions } from "../partitioning/validate-partitions.ts";
import { targetOf } from "../plan/target.ts";
import { undeclaredFindings } from "./undeclared.ts";

/** How drift is looked for. */
export interface DriftOptions {
  /** What `snapshot(definition)` returned before. @default it is made, in `shadow` where there is one */
  readonly expected?: Snapshot;
  /**
   * An empty scratch database of the same server version, in which the definition is made in one transaction that is rolled back.
   * @default an embedded PostgreSQL
   */
  readonly shadow?: DatabaseLike;
}

/**
 * How a live database differs from its definition: all that `verify` finds, and beside it what nobody declared, in the schemas and on the tables
 * of the definition, and partitions that are cut otherwise than their scheme says.
 *
 * Catalogs are compared, and no texts: a changed predicate of a policy, the body of a function or a view, a CHECK, a generated expression, the
 * predicate and operator class of an index, privileges, comments, FORCE and bounds of partitions are all in `pg_catalog`. Views are
 * printed differently by other major versions (15 and 18): each is made once more as a temporary view on the server that is
 * asked, or compared with a shadow of its version. Nothing is changed.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { apply, defineDatabase, planInstall } from "underpin";
 * import { drift } from "underpin/kit";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const seats = pgTable("seats", { id: uuid("id").primaryKey() });
 * const definition = defineDatabase({ name: "seats", tables: { seats } });
 * const { client, close } = await createTestDatabase();
 * await apply(client, planInstall(definition));
 * await client.exec("CREATE INDEX helpful ON seats (id)");
 * const [finding] = await drift(client, definition);
 * finding?.check; // "index-undeclared"
 * await close();
 */
export async function drift(
  db: DatabaseLike,
  definition: Definition,
  { expected: given, shadow }: DriftOptions = {},
): Promise<Findings> {
  const executor = toExecutor(db);
  const made =
    given ?? (shadow === undefined ? snapshot(definition) : snapshotOn(shadow, definition));
  const [facts, expected] = await Promise.all([readFacts(executor), made]);
  const found: readonly Finding[] = [
    ...(await verifyFacts(executor, definition, { facts, expected })),
    ...undeclaredFindings(facts, objectsOf(definition), expected.catalog),
    ...(await boundFindings(db, definition, facts)),
  ];
  return once(found).toSorted((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0));
}

/** Bounds and rows of default partitions, of the schemes whose tables are there and partitioned: of another it is told that it is not. */
async function boundFindings(
  db: DatabaseLike,
  { partitions }: Definition,
  facts: Facts,
): Promise<readonly Finding[]> {
  const there = partitions.filter((scheme) => {
    const { schema, name } = targetOf(scheme);
    return facts.partitions.some(
      (each) => each.parent === null && each.schema === schema && each.name === name,
    );
  });
  const findings: Finding[] = [];
  for (const scheme of there) findings.push(...(await validatePartitions(db, scheme)));
  return findings;
}

/** Several looks find the same: a policy that was added, a partition without row security. */
function once(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ check, object }) => {
    const key = JSON.stringify([check, object]);
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}
