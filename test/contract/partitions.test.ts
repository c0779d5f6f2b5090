import { changeGranularity } from "../../src/partitioning/change-granularity.ts";
import { mergePartitions } from "../../src/partitioning/merge-partitions.ts";
import { splitPartition } from "../../src/partitioning/split-partition.ts";
import { undoPartitioning } from "../../src/partitioning/undo-partitioning.ts";
import { contract } from "./contract.ts";
import { leafOf, monthlyOf, visitsSql, visitSql } from "./partitions-fixture.ts";

contract({
  name: "splitPartition",
  setup: visitsSql,
  plan: (names, facts) =>
    splitPartition({
      facts,
      scheme: monthlyOf(names),
      partition: leafOf(names, "01"),
      at: ["2026-01-11 00:00:00+00", "2026-01-21 00:00:00+00"],
    }),
  insert: visitSql,
  rows: true,
});

contract({
  name: "mergePartitions",
  setup: visitsSql,
  plan: (names, facts) =>
    mergePartitions({
      facts,
      scheme: monthlyOf(names),
      partitions: [leafOf(names, "01"), leafOf(names, "02")],
    }),
  insert: visitSql,
  rows: true,
});

contract({
  name: "splitPartition beside a default partition",
  setup: (names) => visitsSql(names, true),
  plan: (names, facts) =>
    splitPartition({
      facts,
      scheme: monthlyOf(names, "1 month", true),
      partition: leafOf(names, "01"),
      at: ["2026-01-11 00:00:00+00"],
    }),
  insert: visitSql,
  rows: true,
});

for (const others of [false, true])
  contract({
    name: `changeGranularity${others ? " beside a default partition" : ""}`,
    setup: (names) => visitsSql(names, others),
    plan: (names, _, db) =>
      changeGranularity(db, {
        from: monthlyOf(names, "1 month", others),
        to: monthlyOf(names, "1 week", others),
        values: { site: "s1" },
      }),
    insert: visitSql,
    rows: true,
  });

for (const others of [false, true])
  contract({
    name: `undoPartitioning${others ? " with a default partition" : ""}`,
    setup: (names) => visitsSql(names, others),
    plan: ({ schema, table }, facts) => undoPartitioning({ facts, schema, table }),
    insert: visitSql,
    rows: true,
  });
