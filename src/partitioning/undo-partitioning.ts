import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RowAccess, Step } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";
import { copiedFlatSql, copyFlatSql, flatDifferenceSql } from "./flat/flat-copy.ts";
import { flatOf, type Flat, type FlatFacts } from "./flat/flat-of.ts";
import { flattenSql, unflattenSql } from "./flat/flat-swap.ts";
import { copyIndexSql, lockTwinsSql, makeBesideSql, makeLogSql } from "./flat/twin-beside.ts";
import { catchUpSql, unwatchSql, watchSql } from "./flat/twin-log.ts";
import { ownTriggers } from "./flat/twin-swap.ts";
import { besideName, parkedName } from "./flat/twins.ts";
import { isUsedByNobody } from "./flat/used-by-nobody.ts";
import { keySteps, provedKeys } from "./reshape-keys.ts";

/** Which partitioned table becomes a plain one. */
export interface UndoPartitioningOptions extends TableTarget {
  /** Readings of the catalog, of all schemas that may refer to the table: `await readFacts(db)`. */
  readonly facts: FlatFacts;
}

/** Leaves in one transaction. */
const LEAVES = 20;

/**
 * Makes one plain table of a partitioned one, while reads and writes go on.
 *
 * PostgreSQL cannot turn one into the other. The rows are copied, leaf by leaf, into a plain table beside it, which a log of changed keys keeps
 * alike; one short transaction then gives it the name, with indexes, constraints, foreign keys, policies, grants, triggers, comments
 * and the numbers of its sequences. The partitioned table is kept as `<table>_partitioned` until `dropPartitioned`: an undo gives it the
 * name again, with all rows that were written since.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { undoPartitioning } from "underpin/partitioning";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: `CREATE TABLE logs (id int PRIMARY KEY) PARTITION BY RANGE (id);
 *     CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (1000)`,
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * undoPartitioning({ facts, table: "logs" }).name; // "undo-partitioning-public-logs"
 * await close();
 */
