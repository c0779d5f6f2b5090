import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { isSame } from "../own-column.ts";
import { placeOf, type Conversion, type Surrogate } from "./conversion.ts";
import {
  addAgainSql,
  lockTablesSql,
  provedOnTheWayBack,
  twinForeignKeys,
  type TwinForeignKey,
} from "./twin-foreign-keys.ts";
import { spareName, twinIndexes, type TwinIndex } from "./twin-indexes.ts";

/**
 * The primary keys of a phase become UUIDs, each in one transaction of moments.
 *
 * The foreign keys of the integers that rely on the primary key's index go with it: those of the UUIDs hold the same rows, since the trigger
 * keeps both alike. On the way back they come again NOT VALID beside them, and are proved once the old key is there.
 */
export function cutoverSteps(conversion: Conversion, phase: number): readonly Step[] {
  const keys = twinForeignKeys(conversion);
  const swaps = twinIndexes(conversion)
    .filter(({ index, phase: of }) => index.primary && of === phase)
    .map((twin) => ({ twin, ...referring(keys, twin) }));
  return [
    ...swaps.flatMap(({ relying }) =>
      relying
        .filter(({ key }) => key.validated)
        .map((each) => provedOnTheWayBack(conversion, each)),
    ),
    ...swaps.map(({ twin, relying, pointing }) => {
      const surrogate = conversion.surrogates.find((each) => isSame(each.table, twin.table));
      return swapStep(
        conversion,
        twin,
        relying,
        surrogate === undefined ? pointing : [],
        surrogate,
      );
    }),
  ];
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

function swapStep(
  conversion: Conversion,
  { index, table, name }: TwinIndex,
  relying: readonly TwinForeignKey[],
  pointing: readonly TwinForeignKey[],
  surrogate: Surrogate | undefined,
): Step {
  const key = index.constraint ?? index.name;
  const path = qualified(table.schema, table.name);
  const spare = spareName(index.name);
  const next = surrogate?.index ?? name;
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
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: [
        lockTablesSql([table, ...froms]),
        ...pointing.map((twin) => drop(twin, twin.name)),
        ...keyTo(spare),
        ...relying.flatMap(addAgainSql),
      ].join(";\n"),
      locks: [
        own,
        ...on([...relying, ...pointing]),
        ofIndex(key, "accessExclusive"),
        ofIndex(spare, "shareUpdateExclusive"),
      ],
      transaction: "inside",
    },
  };
}

function distinct(tables: readonly RelationName[]): readonly RelationName[] {
  return tables.filter((each, at) => tables.findIndex((other) => isSame(other, each)) === at);
}
