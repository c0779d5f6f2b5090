import type { ColumnFact } from "../catalog/columns.ts";
import type { Lock, RelationName, Step } from "../plan/step.ts";
import { columnsIn } from "../sql/column-references.ts";
import { ident, qualified } from "../sql/quote.ts";
import { commentsOf } from "./carried-constraints.ts";
import { carriedDependents } from "./carried-dependents.ts";
import { isInstantChange } from "./instant-type.ts";
import { isOf, type ColumnFacts } from "./own-column.ts";
import { analyzeStep } from "./swap-columns.ts";

/** A change of type that writes no row anew. */
export interface InstantChange {
  readonly facts: ColumnFacts;
  readonly type: string;
}

/**
 * One ALTER TYPE, with what stands in its way taken off and put on again in the same transaction: views and policies, which it
 * refuses, and CHECKs, for which it would look at every row. The CHECKs are validated afterwards, while reads and writes go on.
 */
export function instantSteps(
  { facts, type }: InstantChange,
  table: RelationName,
  column: ColumnFact,
): readonly Step[] {
  const path = qualified(table.schema, table.name);
  const alter = `ALTER TABLE ${path}`;
  const dependents = carriedDependents(facts, table, column.name);
  const checks = facts.constraints.filter(
    (each) => isOf(each, table) && each.kind === "check" && each.columns.includes(column.name),
  );
  const names = checks.map(({ name }) => name);
  const indexes = facts.indexes.filter(
    (index) => isOf(index, table) && columnsIn(index.definition, [column.name]).length > 0,
  );
  const comments = [...commentsOf(facts, table, names, [])];
  const changeSql = (to: string, validated: boolean) =>
    [
      ...dependents.drop,
      ...names.map((name) => `${alter} DROP CONSTRAINT ${ident(name)}`),
      `${alter} ALTER COLUMN ${ident(column.name)} TYPE ${to}${column.collation === null ? "" : ` COLLATE ${column.collation}`}`,
      ...checks.map(
        ({ name, definition }) =>
          `${alter} ADD CONSTRAINT ${ident(name)} ${definition}${validated || definition.endsWith(" NOT VALID") ? "" : " NOT VALID"}`,
      ),
      ...comments,
      ...dependents.create,
    ].join(";\n");
  // An index over the column gets a new entry in the catalog, with the file that it has.
  const locks: readonly Lock[] = [
    { ...table, mode: "accessExclusive" },
    ...dependents.locks,
    ...indexes.map(({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" })),
  ];
  // What writes rows anew builds every index anew.
  const others = facts.indexes
    .filter((index) => isOf(index, table) && !indexes.includes(index))
    .map(({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" }));
  const creates = dependents.creates + indexes.length;
  const rewrites = !isInstantChange(type, column.type);
  return [
    {
      kind: "sql",
      id: "change-type",
      title: `${column.name} becomes ${type}: no row is written anew or looked at`,
      sql: changeSql(type, false),
      locks,
      creates,
      transaction: "commitAfter",
      phase: "newType",
      undo: {
        kind: "statement",
        sql: changeSql(column.type, true),
        locks: rewrites ? [...locks, ...others] : locks,
        creates: creates + (rewrites ? 1 : 0),
        transaction: "inside",
        ...(rewrites
          ? {
              residue:
                "the way back writes every row anew under ACCESS EXCLUSIVE, and fails on a value that does not fit: on a large table make a plan back with `using`",
            }
          : {}),
      },
    },
    ...checks
      .filter(({ validated }) => validated)
      .map(
        ({ name }): Step => ({
          kind: "sql",
          id: `validate:${name}`,
          title: `Scan the rows for ${name} while reads and writes go on`,
          sql: `${alter} VALIDATE CONSTRAINT ${ident(name)}`,
          locks: [{ ...table, mode: "shareUpdateExclusive" }],
          transaction: "commitAfter",
          undo: { kind: "nothing" },
        }),
      ),
    analyzeStep(table, column.name),
  ];
}
