// Long because: the checks, the swap and its way back are read together.
import type { ColumnFact } from "../catalog/columns.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { TypeFact } from "../catalog/types.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { labelsAsReadSql } from "./enum-labels.ts";
import type { EnumTarget } from "./enum-value.ts";
import { familyOf, isOf, refuse } from "./table-facts.ts";
import { typeReference } from "./type-reference.ts";

/** Which value to remove from an enum. */
export interface RemoveEnumValueOptions extends EnumTarget {
  /** Readings of the catalog, of every schema whose tables use the type: `await readFacts(db)`. */
  readonly facts: Pick<
    Facts,
    | "types"
    | "tables"
    | "columns"
    | "dependencies"
    | "partitions"
    | "inheritance"
    | "grants"
    | "indexes"
  >;
  readonly value: string;
  /** The most bytes that a table with a column of the type may have, with its indexes: it is rewritten while everybody waits. @default 16 MiB */
  readonly maxBytes?: number;
}

/** A column of the type. */
interface User extends RelationName {
  readonly column: string;
  readonly isArray: boolean;
  readonly default: string | null;
}

/**
 * Removes a value from an enum that no row uses any more.
 *
 * PostgreSQL has no statement for it: a type without the value takes the name, and every column of the type is rewritten, under ACCESS
 * EXCLUSIVE. So it is for small tables, and that is looked at before anything is locked; for others `changeColumnType` moves the
 * column. Rows that use the value are counted first, and one that comes meanwhile makes the rewrite fail as a whole (22P02).
 *
 * @example
 * import { readFacts } from "underpin";
 * import { removeEnumValue } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE people (now mood)",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = removeEnumValue({ facts, type: "mood", value: "sad" });
 * plan.steps.map(({ id }) => id); // ["nothing-else-uses-it", "is-small", "no-row-uses-it", "swap"]
 * await close();
 */
