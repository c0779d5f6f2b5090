import type { ColumnFact } from "../catalog/columns.ts";
import type { IndexFact } from "../catalog/indexes.ts";
import type { BackfillStep, Lock, RelationName, SqlStep } from "../plan/step.ts";
import { columnsIn, renameColumns } from "../sql/column-references.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { keyOf } from "./backfill-key.ts";
import { buildStepOf } from "./build-index.ts";
import { isOf, type ColumnFacts } from "./own-column.ts";
import { syncBackfill, type SyncTrigger } from "./sync-trigger.ts";

/** How the rows that were there before are gone through. */
export interface BackfillPace {
  /** Rows in one transaction. @default 1000 */
  readonly batchSize?: number;
  /** Rest after each batch. @default 0 */
  readonly pauseMs?: number;
}

/** A column to be added. */
export interface NewColumn {
  readonly name: string;
  readonly type: string;
  /** Schema-qualified. */
  readonly collation?: string | null;
}

/** Adds nullable columns without a default: a change of the catalog only. */
export function addColumnsStep(
  table: RelationName,
  columns: readonly NewColumn[],
  then: readonly string[] = [],
): SqlStep {
  const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
  const added = columns.map(
    ({ name, type, collation }) =>
      `ADD COLUMN ${ident(name)} ${type}${collation == null ? "" : ` COLLATE ${collation}`}`,
  );
  const change = {
    locks: [{ ...table, mode: "accessExclusive", partitions: true }] as readonly Lock[],
    transaction: "inside",
  } as const;
  return {
    kind: "sql",
    id: "add-columns",
    title: `Add ${columns.map(({ name }) => name).join(", ")} to ${table.name}`,
    sql: [`${alter} ${added.join(", ")}`, ...then].join(";\n"),
    ...change,
    undo: {
      kind: "statement",
      sql: `${alter} ${columns.map(({ name }) => `DROP COLUMN ${ident(name)}`).join(", ")}`,
      residue: "a dropped column keeps its slot of the 1,600 that a table may have",
      ...change,
    },
  };
}

/** Fills the new columns of rows that were there before the trigger. */
export function backfillStep(
  facts: ColumnFacts,
  sync: SyncTrigger,
  { batchSize = 1000, pauseMs = 0 }: BackfillPace,
): BackfillStep {
  return {
    kind: "backfill",
    id: "backfill",
    title: `Fill ${sync.new.map(({ name }) => name).join(", ")} of the rows that were there before`,
    table: sync.table,
    key: keyOf(facts, sync.table),
    ...syncBackfill(sync),
    batchSize,
    pauseMs,
    undo: { kind: "nothing" },
  };
}

/**
 * What an INSERT puts where nobody names the column, as an expression that yields the same for both sides of a row; null where
 * none does.
 */
export function steadyDefault({ default: expression, identity }: ColumnFact): string | null {
  if (identity !== null) return null;
  if (expression === null) return "NULL";
  const bare = expression.replaceAll(/[eE]?'(?:[^']|'')*'/g, "?");
  // The time of the transaction; any other function may give another value the second time.
  const calls = [...bare.matchAll(/([\w."]+)\s*\(/g)].map(([, name]) => name);
  return calls.every((name) => name === "now") ? expression : null;
}

/** An index of a table that mentions a column, and its like for another column. */
export interface IndexCopy {
  readonly index: IndexFact;
  readonly name: string;
  readonly step: SqlStep;
}

/** The indexes that hold a column, or whose expressions or predicate name it, built for another column. */
export function copyIndexes(
  facts: ColumnFacts,
  table: RelationName,
  column: string,
  shadow: string,
  suffix: string,
): readonly IndexCopy[] {
  const names = new Map([[column, shadow]]);
  return facts.indexes
    .filter((index) => isOf(index, table) && index.valid && mentions(index, column))
    .map((index) => {
      const name = shorten(`${index.name}_${suffix}`);
      const create = copyIndexSql(index, table, name, names);
      return { index, name, step: buildStepOf(create, table, name, `copy-index:${index.name}`) };
    });
}

function mentions({ keys, include, predicate }: IndexFact, column: string): boolean {
  return (
    include.includes(column) ||
    keys.some((key) =>
      key.column === null ? columnsIn(key.definition, [column]).length > 0 : key.column === column,
    ) ||
    (predicate !== null && columnsIn(predicate, [column]).length > 0)
  );
}

/**
 * CREATE INDEX CONCURRENTLY of an index, about other columns.
 *
 * An operator class or collation is named where the printed definition names it: the default of another type is another class.
 * What is unique at the end of a transaction only is copied as an index that is not.
 */
export function copyIndexSql(
  index: IndexFact,
  table: RelationName,
  name: string,
  names: ReadonlyMap<string, string>,
): string {
  const { definition, keys, include, predicate, options, tablespace } = index;
  const unique = index.unique && index.immediate;
  const isPrinted = (word: string) => definition.includes(word);
  const parts = keys.map((key) => {
    const replaced = key.column === null ? undefined : names.get(key.column);
    const what =
      key.column === null
        ? `(${renameColumns(key.definition, names)})`
        : ident(replaced ?? key.column);
    const operatorClass = key.operatorClass.split(".").at(-1) ?? "";
    return [
      what,
      ...(key.collation !== null && isPrinted(" COLLATE ") ? [`COLLATE ${key.collation}`] : []),
      ...(isPrinted(` ${operatorClass}`) || isPrinted(`.${operatorClass}`)
        ? [key.operatorClass]
        : []),
      ...(key.descending ? ["DESC"] : []),
      ...(key.nullsFirst === key.descending ? [] : [key.nullsFirst ? "NULLS FIRST" : "NULLS LAST"]),
    ].join(" ");
  });
  const included = include.map((column) => ident(names.get(column) ?? column));
  const settings = options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${key} = ${literal(value.join("="))}`;
  });
  return [
    `CREATE ${unique ? "UNIQUE " : ""}INDEX CONCURRENTLY ${ident(name)} ON ${qualified(table.schema, table.name)} USING ${ident(index.method)} (${parts.join(", ")})`,
    ...(included.length > 0 ? [`INCLUDE (${included.join(", ")})`] : []),
    ...(unique && index.nullsNotDistinct ? ["NULLS NOT DISTINCT"] : []),
    ...(settings.length > 0 ? [`WITH (${settings.join(", ")})`] : []),
    ...(tablespace === null ? [] : [`TABLESPACE ${ident(tablespace)}`]),
    ...(predicate === null ? [] : [`WHERE ${renameColumns(predicate, names)}`]),
  ].join(" ");
}

/** The privileges that roles hold on one column alone, for another. */
export function copyColumnGrants(
  { grants }: ColumnFacts,
  table: RelationName,
  column: string,
  shadow: string,
): readonly string[] {
  return grants
    .filter(
      (grant) =>
        grant.on === "column" &&
        grant.schema === table.schema &&
        grant.name === table.name &&
        grant.detail === column,
    )
    .flatMap(({ grantee, privileges, grantable }) => {
      const to = grantee === "public" ? "PUBLIC" : ident(grantee);
      const give = (list: readonly string[], option: string) =>
        list.length === 0
          ? []
          : [
              `GRANT ${list.map((privilege) => `${privilege} (${ident(shadow)})`).join(", ")} ON TABLE ${qualified(table.schema, table.name)} TO ${to}${option}`,
            ];
      return [
        ...give(
          privileges.filter((privilege) => !grantable.includes(privilege)),
          "",
        ),
        ...give(grantable, " WITH GRANT OPTION"),
      ];
    });
}
