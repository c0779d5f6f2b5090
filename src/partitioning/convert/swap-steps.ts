import type { Lock, RowAccess, Step, Undo } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { ownTriggers } from "../flat/twin-swap.ts";
import { besideName, parkedName } from "../flat/twins.ts";
import { closesPartitions } from "../maintenance/read-state.ts";
import type { Conversion } from "./conversion.ts";
import { consultedLocks } from "./key-steps.ts";
import { materializedViewSteps } from "./materialized-views.ts";
import {
  backSql,
  besideTables,
  closePartsSql,
  proveKeysSql,
  swapSql,
  unswapSql,
} from "./swap-sql.ts";

const NOTHING = { kind: "nothing" } as const;
const NOT_YET = { sql: "SELECT 'absent' AS state" } as const;

function writesBack({ schema, names }: Conversion): readonly RowAccess[] {
  return [
    { schema, name: names.parked, access: "delete" },
    { schema, name: names.parked, access: "insert" },
  ];
}

/** The one short transaction in which the two tables change names. */
export function swapStep(conversion: Conversion): Step {
  const { schema, table, names, indexes } = conversion;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const reads: readonly RowAccess[] = [{ schema, name: table.name, access: "read" }];
  const keys = conversion.outgoing.length > 0;
  const triggers = ownTriggers(conversion).some(({ level }) => level === "row");
  const both = (
    plain: string,
    parts: string,
    onParts: Lock["mode"],
    otherName: (name: string) => string,
  ) => ({
    locks: [
      lock(plain, "accessExclusive"),
      lock(parts, "accessExclusive"),
      ...(keys || triggers ? [{ ...lock(parts, onParts), partitions: true } as const] : []),
      lock(names.log, "rowExclusive"),
      ...besideTables(conversion).map((each): Lock => ({ ...each, mode: "accessExclusive" })),
      ...conversion.views.map(
        (view): Lock => ({ schema: view.schema, name: view.name, mode: "accessExclusive" }),
      ),
      ...consultedLocks(conversion),
      ...conversion.sequences.flatMap(({ name, ownedBy }) =>
        ownedBy?.as === "identity"
          ? [lock(name, "accessExclusive"), lock(otherName(name), "accessExclusive")]
          : [lock(name, "shareRowExclusive")],
      ),
      ...indexes.map(({ name }) => lock(name, "shareUpdateExclusive")),
    ],
    creates: indexes.length + (conversion.wideKey === null ? 0 : 1),
  });
  const undo: Undo = {
    kind: "statement",
    sql: unswapSql(conversion),
    ...both(names.parked, table.name, "accessExclusive", (name) => parkedName(conversion, name)),
    rows: [...reads, ...writesBack(conversion)],
    transaction: "commitAfter",
  };
  return {
    kind: "sql",
    id: "swap",
    title: `Give ${names.beside} the name ${table.name}, with all that goes with it`,
    sql: swapSql(conversion),
    ...both(table.name, names.beside, "shareRowExclusive", (name) => besideName(conversion, name)),
    rows: reads,
    transaction: "commitAfter",
    phase: "swapped",
    undo,
  };
}

/** After the swap: what has to be proved of the partitioned table, and in the end what closes its partitions. */
export function settleSteps(conversion: Conversion): readonly Step[] {
  const { schema, table, names, scheme, outgoing, incoming } = conversion;
  const root = { schema, name: table.name };
  const prove: readonly Step[] =
    outgoing.length === 0
      ? []
      : [
          {
            kind: "sql",
            id: "prove-keys",
            title: `Prove the foreign keys of ${table.name} while reads and writes go on, and at the end for a moment without those of ${outgoing.map(({ to }) => to.name).join(", ")}`,
            sql: proveKeysSql(conversion),
            locks: [
              { ...root, mode: "shareRowExclusive" },
              ...outgoing.map(({ to }): Lock => ({ ...to, mode: "shareRowExclusive" })),
            ],
            rows: outgoing.map(({ to }): RowAccess => ({ ...to, access: "read" })),
            transaction: "outside",
            probe: NOT_YET,
            undo: NOTHING,
          },
        ];
  const proveIncoming = incoming.flatMap(({ constraint, becomes }): readonly Step[] => {
    if (becomes === null) return [];
    const from = { schema: constraint.schema, name: constraint.table };
    return [
      {
        kind: "sql",
        id: `prove/${constraint.table}/${constraint.name}`,
        title: `Prove ${constraint.name} of ${constraint.table} while reads and writes go on`,
        sql: `ALTER TABLE ${qualified(from.schema, from.name)} VALIDATE CONSTRAINT ${ident(constraint.name)}`,
        locks: [
          { ...from, mode: "shareUpdateExclusive" },
          { ...from, mode: "accessShare" },
          { ...root, mode: "rowShare" },
          { ...root, mode: "accessShare", partitions: true },
          ...consultedLocks(conversion),
        ],
        rows: [
          { ...from, access: "read" },
          { ...root, access: "read" },
        ],
        transaction: "commitAfter",
        undo: NOTHING,
      },
    ];
  });
  const last: Step = {
    kind: "sql",
    id: "close",
    title: closesPartitions(scheme)
      ? `Close the partitions of ${table.name}: their rows are reached through it`
      : `${table.name} is partitioned`,
    sql: closesPartitions(scheme) ? closePartsSql(conversion) : "SELECT",
    locks: [],
    transaction: "outside",
    probe: NOT_YET,
    undo: {
      kind: "statement",
      sql: backSql(conversion, true),
      locks: [
        { ...root, mode: "accessShare" },
        { schema, name: names.parked, mode: "rowExclusive" },
      ],
      rows: [{ ...root, access: "read" }, ...writesBack(conversion)],
      transaction: "outside",
      probe: NOT_YET,
    },
  };
  return [
    ...prove,
    ...proveIncoming,
    ...conversion.materialized.flatMap((each) => materializedViewSteps(each, names.endings)),
    last,
  ];
}