export function removeEnumValue(options: RemoveEnumValueOptions): Plan {
  const { facts, schema = "public", type: name, value, maxBytes = 16 * 1024 * 1024 } = options;
  const type =
    facts.types.find(
      (each) => each.kind === "enum" && each.schema === schema && each.name === name,
    ) ??
    refuse(
      `the facts hold no enum ${qualified(schema, name)}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  const path = qualified(schema, name);
  if (!type.labels.includes(value))
    refuse(`${path} has no value ${value}`, `Its values: ${type.labels.join(", ")}.`);
  const users = usersOf(facts, type);
  refuseUnfit(facts, type, value, users);
  const fewer = type.labels.filter((label) => label !== value);
  const tables = tablesOf(users);
  const swap = (from: readonly string[], to: readonly string[]) =>
    ({
      sql: swapSql(type, { from, to }, users),
      ...rewriteOf(facts, tables, users),
    }) as const;
  return plan(`remove-enum-value-${schema}-${name}-${value}`, [
    nothingElseUses(type),
    isSmall(tables, maxBytes),
    noRowUses(type, value, users),
    {
      kind: "sql",
      id: "swap",
      title: `${name} without ${value} takes the place of ${name}`,
      ...swap(type.labels, fewer),
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        ...swap(fewer, type.labels),
        transaction: "inside",
      },
    },
  ]);
}

function usersOf({ tables, columns }: RemoveEnumValueOptions["facts"], type: TypeFact): User[] {
  return columns.flatMap((column): User[] => {
    const read = typeReference(column.type);
    const isUser = read?.schema === type.schema && read.name === type.name;
    const isTable = tables.some((each) => isOf(each)(column));
    // What comes from above changes with it.
    if (!isUser || !isTable || column.inheritCount > 0) return [];
    return [userOf(column, read.isArray)];
  });
}

function userOf({ schema, table, name, default: value }: ColumnFact, isArray: boolean): User {
  return { schema, name: table, column: name, isArray, default: value };
}

function refuseUnfit(
  { dependencies, partitions, grants }: RemoveEnumValueOptions["facts"],
  type: TypeFact,
  value: string,
  users: readonly User[],
): void {
  const path = qualified(type.schema, type.name);
  const elsewhere =
    "Move the columns one by one with changeColumnType to a new enum without it, then drop the old one.";
  for (const user of users) {
    const column = `${ident(user.column)} of ${qualified(user.schema, user.name)}`;
    const dependent = dependencies.find(
      ({ on, dependent: by }) =>
        on.kind === "column" &&
        on.detail === user.column &&
        samePlace(on, user) &&
        by.kind !== "trigger",
    )?.dependent;
    if (dependent !== undefined)
      refuse(
        `${path} cannot lose ${value}: the ${dependent.kind} ${qualified(dependent.schema, dependent.name)} uses ${column}, whose type changes`,
        elsewhere,
      );
    if (partitions.some((each) => samePlace(each, user) && each.key?.columns.includes(user.column)))
      refuse(
        `${path} cannot lose ${value}: ${column} is a partition key, whose type cannot change`,
        "Make a new partitioned table, and move the rows.",
      );
    if (user.default?.startsWith(`${literal(value)}::`) === true)
      refuse(
        `${path} cannot lose ${value}: it is the default of ${column}`,
        "Give the column another default first.",
      );
  }
  const granted = grants
    .filter((each) => each.on === "type" && samePlace(each, type))
    .map(({ grantee }) => grantee)
    .filter((grantee) => grantee !== type.owner && grantee !== "public");
  if (granted.length > 0)
    refuse(
      `${path} cannot lose ${value}: ${granted.join(", ")} hold grants on it, which the type in its place would not have`,
      "Revoke them before, and grant them again afterwards.",
    );
}

/** Indexes, constraints and functions that spell a value of the type, and types that are made of it. */
function nothingElseUses(type: TypeFact): Step {
  return {
    kind: "check",
    id: "nothing-else-uses-it",
    title: `Only columns and their defaults use ${type.name}`,
    sql: `SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent, 'uses the type' AS reason
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
WHERE t.oid = pg_catalog.to_regtype(${literal(qualified(type.schema, type.name))})
  AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.typarray)
  AND NOT (coalesce(c.relkind IN ('r', 'p'), false) AND d.objsubid > 0)
  AND d.classid <> 'pg_catalog.pg_attrdef'::regclass`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function isSmall(tables: readonly RelationName[], maxBytes: number): Step {
  const roots = tables.map(
    ({ schema, name }) => `(${literal(qualified(schema, name))}::regclass::oid)`,
  );
  return {
    kind: "check",
    id: "is-small",
    title: "The tables are small enough to be rewritten while everybody waits",
    sql:
      roots.length === 0
        ? "SELECT 1 WHERE false"
        : `WITH RECURSIVE tree (root, oid) AS (
  SELECT r.oid, r.oid FROM (VALUES ${roots.join(", ")}) AS r (oid)
  UNION SELECT t.root, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT t.root::regclass::text AS relation, pg_catalog.sum(pg_catalog.pg_total_relation_size(t.oid)) AS bytes,
  'is too large: move its column with changeColumnType' AS reason
FROM tree t GROUP BY t.root HAVING pg_catalog.sum(pg_catalog.pg_total_relation_size(t.oid)) > ${maxBytes}`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function noRowUses(type: TypeFact, value: string, users: readonly User[]): Step {
  const label = `${literal(value)}::${qualified(type.schema, type.name)}`;
  const counts = users.map(
    ({ schema, name, column, isArray }) =>
      `SELECT ${literal(`${schema}.${name}`)} AS relation, ${literal(column)} AS column, pg_catalog.count(*) AS rows
FROM ${qualified(schema, name)} AS target WHERE ${isArray ? `${label} = ANY (target.${ident(column)})` : `target.${ident(column)} = ${label}`}
HAVING pg_catalog.count(*) > 0`,
  );
  return {
    kind: "check",
    id: "no-row-uses-it",
    title: `No row is ${value}`,
    sql: counts.length === 0 ? "SELECT 1 WHERE false" : counts.join("\nUNION ALL "),
    expect: "noRows",
    rows: users.map(({ schema, name }) => ({ schema, name, access: "read" })),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function swapSql(
  type: TypeFact,
  labels: { readonly from: readonly string[]; readonly to: readonly string[] },
  users: readonly User[],
): string {
  const { schema, name, owner, comment } = type;
  const path = qualified(schema, name);
  const old = shorten(`${name}_old`);
  return [
    labelsAsReadSql(type, labels.from),
    `ALTER TYPE ${path} RENAME TO ${ident(old)}`,
    `CREATE TYPE ${path} AS ENUM (${labels.to.map(literal).join(", ")})`,
    `ALTER TYPE ${path} OWNER TO ${ident(owner)}`,
    ...(comment === null ? [] : [`COMMENT ON TYPE ${path} IS ${literal(comment)}`]),
    // One ALTER TABLE for all columns of a table: it is rewritten once.
    ...tablesOf(users).map((table) => {
      const own = users.filter((user) => samePlace(user, table));
      return `ALTER TABLE ${qualified(table.schema, table.name)} ${own.flatMap((user) => retypeSql(user, path)).join(", ")}`;
    }),
    `DROP TYPE ${qualified(schema, old)}`,
  ].join(";\n");
}

/** What a rewrite locks, and makes: a new heap for each table that holds rows, and anew each index of a column whose type changes. */
function rewriteOf(
  facts: RemoveEnumValueOptions["facts"],
  tables: readonly User[],
  users: readonly User[],
): { readonly locks: readonly Lock[]; readonly creates: number } {
  const families = tables.map((table) => ({
    columns: users.filter((user) => samePlace(user, table)).map(({ column }) => column),
    members: familyOf(facts, table),
  }));
  const all = families.flatMap(({ columns, members }) =>
    members.map((member) => ({
      member,
      columns,
      indexes: facts.indexes.filter(isOf(member)),
      holdsRows: facts.tables.some((each) => samePlace(each, member) && each.kind === "table"),
    })),
  );
  const lock = ({ schema, name }: RelationName): Lock => ({
    schema,
    name,
    mode: "accessExclusive",
  });
  return {
    locks: all.flatMap(({ member, indexes }) => [lock(member), ...indexes.map(lock)]),
    creates: all.reduce(
      (sum, { columns, indexes, holdsRows }) =>
        sum +
        (holdsRows ? 1 : 0) +
        indexes.filter(({ keys, include }) =>
          [...keys.map(({ column }) => column), ...include].some(
            (column) => column !== null && columns.includes(column),
          ),
        ).length,
      0,
    ),
  };
}

function retypeSql({ column, isArray, default: value }: User, type: string): readonly string[] {
  const alter = `ALTER COLUMN ${ident(column)}`;
  const array = isArray ? "[]" : "";
  return [
    ...(value === null ? [] : [`${alter} DROP DEFAULT`]),
    `${alter} TYPE ${type}${array} USING ${ident(column)}::text${array}::${type}${array}`,
    ...(value === null ? [] : [`${alter} SET DEFAULT ${value}`]),
  ];
}

function tablesOf(users: readonly User[]): readonly User[] {
  return users.filter((user, at) => users.findIndex((each) => samePlace(each, user)) === at);
}

function samePlace(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}
