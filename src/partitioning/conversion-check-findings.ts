import type { Finding, Findings } from "../catalog/finding.ts";
import { namedPath, partPath } from "../catalog/path.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { Scheme } from "../definition/scheme.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import type { CheckReading } from "./conversion-check-reading.ts";
import type { ConversionStrategy, StrategyCheck } from "./conversion-strategy.ts";
import { namesOf } from "./provision-names.ts";

/** What findings are made of. */
export interface CheckSubject {
  readonly scheme: Scheme;
  readonly facts: Facts;
  readonly reading: CheckReading;
  readonly strategy: ConversionStrategy;
  readonly check: StrategyCheck;
  readonly bytesFree: number | null;
  /** What the advice says of partitions and locks. */
  readonly locks: Findings;
}

/** What stands in the way of a conversion, and what an application relies on that will no longer hold. */
export function checkFindings(subject: CheckSubject): Findings {
  const { scheme, check, strategy, bytesFree, locks } = subject;
  const { schema, table } = namesOf(scheme);
  const object = namedPath("table", schema, table);
  const refused: readonly Finding[] =
    check.refused === null
      ? []
      : [
          {
            ...{ check: "conversion-refused", severity: "error", object, repair: null },
            message: `${check.refused.message}: ${check.refused.hint}`,
          },
        ];
  const full: readonly Finding[] =
    bytesFree === null || bytesFree >= check.bytesNeeded
      ? []
      : [
          {
            ...{ check: "disk-space", severity: "error", object, repair: null },
            message: `the strategy "${strategy}" needs ${check.bytesNeeded} bytes more, and ${bytesFree} are free`,
          },
        ];
  return [
    ...refused,
    ...full,
    ...rowFindings(subject, object),
    ...keyFindings(subject, object),
    ...blockerFindings(subject, object),
    ...locks,
  ];
}

function rowFindings({ reading, scheme }: CheckSubject, object: string): Findings {
  const { schema, table } = namesOf(scheme);
  return [
    ...reading.nulls.map(
      (column): Finding => ({
        check: "partition-null",
        severity: "error",
        object: partPath("column", column, object),
        message: "some row has NULL there, and a row with NULL has no partition",
        repair: null,
      }),
    ),
    ...(reading.hidden
      ? [
          {
            check: "row-security",
            severity: "error",
            object,
            message:
              "row security hides rows from this login, so that nobody knows whether a partition column is NULL: a conversion would be refused",
            repair: `CREATE POLICY underpin_migrator ON ${qualified(schema, table)} TO CURRENT_USER USING (true) WITH CHECK (true)`,
          } as const,
        ]
      : []),
  ];
}

/** What becomes of keys: a partitioned table keeps only what holds every partition column unique. */
function keyFindings({ facts, scheme, reading }: CheckSubject, object: string): Findings {
  const { schema, table } = namesOf(scheme);
  const cut = [...new Set(scheme.dimensions.map(({ column }) => column))];
  const narrow = facts.indexes.filter((each) => {
    const columns = each.keys.map(({ column }) => column);
    return (
      each.schema === schema &&
      each.table === table &&
      each.unique &&
      cut.some((column) => !columns.includes(column))
    );
  });
  const incoming = facts.constraints.filter(
    ({ references }) => references?.schema === schema && references.name === table,
  );
  return [
    ...narrow.map((index): Finding => {
      const columns = index.keys.map(({ definition }) => definition).join(", ");
      return {
        check: "key-narrow",
        severity: "warning",
        object: partPath(index.constraint === null ? "index" : "constraint", index.name, object),
        message: `it keeps ${columns} unique in the whole table; partitioned by ${cut.join(", ")} that holds only together with those columns: two rows with the same ${columns} may be in two partitions, and ON CONFLICT (${columns}) fails (42P10)`,
        repair: null,
      };
    }),
    ...reading.conflicts.map(
      ({ query, calls }): Finding => ({
        check: "on-conflict",
        severity: "warning",
        object,
        message: `${calls} ×: its target has to name a key with ${cut.join(", ")}: ${query.replaceAll(/\s+/g, " ").slice(0, 200)}`,
        repair: null,
      }),
    ),
    ...incoming.flatMap((key): readonly Finding[] => {
      const to = key.references?.columns ?? [];
      const lacking = cut.filter((column) => !to.includes(column));
      if (lacking.length === 0) return [];
      return [
        {
          check: "key-incoming",
          severity: "error",
          object: partPath("constraint", key.name, namedPath("table", key.schema, key.table)),
          message: `it refers to ${to.join(", ")}, and a foreign key to the partitioned table names ${cut.join(", ")} too`,
          repair: null,
        },
      ];
    }),
  ];
}

/** Who would make it wait. */
function blockerFindings({ reading }: CheckSubject, object: string): Findings {
  return [
    ...reading.prepared.map(
      ({ gid, seconds }): Finding => ({
        check: "prepared-transaction",
        severity: "error",
        object,
        message: `the prepared transaction ${ident(gid)} is ${seconds} s old, holds its locks and snapshot until somebody ends it, and makes CONCURRENTLY steps wait for ever`,
        repair: `ROLLBACK PREPARED ${literal(gid)}`,
      }),
    ),
    ...reading.long.map(
      ({ pid, role, seconds, query }): Finding => ({
        check: "long-transaction",
        severity: "warning",
        object,
        message: `${role ?? "somebody"} (pid ${pid}) is in a transaction for ${seconds} s${query === null ? "" : `: ${query.replaceAll(/\s+/g, " ")}`}`,
        repair: `SELECT pg_catalog.pg_terminate_backend(${pid})`,
      }),
    ),
    ...reading.runs.map(
      ({ name, state }): Finding => ({
        check: "run-at-work",
        severity: "error",
        object,
        message: `the run "${name}" is about this table and is ${state}`,
        repair: null,
      }),
    ),
  ];
}
