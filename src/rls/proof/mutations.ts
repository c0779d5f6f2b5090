import { qualified } from "../../sql/quote.ts";
import type { PlannedCell } from "./cell.ts";
import type { ProofModel } from "./model.ts";
import { accessMutations } from "./mutate-access.ts";
import { partitionMutations } from "./mutate-partitions.ts";
import { policyMutations, tableMutations } from "./mutate-tables.ts";
import type { Mutation } from "./mutation.ts";

/** Every way that is tried. */
export function mutationsOf(model: ProofModel): readonly Mutation[] {
  return [
    ...model.tables
      .filter(({ rules }) => rules !== null)
      .flatMap((table) => [
        ...policyMutations(model, table),
        ...tableMutations(table),
        ...partitionMutations(model, table),
      ]),
    ...model.definition.access.flatMap((access) => accessMutations(access)),
    ...viewMutations(model),
    ...undeclared(model),
  ];
}

function viewMutations(model: ProofModel): readonly Mutation[] {
  return model.views.flatMap((view): Mutation[] => {
    const { sql, path, kind } = view;
    const shows = ({ object }: PlannedCell) => object === path;
    if (kind === "materialized view")
      return [
        {
          title: "grant it to everybody",
          object: path,
          sql: `GRANT SELECT ON ${sql} TO PUBLIC`,
          shows,
        },
      ];
    // A guard reads as its owner as it is, and what reads no table has nobody's rows.
    return view.invoker && view.readsTables && !view.isStatistics
      ? [
          {
            title: "let it read as its owner",
            object: path,
            sql: `ALTER VIEW ${sql} SET (security_invoker = false)`,
            shows,
          },
        ]
      : [];
  });
}

/** A copy of a table that nobody declared. */
function undeclared(model: ProofModel): readonly Mutation[] {
  const table = model.tables.find(({ rules }) => rules !== null);
  if (table === undefined) return [];
  const copy = qualified(table.schema, "underpin_hole");
  return [
    {
      title: "grant a table that is not declared",
      object: "everything",
      sql: `CREATE TABLE ${copy} AS SELECT * FROM ${table.sql}; GRANT SELECT ON ${copy} TO PUBLIC`,
      shows: ({ object }) => object === "everything",
    },
  ];
}
