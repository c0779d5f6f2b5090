import type { Scheme } from "../../definition/scheme.ts";
import { plan } from "../../plan/plan.ts";
import type { Lock, Plan, Step } from "../../plan/step.ts";
import { buildStep, buildStepOf } from "../../recipes/build-index.ts";
import { setNotNull } from "../../recipes/set-not-null.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { materializedViewSteps } from "../convert/materialized-views.ts";
import { rootIndexes } from "./attach-counts.ts";
import { legacyName, narrowName, rootName } from "./attach-names.ts";
import { attachOf, type Attach, type AttachOptions } from "./attach-of.ts";
import { notedSteps } from "./attach-noted-steps.ts";
import { outsideSql } from "./attach-note.ts";
import { prepareSql, restOf } from "./attach-prepare.ts";
import { swapStep } from "./attach-swap-step.ts";
import { schemeFunctionSteps } from "./scheme-functions.ts";

/**
 * Makes a plain table the first partition of a new root that takes its name, without copying a row: of a list it takes all values that
 * are there, of a range all up to a bound. New values, or later intervals, get partitions of their own from then on.
 *
 * While it runs, values that nobody has seen are noted and refused nowhere; the swap takes milliseconds, whatever the table holds. An
 * undo after it brings home what was written to other partitions.
 */
export function attachPlan<S extends Scheme>(options: AttachOptions<S>): Plan {
  const attach = attachOf(options);
  const { schema, table, scheme } = attach;
  return plan(`attach-${schema}-${table.name}`, [
    ...beforeSteps(attach),
    ...schemeFunctionSteps(scheme, options.facts.functions),
    ...preparedSteps(attach),
    ...notedSteps(attach),
    swapStep(attach),
    ...attach.materialized.flatMap((each) => materializedViewSteps(each, ENDINGS)),
    ...afterSteps(attach),
  ]);
}

const NOTHING = { kind: "nothing" } as const;

/** What the names of materialized views end with while there are two of them. */
const ENDINGS = { beside: "root", parked: "legacy" } as const;

/** The keys that the root will have, on the table as it is. */
function beforeSteps({
  schema,
  table,
  nullable,
  keepsKey,
  primary,
  key,
  narrow,
}: Attach): readonly (Step | Plan)[] {
  const own = { schema, name: table.name };
  const unique = (columns: readonly string[], name: string, id: string): readonly Step[] => {
    const [first, ...rest] = columns;
    return first === undefined
      ? []
      : [buildStep({ parts: [first, ...rest], unique: true }, own, name, id)];
  };
  return [
    ...(nullable.length === 0 ? [] : [noNullStep(own.schema, own.name, nullable)]),
    ...nullable.map((column) => onPlain(setNotNull({ schema, table: table.name, column }))),
    ...(keepsKey
      ? []
      : [
          ...unique(key, legacyName(primary.name), "key"),
          ...unique(primary.columns, narrowName(primary.name), "key-for-the-way-back"),
        ]),
    ...narrow.flatMap(({ index, widened }) => {
      const name = legacyName(index.name);
      if (widened !== null) return unique(widened, name, `unique/${index.name}`);
      const create = `CREATE INDEX CONCURRENTLY ${ident(name)} ON ${qualified(schema, table.name)} ${restOf(index)}`;
      return [buildStepOf(create, own, name, `index/${index.name}`)];
    }),
  ];
}

/** The same steps of a table that has no partitions yet. */
function onPlain({ steps, ...rest }: Plan): Plan {
  const plain = (locks: readonly Lock[]) => locks.map(({ partitions: _, ...lock }): Lock => lock);
  return {
    ...rest,
    steps: steps.map((step): Step => {
      if (step.kind !== "sql") return step;
      const { undo } = step;
      return {
        ...step,
        locks: plain(step.locks),
        undo: undo.kind === "statement" ? { ...undo, locks: plain(undo.locks) } : undo,
      };
    }),
  };
}

function noNullStep(schema: string, table: string, nullable: readonly string[]): Step {
  const list = nullable.map(ident).join(", ");
  return {
    kind: "check",
    id: "no-null",
    title: `No row of ${table} lacks ${nullable.join(", ")}: a row with NULL has no partition`,
    sql: `SELECT ${list} FROM ${qualified(schema, table)} WHERE ${nullable.map((each) => `${ident(each)} IS NULL`).join(" OR ")}`,
    expect: "noRows",
    rows: [{ schema, name: table, access: "read" }],
    transaction: "commitAfter",
    undo: NOTHING,
  };
}

/** The root, with its foreign keys. */
function preparedSteps(attach: Attach): readonly Step[] {
  const { schema, table, names, keys, sequences } = attach;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const identities = sequences.filter(({ ownedBy }) => ownedBy?.as === "identity");
  const path = qualified(schema, names.root);
  return [
    {
      kind: "sql",
      id: "prepare",
      title: `Make ${names.root} beside ${table.name}, empty and closed`,
      sql: prepareSql(attach),
      locks: [
        { ...lock(table.name, "accessShare"), indexes: false },
        ...sequences.flatMap(({ name, ownedBy }) =>
          ownedBy?.as === "serial" ? [lock(name, "accessShare")] : [],
        ),
      ],
      creates: 1 + rootIndexes(attach) + identities.length,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `DROP TABLE ${path}`,
        locks: [
          lock(names.root, "accessExclusive"),
          ...identities.map(({ name }) => lock(rootName(name), "accessExclusive")),
        ],
        // The indexes that are dropped, each a lock.
        creates: rootIndexes(attach),
        transaction: "inside",
      },
    },
    ...keys.map(
      (key): Step => ({
        kind: "sql",
        id: `key/${key.name}`,
        title: `Give ${names.root} the foreign key ${key.name}`,
        sql: `ALTER TABLE ${path} ADD CONSTRAINT ${ident(key.name)} ${key.definition}`,
        locks: [lock(names.root, "shareRowExclusive"), { ...key.to, mode: "shareRowExclusive" }],
        transaction: "commitAfter",
        undo: {
          kind: "statement",
          sql: `ALTER TABLE ${path} DROP CONSTRAINT ${ident(key.name)}`,
          locks: [lock(names.root, "accessExclusive"), { ...key.to, mode: "accessExclusive" }],
          transaction: "inside",
        },
      }),
    ),
  ];
}

function afterSteps(attach: Attach): readonly Step[] {
  const { schema, table, names, column } = attach;
  return [
    {
      kind: "check",
      id: "proof",
      title: `Every row of ${names.legacy} has a ${column.name} that it takes`,
      sql: outsideSql(attach),
      expect: "noRows",
      rows: [{ schema, name: table.name, access: "read" }],
      transaction: "commitAfter",
      undo: NOTHING,
    },
    {
      kind: "sql",
      id: "analyze",
      title: `Read the statistics of ${table.name} as a whole`,
      sql: `ANALYZE ${qualified(schema, table.name)}`,
      locks: [
        { schema, name: table.name, mode: "shareUpdateExclusive", partitions: true },
        { schema, name: names.legacy, mode: "accessShare" },
      ],
      transaction: "commitAfter",
      undo: NOTHING,
    },
  ];
}
