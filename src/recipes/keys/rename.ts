import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { isOf, refuse } from "../own-column.ts";
import { placeOf, twinsOf, type Conversion, type Twin } from "./conversion.ts";
import { keyFunctionSql, keyTriggerOf } from "./key-trigger.ts";
import { lockTablesSql } from "./twin-foreign-keys.ts";

/** A conversion as it is once the UUIDs have the names: the integers are called `legacy_…`. */
export function renamed(conversion: Conversion): Conversion {
  const twins = conversion.twins.map((twin): Twin => {
    const { table, column } = twin;
    // What means other rows too keeps its name, as it stays.
    if (twin.cases !== undefined) return twin;
    const name = shorten(`legacy_${column.name}`);
    if (conversion.facts.columns.some((each) => isOf(each, table) && each.name === name))
      refuse(
        `${qualified(table.schema, table.name)} has a column ${name} already`,
        "Rename it first: the integers get that name.",
      );
    return { ...twin, column: { ...column, name }, name: column.name };
  });
  return { ...conversion, twins };
}

/**
 * The UUIDs get the names of the integers, in one transaction of moments for each table; the trigger keeps both alike as before.
 *
 * Who writes an integer where a UUID is fails from then on: no old version may live. Views and policies follow the columns, functions
 * follow the names.
 */
export function renameSteps(
  conversion: Conversion,
  tables: readonly RelationName[],
  replace: readonly Step[],
): readonly Step[] {
  const next = renamed(conversion);
  const columns = (of: Conversion, table: RelationName) =>
    twinsOf(of, table).filter(({ cases }) => cases === undefined);
  const concerned = tables.filter((table) => columns(conversion, table).length > 0);
  return [
    {
      kind: "gate",
      id: "old-versions-gone",
      title: "No old version of the application lives",
      question:
        "Does every running version write by UUID, and is it ready to find the UUIDs under the names of the integers? Who sends an integer to one of them fails from then on.",
      undo: { kind: "nothing" },
    },
    ...replace,
    ...concerned.map((table, at): Step => {
      const path = qualified(table.schema, table.name);
      const rename = (from: string, to: string) =>
        `ALTER TABLE ${path} RENAME COLUMN ${ident(from)} TO ${ident(to)}`;
      const now = columns(conversion, table);
      const then = columns(next, table);
      const functions = (of: Conversion) =>
        [...new Set(twinsOf(of, table).map(({ phase }) => phase))].map((phase) =>
          keyFunctionSql(of, keyTriggerOf(of, table, phase), "CREATE OR REPLACE"),
        );
      const locks: readonly Lock[] = [{ ...table, mode: "accessExclusive", partitions: true }];
      return {
        kind: "sql",
        id: `rename:${placeOf(conversion, table)}`,
        title: `The UUIDs of ${table.name} get the names of its integers`,
        sql: [
          lockTablesSql([table]),
          ...now.flatMap(({ column, name }, n) => [
            rename(column.name, then[n]?.column.name ?? ""),
            rename(name, column.name),
          ]),
          ...functions(next),
        ].join(";\n"),
        locks,
        transaction: "commitAfter",
        ...(at === concerned.length - 1 ? { phase: "renamed" } : {}),
        undo: {
          kind: "statement",
          sql: [
            lockTablesSql([table]),
            ...now
              .toReversed()
              .flatMap(({ column, name }) => [
                rename(column.name, name),
                rename(
                  then.find((each) => each.called === column.name)?.column.name ?? "",
                  column.name,
                ),
              ]),
            ...functions(conversion),
          ].join(";\n"),
          locks,
          transaction: "inside",
        },
      };
    }),
  ];
}
