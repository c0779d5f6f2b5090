import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { CheckStep, Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { usersOfColumn, usersOfColumnSql, type DependentFacts } from "./column-dependents.ts";
import { columnFactOf, isOf, refuse, tableFactOf } from "./table-facts.ts";

/** Which column to drop. */
export interface DropColumnOptions extends TableTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: DependentFacts & Pick<Facts, "tables" | "columns">;
  readonly column: string | DrizzleColumn;
  /**
   * SQL of what the column holds in rows that are written without it, where it is NOT NULL and has no default: so that it can stay
   * NOT NULL until it is gone. Without it the column allows NULL, and the undo needs those rows to be filled.
   */
  readonly filler?: string;
}

/**
 * Drops a column in two phases, so that until the second nothing is lost.
 *
 * First rows may be written without it. When no application version uses it any more (a gate), the column is parked under
 * another name: whoever still reads it fails at once, and the undo brings back the very column with its values. Behind a
 * second gate it is dropped. RENAME and DROP COLUMN change the catalog only, under ACCESS EXCLUSIVE.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { dropColumn } from "underpin/migrations";
 *
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = dropColumn({ facts, table: "users", column: "email" });
 * plan.steps.map(({ kind }) => kind); // ["check", "gate", "sql", "gate", "check", "sql"]
 */