export function undoPartitioning(options: UndoPartitioningOptions): Plan {
  const target = targetOf(options);
  const flat = flatOf(options.facts, target);
  const { schema, table, names, leaves, indexes, sequences } = flat;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const on = (some: Flat["leaves"], mode: Lock["mode"]) => some.map(({ name }) => lock(name, mode));
  const reads = (some: Flat["leaves"]) =>
    some.map(({ name }): RowAccess => ({ schema, name, access: "read" }));
  const nothing = { kind: "nothing" } as const;
  const notYet = { sql: "SELECT 'absent' AS state" };
  const parts = Array.from({ length: Math.ceil(leaves.length / LEAVES) }, (_, at) => ({
    number: at + 1,
    leaves: leaves.slice(at * LEAVES, (at + 1) * LEAVES),
  }));
  const identities = sequences.filter(({ ownedBy }) => ownedBy?.as === "identity").length;
  const toPlain = (id: string): Step => ({
    kind: "sql",
    id,
    title: "Copy again what changed meanwhile",
    sql: catchUpSql(flat, {
      from: table.name,
      to: names.beside,
      partitioned: "from",
      commits: true,
    }),
    locks: [lock(table.name, "accessShare"), lock(names.beside, "rowExclusive")],
    rows: [{ schema, name: table.name, access: "read" }],
    transaction: "outside",
    probe: notYet,
    undo: nothing,
  });
  const writesBack: readonly RowAccess[] = [
    { schema, name: names.parked, access: "delete" },
    { schema, name: names.parked, access: "insert" },
  ];
  const swapLocks = (other: string): readonly Lock[] => [
    lock(table.name, "accessExclusive"),
    lock(other, "accessExclusive"),
    lock(names.log, "rowExclusive"),
    ...indexes.map(({ name }) => lock(name, "shareUpdateExclusive")),
  ];
  const steps: readonly Step[] = [
    isUsedByNobody(flat),
    {
      kind: "sql",
      id: "prepare",
      title: `Make ${names.beside} beside ${table.name}, empty and closed`,
      sql: [
        ...makeBesideSql(flat),
        ...indexes.map(({ name }) => copyIndexSql(flat, name)),
        ...makeLogSql(flat),
      ].join(";\n"),
      locks: [
        { ...lock(table.name, "accessShare"), indexes: false },
        ...sequences.flatMap(({ name, ownedBy }) =>
          ownedBy?.as === "serial" ? [lock(name, "accessShare")] : [],
        ),
      ],
      creates: 2 + indexes.length + identities,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: [
          `DROP TABLE ${qualified(schema, names.beside)}`,
          `DROP TABLE ${qualified(schema, names.log)}`,
          ...[names.watch, names.watchBack].map(
            (name) => `DROP FUNCTION ${qualified(schema, name)}()`,
          ),
        ].join(";\n"),
        locks: [
          lock(names.beside, "accessExclusive"),
          lock(names.log, "accessExclusive"),
          ...sequences.flatMap(({ name, ownedBy }) =>
            ownedBy?.as === "identity" ? [lock(besideName(flat, name), "accessExclusive")] : [],
          ),
        ],
        // The indexes that are dropped, each a lock.
        creates: indexes.length,
        transaction: "inside",
      },
    },
    ...parts.map(
      ({ number, leaves: some }): Step => ({
        kind: "sql",
        id: `watch/${number}`,
        title: `Log what changes in ${some.map(({ name }) => name).join(", ")}`,
        sql: [
          lockTwinsSql(
            schema,
            some.map(({ name }) => name),
            "SHARE ROW EXCLUSIVE",
          ),
          ...some.map(({ name }) => watchSql(flat, name, names.watch)),
        ].join(";\n"),
        locks: on(some, "shareRowExclusive"),
        transaction: "commitAfter",
        undo: {
          kind: "statement",
          sql: [
            lockTwinsSql(
              schema,
              some.map(({ name }) => name),
              "ACCESS EXCLUSIVE",
            ),
            ...some.map(({ name }) => unwatchSql(flat, name)),
          ].join(";\n"),
          locks: on(some, "accessExclusive"),
          transaction: "commitAfter",
        },
      }),
    ),
    {
      kind: "sql",
      id: "copy",
      title: "Copy the rows in small transactions",
      sql: copyFlatSql(flat),
      locks: [lock(names.beside, "rowExclusive")],
      rows: reads(leaves),
      transaction: "outside",
      probe: { sql: copiedFlatSql(flat) },
      undo: nothing,
    },
    toPlain("catch-up"),
    ...plainKeySteps(flat, toPlain("catch-up-keys")),
    toPlain("catch-up-again"),
    ...parts.map(
      ({ number, leaves: some }): Step => ({
        kind: "check",
        id: `proof/${number}`,
        title: `${some.map(({ name }) => name).join(", ")} and their part of ${names.beside} hold the same rows, but for those in the log`,
        sql: flatDifferenceSql(flat, some),
        expect: "noRows",
        rows: reads(some),
        transaction: "commitAfter",
        undo: nothing,
      }),
    ),
    {
      kind: "sql",
      id: "swap",
      title: `Give ${names.beside} the name ${table.name}, with all that goes with it`,
      sql: flattenSql(flat),
      locks: [...swapLocks(names.beside), ...besideLocks(flat, besideName)],
      // It creates none: these are the indexes of the other table, each a lock.
      creates: indexes.length,
      rows: [{ schema, name: table.name, access: "read" }],
      transaction: "commitAfter",
      phase: "swapped",
      undo: {
        kind: "statement",
        sql: unflattenSql(flat),
        locks: [...swapLocks(names.parked), ...besideLocks(flat, parkedName)],
        creates: indexes.length,
        rows: [{ schema, name: table.name, access: "read" }, ...writesBack],
        transaction: "commitAfter",
      },
    },
    {
      kind: "sql",
      id: "analyze",
      title: `Read the statistics of the plain ${table.name}`,
      sql: `ANALYZE ${qualified(schema, table.name)}`,
      locks: [lock(table.name, "shareUpdateExclusive"), lock(table.name, "accessShare")],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: catchUpSql(flat, {
          from: table.name,
          to: names.parked,
          partitioned: "to",
          commits: true,
        }),
        locks: [lock(table.name, "accessShare"), lock(names.parked, "rowExclusive")],
        rows: [{ schema, name: table.name, access: "read" }, ...writesBack],
        transaction: "outside",
        probe: notYet,
      },
    },
  ];
  return plan(`undo-partitioning-${schema}-${table.name}`, steps);
}

/** Beside tables and indexes: the sequences that change names or owners, what policies look into, and the clones of triggers that are switched. */
function besideLocks(
  flat: Flat,
  otherName: (twins: Flat, name: string) => string,
): readonly Lock[] {
  const { schema, consulted, sequences, members } = flat;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const ofRows = ownTriggers(flat).some(({ level }) => level === "row");
  return [
    ...consulted.map((each): Lock => ({ ...each, mode: "accessShare", indexes: false })),
    ...sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "identity"
        ? [lock(name, "accessExclusive"), lock(otherName(flat, name), "accessExclusive")]
        : [lock(name, "shareRowExclusive")],
    ),
    ...(ofRows ? members.map((name) => lock(name, "shareRowExclusive")) : []),
  ];
}

/** The plain table has another name by the time that anybody counts its indexes: they are counted here. */
function plainKeySteps(flat: Flat, catchUp: Step): readonly Step[] {
  const { schema, names, indexes } = flat;
  const counted = (step: Step): Step =>
    step.kind === "sql"
      ? {
          ...step,
          locks: step.locks.filter(
            ({ name, mode }) => name !== names.beside || mode !== "accessShare",
          ),
          creates: indexes.length,
        }
      : step;
  return provedKeys(
    flat.keys.map((key) => {
      const [add, validate] = keySteps(schema, { name: names.beside }, key);
      return [add, counted(validate)] as const;
    }),
    catchUp,
  );
}
