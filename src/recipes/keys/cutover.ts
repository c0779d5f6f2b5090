import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { buildStepOf, createIndexSql } from "../build-index.ts";
import { isSame } from "../own-column.ts";
import { copyIndexSql } from "../shadow-column.ts";
import { namesOf, placeOf, type Conversion, type Surrogate } from "./conversion.ts";
import {
  addAgainSql,
  lockTablesSql,
  provedOnTheWayBack,
  referSql,
  twinForeignKeys,
  type TwinForeignKey,
} from "./twin-foreign-keys.ts";
import { spareName, spareStep, twinIndexes, type TwinIndex } from "./twin-indexes.ts";

/**
 * The primary keys of a phase become UUIDs, each in one transaction of moments.
 *
 * The foreign keys of the integers that rely on the primary key's index go with it: those of the UUIDs hold the same rows, since the trigger
 * keeps both alike. On the way back they come again NOT VALID, and are proved once the old key is there; and so do those over UUIDs, on an
 * index that was built before: until the columns go, both keys are whole.
 */
export function cutoverSteps(conversion: Conversion, phase: number): readonly Step[] {
  const keys = twinForeignKeys(conversion);
  const swaps = twinIndexes(conversion)
    .filter(({ index, phase: of }) => index.primary && of === phase)
    .map((twin): Swap => {
      const surrogate = conversion.surrogates.find((each) => isSame(each.table, twin.table));
      const { relying, pointing } = referring(keys, twin);
      const next = surrogate?.index ?? twin.name;
      return {
        ...{ twin, surrogate, relying, next, again: shorten(`${next}_again`) },
        pointing: surrogate === undefined ? pointing : [],
      };
    });
  const proved = (of: readonly TwinForeignKey[], over: "integers" | "uuids") =>
    of.filter(({ key }) => key.validated).map((each) => provedOnTheWayBack(conversion, each, over));
  return [
    ...swaps.flatMap(({ pointing }) => proved(pointing, "uuids")),
    ...swaps.flatMap(({ relying }) => proved(relying, "integers")),
    ...swaps.map(({ twin }) => spareStep(conversion, twin)),
    ...swaps.flatMap((swap) => [swapStep(conversion, swap), againStep(conversion, swap)]),
  ];
}

/** A primary key that changes. */
interface Swap {
  readonly twin: TwinIndex;
  readonly surrogate: Surrogate | undefined;
  /** The foreign keys that rely on the key of integers. */
  readonly relying: readonly TwinForeignKey[];
  /** Those over UUIDs that rely on the next. */
  readonly pointing: readonly TwinForeignKey[];
  /** The index that becomes the primary key, and the one that takes its place on the way back. */
  readonly next: string;
  readonly again: string;
}

/** The foreign keys that rely on a primary key, and those over UUIDs that will rely on the next. */
function referring(keys: readonly TwinForeignKey[], { index, table }: TwinIndex) {
  const columns = index.keys.map(({ column }) => column);
  return {
    relying: keys.filter(
      ({ key }) => key.index?.schema === index.schema && key.index.name === index.name,
    ),
    pointing: keys.filter(
      ({ key, to }) =>
        isSame(to, table) &&
        key.references.columns.length === columns.length &&
        key.references.columns.every((column) => columns.includes(column)),
    ),
  };
}

function swapStep(conversion: Conversion, { twin, relying, pointing, next, again }: Swap): Step {
  const { index, table } = twin;
  const key = index.constraint ?? index.name;
  const path = qualified(table.schema, table.name);
  const spare = spareName(index.name);
  const drop = (twin: TwinForeignKey, constraint: string) =>
    `ALTER TABLE ${qualified(twin.from.schema, twin.from.name)} DROP CONSTRAINT IF EXISTS ${ident(constraint)}`;
  const fact = conversion.facts.constraints.find(
    (each) => each.schema === table.schema && each.table === table.name && each.name === key,
  );
  const keyTo = (made: string) => [
    `ALTER TABLE ${path} DROP CONSTRAINT ${ident(key)}`,
    `ALTER TABLE ${path} ADD CONSTRAINT ${ident(key)} PRIMARY KEY USING INDEX ${ident(made)}`,
    ...(fact?.comment == null
      ? []
      : [`COMMENT ON CONSTRAINT ${ident(key)} ON ${path} IS ${literal(fact.comment)}`]),
    ...(index.comment === null
      ? []
      : [`COMMENT ON INDEX ${qualified(table.schema, key)} IS ${literal(index.comment)}`]),
  ];
  const froms = [...relying, ...pointing].map(({ from }) => from);
  const own: Lock = { ...table, mode: "accessExclusive" };
  const on = (twins: readonly TwinForeignKey[]): readonly Lock[] =>
    distinct(twins.map(({ from }) => from))
      .filter((each) => !isSame(each, table))
      .map((each): Lock => ({ ...each, mode: "accessExclusive" }));
  const ofIndex = (of: string, mode: Lock["mode"]): Lock => ({
    schema: table.schema,
    name: of,
    mode,
  });
  return {
    kind: "sql",
    id: `cutover:${placeOf(conversion, table)}`,
    title: `The primary key of ${table.name} is over UUIDs from now on; its integers go on being assigned`,
    sql: [
      lockTablesSql([table, ...relying.map(({ from }) => from)]),
      ...relying.map((twin) => drop(twin, twin.key.name)),
      ...keyTo(next),
    ].join(";\n"),
    locks: [
      own,
      ...on(relying),
      ofIndex(index.name, "accessExclusive"),
      ofIndex(next, "shareUpdateExclusive"),
    ],
    // Together with the next step, so that the one is never taken back without the other.
    transaction: "inside",
    undo: {
      kind: "statement",
      sql: [
        lockTablesSql([table, ...froms]),
        ...pointing.map((twin) => drop(twin, twin.name)),
        ...keyTo(spare),
        `ALTER INDEX ${qualified(table.schema, again)} RENAME TO ${ident(next)}`,
        ...pointing.flatMap(referSql),
        ...relying.flatMap(addAgainSql),
      ].join(";\n"),
      locks: [
        own,
        ...on([...relying, ...pointing]),
        ofIndex(key, "accessExclusive"),
        ofIndex(spare, "shareUpdateExclusive"),
        ofIndex(again, "shareUpdateExclusive"),
      ],
      transaction: "inside",
    },
  };
}

/** Does nothing on the way there. On the way back the index that became the primary key is built again, since it goes with the key. */
function againStep(conversion: Conversion, { twin, surrogate, again }: Swap): Step {
  const { index, table } = twin;
  const create =
    surrogate === undefined
      ? copyIndexSql(index, table, again, namesOf(conversion, table))
      : createIndexSql({ parts: [surrogate.column], unique: true }, table, again, "CONCURRENTLY");
  const { sql, locks, probe } = buildStepOf(create, table, again, "");
  return {
    kind: "check",
    id: `kept:${placeOf(conversion, table)}`,
    title: `${table.name} has its primary key`,
    sql: `SELECT 'no primary key' AS reason WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i
  WHERE i.indrelid = ${literal(qualified(table.schema, table.name))}::regclass AND i.indisprimary AND i.indisvalid)`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "statement", sql, locks, transaction: "outside", probe },
  };
}

function distinct(tables: readonly RelationName[]): readonly RelationName[] {
  return tables.filter((each, at) => tables.findIndex((other) => isSame(other, each)) === at);
}
