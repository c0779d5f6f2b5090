import { getTableConfig } from "drizzle-orm/pg-core";
import type { Finding } from "../catalog/finding.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { namedPath } from "../catalog/path.ts";
import type { Definition } from "../definition/definition.ts";
import { targetOf } from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";

/**
 * What is wrong with the partitions of declared schemes: one that anybody could read past the policies of its root, and one whose DETACH
 * was broken off. Policies hold on the relation that a query names, so that each partition needs row security of its own.
 */
export function partitionFindings(facts: Facts, { partitions }: Definition): readonly Finding[] {
  return partitions.flatMap((scheme) => {
    const { schema, name } = targetOf(scheme);
    const { enableRLS, policies } = getTableConfig(scheme.table);
    const isProtected = enableRLS || policies.length > 0;
    const below = facts.partitions.filter(
      ({ root, parent }) => parent !== null && root.schema === schema && root.name === name,
    );
    return below.flatMap((partition): readonly Finding[] => {
      const table = facts.tables.find(
        (fact) => fact.schema === partition.schema && fact.name === partition.name,
      );
      const object = namedPath("table", partition.schema, partition.name);
      const open =
        isProtected && table !== undefined && !(table.rowSecurity && table.forceRowSecurity);
      const relation = qualified(partition.schema, partition.name);
      return [
        ...(open
          ? [
              {
                check: "partition-row-security",
                severity: "error" as const,
                object,
                message:
                  "it has no forced row security of its own: a query that names it passes the policies of its root",
                repair: `ALTER TABLE ${relation} ENABLE ROW LEVEL SECURITY;\nALTER TABLE ${relation} FORCE ROW LEVEL SECURITY`,
              },
            ]
          : []),
        ...(partition.detachPending
          ? [
              {
                check: "partition-detach-pending",
                severity: "error" as const,
                object,
                message: "its DETACH CONCURRENTLY began and did not end",
                repair: `ALTER TABLE ${qualified(partition.parent?.schema ?? schema, partition.parent?.name ?? name)} DETACH PARTITION ${relation} FINALIZE`,
              },
            ]
          : []),
      ];
    });
  });
}
