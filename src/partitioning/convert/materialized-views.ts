import type { GrantFact } from "../../catalog/grants.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import type { ViewFact } from "../../catalog/views.ts";
import type { Lock, RelationName, RowAccess, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { closeSql, copyIndexSql } from "../flat/twin-beside.ts";
import { besideName, parkedName, type TwinNames } from "../flat/twins.ts";
import type { ConvertFacts } from "./copy-options.ts";
import { isSame, replaceViewSql } from "./dependents-of.ts";
import { refuser } from "./refusals.ts";

/** A materialized view that reads the table, with what goes with its name. */
export interface CarriedMaterializedView {
  readonly view: ViewFact;
  readonly indexes: readonly IndexFact[];
  readonly comments: readonly { readonly column: string; readonly text: string }[];
  readonly grants: readonly GrantFact[];
  /** Views that read it. */
  readonly views: readonly ViewFact[];
  /** What it reads. */
  readonly reads: readonly RelationName[];
}

/** What goes with a materialized view; refuses what cannot be said of another. */
export function carriedMaterializedView(
  facts: ConvertFacts,
  view: ViewFact,
): CarriedMaterializedView {
  const path = qualified(view.schema, view.name);
  const users = facts.dependencies.filter(
    ({ on, dependent }) => isSame(on, view) && !isSame(dependent, view) && on.kind !== "function",
  );
  const views = users.map(({ dependent }) => {
    const found = facts.views.find((each) => isSame(each, dependent));
    if (dependent.kind === "view" && found !== undefined) return found;
    throw refuser(path)(
      `is used by ${qualified(dependent.schema, dependent.name)}, which would go on with the old one`,
      "Drop it, convert the table, and make it again; read the facts of its schema too.",
    );
  });
  const reads = facts.dependencies.flatMap(({ on, dependent }) =>
    isSame(dependent, view) && (on.kind === "relation" || on.kind === "column")
      ? [[qualified(on.schema, on.name), { schema: on.schema, name: on.name }] as const]
      : [],
  );
  return {
    view,
    indexes: facts.indexes.filter(
      ({ schema, table }) => schema === view.schema && table === view.name,
    ),
    comments: facts.columns.flatMap(({ schema, table, name, comment }) =>
      schema === view.schema && table === view.name && comment !== null
        ? [{ column: name, text: comment }]
        : [],
    ),
    grants: facts.grants.filter(
      (each) => isSame(each, view) && (each.on === "relation" || each.on === "column"),
    ),
    views: [...new Map(views.map((each) => [qualified(each.schema, each.name), each])).values()],
    reads: [...new Map(reads).values()],
  };
}

/**
 * After the swap: a second materialized view that reads the partitioned table, filled while the first is read; then the two change names in a
 * moment. Until then the first shows what the table held at the swap.
 */
export function materializedViewSteps(
  carried: CarriedMaterializedView,
  endings: TwinNames["endings"],
): readonly Step[] {
  const { view, indexes, views, reads } = carried;
  const { schema, name } = view;
  const names = { endings };
  const [beside, parked] = [besideName({ names }, name), parkedName({ names }, name)];
  const lock = (relation: string, mode: Lock["mode"]): Lock => ({ schema, name: relation, mode });
  const swap = (
    from: string,
    to: string,
    indexName: (index: string) => readonly [string, string],
  ) =>
    [
      // LOCK TABLE knows no materialized views: the renames take the locks.
      "SELECT pg_catalog.set_config('lock_timeout', '400ms', true)",
      `ALTER MATERIALIZED VIEW ${qualified(schema, name)} RENAME TO ${ident(to)}`,
      `ALTER MATERIALIZED VIEW ${qualified(schema, from)} RENAME TO ${ident(name)}`,
      ...indexes.flatMap((index) => {
        const [fromIndex, toIndex] = indexName(index.name);
        return [
          `ALTER INDEX ${qualified(schema, index.name)} RENAME TO ${ident(toIndex)}`,
          `ALTER INDEX ${qualified(schema, fromIndex)} RENAME TO ${ident(index.name)}`,
        ];
      }),
      ...views.map(replaceViewSql),
    ].join(";\n");
  const locks = (other: string): readonly Lock[] => [
    lock(name, "accessExclusive"),
    lock(other, "accessExclusive"),
    ...views.map(
      (each): Lock => ({ schema: each.schema, name: each.name, mode: "accessExclusive" }),
    ),
    ...indexes.map((index) => lock(index.name, "shareUpdateExclusive")),
  ];
  return [
    {
      kind: "sql",
      id: `view/${name}`,
      title: `Make ${beside}, which reads the partitions, beside ${name}`,
      sql: makeSql(carried, beside, endings),
      locks: reads.map((each): Lock => ({ ...each, mode: "accessShare" })),
      creates: 1 + indexes.length,
      rows: reads.map((each): RowAccess => ({ ...each, access: "read" })),
      transaction: "outside",
      probe: {
        sql: `SELECT CASE WHEN pg_catalog.to_regclass(${literal(qualified(schema, beside))}) IS NULL THEN 'absent' ELSE 'done' END AS state`,
      },
      undo: {
        kind: "statement",
        sql: `DROP MATERIALIZED VIEW ${qualified(schema, beside)}`,
        locks: [lock(beside, "accessExclusive")],
        creates: indexes.length,
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: `view-swap/${name}`,
      title: `Give ${beside} the name ${name}`,
      sql: swap(beside, parked, (index) => [
        besideName({ names }, index),
        parkedName({ names }, index),
      ]),
      locks: locks(beside),
      creates: indexes.length,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: swap(parked, beside, (index) => [
          parkedName({ names }, index),
          besideName({ names }, index),
        ]),
        locks: locks(parked),
        creates: indexes.length,
        transaction: "commitAfter",
      },
    },
  ];
}

function makeSql(
  { view, indexes, comments, grants }: CarriedMaterializedView,
  beside: string,
  endings: TwinNames["endings"],
): string {
  const { schema, name } = view;
  const path = qualified(schema, beside);
  const options = view.options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${key} = ${literal(value.join("="))}`;
  });
  return [
    `CREATE MATERIALIZED VIEW ${path}${options.length > 0 ? ` WITH (${options.join(", ")})` : ""}${view.tablespace === null ? "" : ` TABLESPACE ${ident(view.tablespace)}`} AS ${view.definition.replace(/;\s*$/, "")} WITH${view.populated ? "" : " NO"} DATA`,
    closeSql(path),
    ...indexes.flatMap((index) => [
      copyIndexSql({ schema, table: { name }, names: { beside, endings } }, index.name),
      ...(index.comment === null
        ? []
        : [
            `COMMENT ON INDEX ${qualified(schema, besideName({ names: { endings } }, index.name))} IS ${literal(index.comment)}`,
          ]),
    ]),
    ...(view.comment === null
      ? []
      : [`COMMENT ON MATERIALIZED VIEW ${path} IS ${literal(view.comment)}`]),
    ...comments.map(
      ({ column, text }) => `COMMENT ON COLUMN ${path}.${ident(column)} IS ${literal(text)}`,
    ),
    ...grants
      .filter(({ grantee }) => grantee !== view.owner)
      .flatMap((grant) => grantSql(grant, path)),
    // Whoever runs this may be neither: it is refreshed with the rights of its owner.
    `ALTER MATERIALIZED VIEW ${path} OWNER TO ${ident(view.owner)}`,
    `ANALYZE ${path}`,
  ].join(";\n");
}

function grantSql(
  { on, detail, grantee, privileges, grantable }: GrantFact,
  path: string,
): readonly string[] {
  const to = grantee === "public" ? "PUBLIC" : ident(grantee);
  const column = on === "column" ? ` (${ident(detail ?? "")})` : "";
  return privileges.map(
    (privilege) =>
      `GRANT ${privilege}${column} ON TABLE ${path} TO ${to}${grantable.includes(privilege) ? " WITH GRANT OPTION" : ""}`,
  );
}
