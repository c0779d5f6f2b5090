import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";

/** One part of an index. */
export type IndexPart =
  | string
  | DrizzleColumn
  | {
      /** A column, or an SQL expression over the row. */
      readonly on: string | DrizzleColumn | { readonly expression: string };
      readonly order?: "asc" | "desc";
      readonly nulls?: "first" | "last";
      /** An operator class as SQL: `gin_trgm_ops`. */
      readonly operatorClass?: string;
      /** A collation as SQL: `"C"`. */
      readonly collation?: string;
    };

/** Which index to build. */
export interface CreateIndexOptions extends TableTarget {
  /** @default `<table>_<columns>_idx`; needed where a part is an expression */
  readonly name?: string;
  readonly parts: readonly [IndexPart, ...IndexPart[]];
  readonly unique?: boolean;
  /** @default "btree" */
  readonly method?: "btree" | "hash" | "gin" | "gist" | "spgist" | "brin" | (string & {});
  readonly include?: readonly (string | DrizzleColumn)[];
  /** A predicate as SQL: the index holds only rows that meet it. */
  readonly where?: string;
}

/**
 * Builds an index while reads and writes go on.
 *
 * CREATE INDEX CONCURRENTLY cannot run in a transaction, and when it fails or is killed it leaves an INVALID index that
 * `IF NOT EXISTS` would take for a good one. The step asks the catalog what is there, drops a broken rest, and builds again.
 * PostgreSQL has no concurrent form for a partitioned table (0A000 up to 18): it is refused by a check.
 *
 * @example
 * const plan = createIndex({ table: "users", parts: ["email"], unique: true });
 * plan.name; // "create-index-public-users_email_idx"
 */
export function createIndex(options: CreateIndexOptions): Plan {
  const target = targetOf(options);
  const name = options.name ?? defaultName(target, options.parts);
  const table = qualified(target.schema, target.name);
  const index = qualified(target.schema, name);
  const drop = `DROP INDEX CONCURRENTLY IF EXISTS ${index}`;
  const steps: readonly Step[] = [
    {
      kind: "check",
      id: "is-plain-table",
      title: `${target.name} can have an index built concurrently`,
      sql: `SELECT n.nspname, c.relname, 'partitioned: build it on each partition' AS reason
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ${literal(table)}::regclass AND c.relkind = 'p'`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "create-index",
      title: `Build ${name} while reads and writes go on`,
      sql: createSql(options, target, name),
      locks: [{ ...target, mode: "shareUpdateExclusive" }],
      transaction: "outside",
      probe: { sql: presentSql(target, name), repair: { sql: drop, then: "retry" } },
      undo: {
        kind: "statement",
        sql: drop,
        locks: [
          { ...target, mode: "shareUpdateExclusive" },
          { schema: target.schema, name, mode: "shareUpdateExclusive" },
        ],
        transaction: "outside",
        probe: { sql: absentSql(target, name) },
      },
    },
  ];
  return plan(`create-index-${target.schema}-${name}`, steps);
}

function defaultName({ name }: RelationName, parts: CreateIndexOptions["parts"]): string {
  const columns = parts.map((part) => {
    const on = typeof part === "object" && "on" in part ? part.on : part;
    if (typeof on === "object" && "expression" in on)
      throw new UnderpinError({
        code: "invalidInput",
        message: `an index on the expression ${on.expression} needs a name`,
        hint: `createIndex({ …, name: ${JSON.stringify(`${name}_…_idx`)} })`,
      });
    return columnName(on);
  });
  return shorten(`${name}_${columns.join("_")}_idx`);
}

function createSql(
  { parts, unique, method, include, where }: CreateIndexOptions,
  { schema, name: table }: RelationName,
  name: string,
): string {
  const including = include?.map((column) => ident(columnName(column))).join(", ");
  return [
    `CREATE ${unique === true ? "UNIQUE " : ""}INDEX CONCURRENTLY ${ident(name)}`,
    `ON ${qualified(schema, table)} USING ${ident(method ?? "btree")} (${parts.map(partSql).join(", ")})`,
    ...(including === undefined ? [] : [`INCLUDE (${including})`]),
    ...(where === undefined ? [] : [`WHERE ${where}`]),
  ].join(" ");
}

function partSql(part: IndexPart): string {
  if (typeof part === "string" || !("on" in part)) return ident(columnName(part));
  const { on, order, nulls, operatorClass, collation } = part;
  const what =
    typeof on === "object" && "expression" in on ? `(${on.expression})` : ident(columnName(on));
  return [
    what,
    ...(collation === undefined ? [] : [`COLLATE ${collation}`]),
    ...(operatorClass === undefined ? [] : [operatorClass]),
    ...(order === undefined ? [] : [order.toUpperCase()]),
    ...(nulls === undefined ? [] : [`NULLS ${nulls.toUpperCase()}`]),
  ].join(" ");
}

/** An index of the name that is on another table is none of ours: `absent`, and CREATE INDEX says why it cannot be. */
function presentSql(target: RelationName, name: string): string {
  return `SELECT CASE WHEN i.indexrelid IS NULL THEN 'absent'
  WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'done' ELSE 'broken' END AS state
${ofIndex(target, name)}`;
}

/** DROP INDEX CONCURRENTLY that was killed leaves the index INVALID: it is still to be dropped. */
function absentSql(target: RelationName, name: string): string {
  return `SELECT CASE WHEN i.indexrelid IS NULL THEN 'done' ELSE 'absent' END AS state
${ofIndex(target, name)}`;
}

function ofIndex({ schema, name: table }: RelationName, name: string): string {
  return `FROM (VALUES (1)) AS one (row)
LEFT JOIN (pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
  ON n.nspname = ${literal(schema)} AND c.relname = ${literal(name)}
  AND i.indrelid = ${literal(qualified(schema, table))}::regclass`;
}