export function dropColumn(options: DropColumnOptions): Plan {
  const { facts, filler } = options;
  const target = targetOf(options);
  const column = columnName(options.column);
  const path = qualified(target.schema, target.name);
  tableFactOf(facts, target);
  const fact = columnFactOf(facts, target, column);
  if (fact.inheritCount > 0)
    refuse(
      `${column} of ${path} comes from the table above it`,
      "Drop it there: it goes from all partitions together.",
    );
  const users = usersOfColumn(facts, target, column);
  if (users.length > 0)
    refuse(
      `${column} of ${path} cannot be dropped, since it is used by ${users.join(", ")}`,
      "Change or drop those first: replaceIndex for an index, CREATE OR REPLACE for a view.",
    );
  if (filler !== undefined && fact.default !== null)
    refuse(
      `${column} of ${path} has the default ${fact.default}, which rows without it get`,
      "Leave out filler.",
    );
  const parked = shorten(`underpin_parked_${column}`);
  const hasValue = fact.default !== null || fact.identity !== null || fact.generated !== null;
  return plan(`drop-column-${target.schema}-${target.name}-${column}`, [
    isUnused("nothing-uses-it", target, column, "commitAfter"),
    ...(filler !== undefined
      ? [setFiller(target, column, filler)]
      : fact.notNull && !hasValue
        ? allowNull(facts, target, column)
        : []),
    {
      kind: "gate",
      id: "nobody-reads-it",
      title: `No application version uses ${column} any more`,
      question: `Is every version of every application that reads or writes ${path}.${ident(column)} gone? Bodies of functions count too.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "park",
      title: `Park ${column} as ${parked}: whoever still uses it fails at once`,
      sql: renameSql(target, column, parked),
      locks: onTable(target),
      transaction: "commitAfter",
      phase: "parked",
      undo: {
        kind: "statement",
        sql: renameSql(target, parked, column),
        locks: onTable(target),
        transaction: "inside",
      },
    },
    {
      kind: "gate",
      id: "nobody-misses-it",
      title: `${column} may be dropped for good`,
      question: `Has nobody missed ${path}.${ident(column)}? What follows destroys its values.`,
      undo: { kind: "nothing" },
    },
    isUnused("still-nothing-uses-it", target, parked, "inside"),
    {
      kind: "sql",
      id: "drop",
      title: `Drop ${parked}`,
      sql: `ALTER TABLE ${path} DROP COLUMN ${ident(parked)}`,
      locks: [...onTable(target), ...referencedBy(facts, target, column)],
      transaction: "commitAfter",
      phase: "dropped",
      undo: { kind: "irreversible", reason: `the values of ${column} are gone` },
    },
  ]);
}

/** The foreign keys of the column go with it, which locks what they point at. */
function referencedBy(
  facts: DropColumnOptions["facts"],
  target: RelationName,
  column: string,
): readonly Lock[] {
  return facts.constraints.flatMap((each) =>
    isOf(target)(each) && each.references !== null && each.columns.includes(column)
      ? [
          {
            schema: each.references.schema,
            name: each.references.name,
            mode: "accessExclusive",
            partitions: true,
          } as const,
        ]
      : [],
  );
}

function isUnused(
  id: string,
  target: RelationName,
  column: string,
  transaction: CheckStep["transaction"],
): Step {
  return {
    kind: "check",
    id,
    title: `No view, policy, index of several columns, constraint or generated column uses ${column}`,
    sql: usersOfColumnSql(target, column),
    expect: "noRows",
    transaction,
    undo: { kind: "nothing" },
  };
}

function setFiller(target: RelationName, column: string, filler: string): Step {
  const alter = `ALTER TABLE ${qualified(target.schema, target.name)} ALTER COLUMN ${ident(column)}`;
  return {
    kind: "sql",
    id: "set-filler",
    title: `Rows that are written without ${column} get a value that nobody reads`,
    sql: `${alter} SET DEFAULT ${filler}`,
    locks: onTable(target),
    transaction: "commitAfter",
    phase: "optional",
    undo: {
      kind: "statement",
      sql: `${alter} DROP DEFAULT`,
      locks: onTable(target),
      transaction: "inside",
    },
  };
}

/**
 * Allows NULL. The way back is that of `setNotNull`, in three transactions: the undo of the last step adds a CHECK, that of the
 * one before validates it, and that of the first finds it and makes the column NOT NULL without a scan.
 */
function allowNull(
  facts: DropColumnOptions["facts"],
  target: RelationName,
  column: string,
): readonly Step[] {
  const table = `ALTER TABLE ${qualified(target.schema, target.name)}`;
  const check = shorten(`${target.name}_${column}_filled`);
  const named = facts.constraints.find(
    (each) => isOf(target)(each) && each.kind === "notNull" && each.columns[0] === column,
  )?.name;
  // On 18 a NOT NULL has a name, which SET NOT NULL chooses itself.
  const setNotNull =
    named === undefined || named === `${target.name}_${column}_not_null`
      ? `ALTER COLUMN ${ident(column)} SET NOT NULL`
      : `ADD CONSTRAINT ${ident(named)} NOT NULL ${ident(column)}`;
  const statement = (sql: string, mode: Lock["mode"]) =>
    ({ kind: "statement", sql, locks: onTable(target, mode), transaction: "inside" }) as const;
  return [
    {
      kind: "sql",
      id: "allow-null",
      title: `Rows may be written without ${column}`,
      sql: `${table} ALTER COLUMN ${ident(column)} DROP NOT NULL`,
      locks: onTable(target),
      transaction: "commitAfter",
      phase: "optional",
      undo: statement(
        `${table} ${setNotNull};\n${table} DROP CONSTRAINT ${ident(check)}`,
        "accessExclusive",
      ),
    },
    {
      kind: "check",
      id: "allows-null",
      title: `No partition insists on ${column} by itself`,
      sql: `${treeSql(target)} SELECT t.oid::regclass::text AS relation, 'is NOT NULL by itself' AS reason
FROM tree t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
WHERE a.attname = ${literal(column)} AND NOT a.attisdropped AND a.attnotnull`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: statement(`${table} VALIDATE CONSTRAINT ${ident(check)}`, "shareUpdateExclusive"),
    },
    {
      kind: "check",
      id: "way-back-is-free",
      title: `No constraint has the name ${check}, which the way back needs`,
      sql: `${treeSql(target)} SELECT t.oid::regclass::text AS relation, k.conname, 'is in the way' AS reason
FROM tree t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid WHERE k.conname = ${literal(check)}`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: statement(
        `${table} ADD CONSTRAINT ${ident(check)} CHECK (${ident(column)} IS NOT NULL) NOT VALID`,
        "accessExclusive",
      ),
    },
  ];
}

function treeSql({ schema, name }: RelationName): string {
  return `WITH RECURSIVE tree AS (
  SELECT ${literal(qualified(schema, name))}::regclass::oid AS oid
  UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)`;
}

function renameSql({ schema, name }: RelationName, from: string, to: string): string {
  return `ALTER TABLE ${qualified(schema, name)} RENAME COLUMN ${ident(from)} TO ${ident(to)}`;
}

function onTable(
  { schema, name }: RelationName,
  mode: Lock["mode"] = "accessExclusive",
): readonly Lock[] {
  return [{ schema, name, mode, partitions: true }];
}
