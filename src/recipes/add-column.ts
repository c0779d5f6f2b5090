import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, SqlStep, Step } from "../plan/step.ts";
import { targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { keyOf, type KeyFacts } from "./backfill-key.ts";
import { setNotNull } from "./set-not-null.ts";
import { familyOf, isOf, refuse, tableFactOf } from "./table-facts.ts";
import { sameName } from "./type-reference.ts";

/** A Drizzle column that is to be added, as far as it is looked at. */
export type NewDrizzleColumn = DrizzleColumn & {
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly primary: boolean;
  readonly isUnique: boolean;
  readonly getSQLType: () => string;
};

/** Which column to add. */
export interface AddColumnOptions extends TableTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: KeyFacts & Pick<Facts, "types" | "partitions">;
  /** Its name, or a Drizzle column, which also says its type and whether it is NOT NULL. */
  readonly column: string | NewDrizzleColumn;
  /** As SQL: `numeric(10, 2)`. Needed where the column is given by name. */
  readonly type?: string;
  /** What follows DEFAULT, as SQL: `'open'`, `gen_random_uuid()`. */
  readonly default?: string;
  /**
   * Whether the default is one value for all rows there are, or another for each. A literal and the time of the transaction are
   * one value; anything else counts as another for each row unless it is said here.
   */
  readonly evaluate?: "once" | "eachRow";
  /** Needs a default, since the rows there are have no value. @default false, or what the Drizzle column says */
  readonly notNull?: boolean;
  /** Rows in one batch where each row gets a value of its own. @default 1000 */
  readonly batchSize?: number;
  /** Rest after each batch. @default 0 */
  readonly pauseMs?: number;
}

/**
 * Adds a column without a rewrite of the table.
 *
 * A default that is one value for all rows is kept beside them (since 11): one change of the catalog, also with NOT NULL. A
 * volatile default makes ADD COLUMN rewrite the whole table under ACCESS EXCLUSIVE. There the column comes without a default, gets
 * it for new rows in the same transaction, and the old rows are filled in batches.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { addColumn } from "underpin/migrations";
 *
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = addColumn({
 *   facts,
 *   table: "users",
 *   column: "token",
 *   type: "uuid",
 *   default: "gen_random_uuid()",
 * });
 * plan.steps.map(({ id }) => id); // ["add", "set-default", "fill"]
 */
export function addColumn(options: AddColumnOptions): Plan {
  const { facts, default: value } = options;
  const target = targetOf(options);
  const { name, type, notNull } = asked(options);
  refuseUnfit(options, target, name, type);
  if (notNull && value === undefined)
    refuse(
      `${name} cannot be NOT NULL without a default: the rows of ${target.name} have no value`,
      "Give a default, or add it nullable, fill it, and then setNotNull.",
    );
  const evaluate =
    options.evaluate ?? (value === undefined || isOneValue(value) ? "once" : "eachRow");
  const planName = `add-column-${target.schema}-${target.name}-${name}`;
  if (value === undefined) return plan(planName, [addStep(target, name, type, "commitAfter")]);
  const isNull = /^null\b/i.test(value.trim());
  if (evaluate === "once")
    return plan(planName, [
      addStep(
        target,
        name,
        `${type} DEFAULT ${value}${notNull ? " NOT NULL" : ""}`,
        isNull ? "commitAfter" : "inside",
      ),
      ...(isNull ? [] : [wasInstant(target, name)]),
    ]);
  return plan(planName, [
    addStep(target, name, type, "inside"),
    setDefaultStep(target, name, value),
    {
      kind: "backfill",
      id: "fill",
      title: `Fill ${name} of the old rows in batches`,
      table: target,
      key: keyOf(facts, target),
      set: `${ident(name)} = (${value})`,
      where: `target.${ident(name)} IS NULL`,
      batchSize: options.batchSize ?? 1000,
      pauseMs: options.pauseMs ?? 0,
      undo: { kind: "nothing" },
    },
    ...(notNull ? [setNotNull({ ...target, table: target.name, column: name })] : []),
  ]);
}

function asked({ column, type, notNull, default: value }: AddColumnOptions) {
  if (typeof column === "string")
    return {
      name: column,
      type: type ?? refuse(`the column ${column} needs a type`, 'addColumn({ …, type: "text" })'),
      notNull: notNull ?? false,
    };
  const given = column as NewDrizzleColumn & {
    readonly generated?: unknown;
    readonly generatedIdentity?: unknown;
    readonly default?: unknown;
  };
  if (given.generatedIdentity !== undefined) refuseIdentity(column.name);
  if (given.generated !== undefined) refuseGenerated(column.name);
  if (given.default !== undefined && value === undefined)
    refuse(
      `the default of the Drizzle column ${column.name} is not read`,
      'Say it as SQL beside it: addColumn({ …, column, default: "now()" }).',
    );
  if (column.primary || column.isUnique)
    refuse(
      `${column.name} is ${column.primary ? "a primary key" : "unique"}, which is another change`,
      "Add the column without it, then addUnique or addPrimaryKey.",
    );
  return {
    name: column.name,
    type: type ?? column.getSQLType(),
    notNull: notNull ?? column.notNull,
  };
}

function refuseUnfit(
  { facts }: AddColumnOptions,
  target: RelationName,
  name: string,
  type: string,
): void {
  tableFactOf(facts, target);
  const path = qualified(target.schema, target.name);
  const above = facts.partitions.find(
    (each) => each.schema === target.schema && each.name === target.name,
  )?.parent;
  if (above != null)
    refuse(
      `${path} is a partition of ${qualified(above.schema, above.name)}, and has the columns of that`,
      "Add the column to the partitioned table.",
    );
  const there = familyOf(facts, target).find((member) =>
    facts.columns.some((each) => isOf(member)(each) && each.name === name),
  );
  if (there !== undefined)
    refuse(
      `${qualified(there.schema, there.name)} has a column ${name} already`,
      "Give it another name, or read the facts again.",
    );
  if (/^(?:small|big)?serial[248]?$/i.test(type.trim()))
    refuse(
      `${name} cannot be added as ${type}: numbering the rows there are rewrites the table`,
      `CREATE SEQUENCE first, then addColumn({ …, type: "bigint", default: "nextval('…')" }), which numbers them in batches.`,
    );
  if (/\bgenerated\b.*\bidentity\b/is.test(type)) refuseIdentity(name);
  if (/\bgenerated\b/i.test(type)) refuseGenerated(name);
  const domain = facts.types.find(
    (each) =>
      each.kind === "domain" &&
      ((each.domain?.constraints.length ?? 0) > 0 || each.domain?.notNull === true) &&
      sameName(type, each),
  );
  if (domain !== undefined)
    refuse(
      `${name} cannot be added as ${type}: the constraints of a domain make PostgreSQL rewrite the table`,
      `Add it as ${domain.domain?.type ?? "the type below it"}, with addCheck for what the domain asks for.`,
    );
}

function refuseIdentity(name: string): never {
  return refuse(
    `${name} cannot be added as an identity: numbering the rows there are rewrites the table`,
    `CREATE SEQUENCE first, then addColumn({ …, type: "bigint", default: "nextval('…')", notNull: true }), which numbers them in batches.`,
  );
}

function refuseGenerated(name: string): never {
  return refuse(
    `${name} cannot be added as a generated column: computing it for the rows there are rewrites the table`,
    "Add a plain column, keep it by a trigger, and fill the old rows with a backfill; or compute it in a view.",
  );
}

/** A literal with or without a cast, or the time of the transaction: no function that could give each row another value. */
const ONE_VALUE =
  /^(?:[-+]?\d+(?:\.\d+)?|'(?:[^']|'')*'|true|false|null|now\(\)|current_(?:date|timestamp|time|user|role)|localtimestamp|localtime|array\[\])(?:\s*::\s*[\w\s"().,[\]]+)?$/i;

function isOneValue(value: string): boolean {
  return ONE_VALUE.test(value.trim());
}

function locksOf(target: RelationName): readonly Lock[] {
  return [{ ...target, mode: "accessExclusive", partitions: true }];
}

function addStep(
  target: RelationName,
  name: string,
  definition: string,
  transaction: "inside" | "commitAfter",
): SqlStep {
  const alter = `ALTER TABLE ${qualified(target.schema, target.name)}`;
  return {
    kind: "sql",
    id: "add",
    title: `Add ${name} to ${target.name}`,
    sql: `${alter} ADD COLUMN ${ident(name)} ${definition}`,
    locks: locksOf(target),
    transaction,
    undo: {
      kind: "statement",
      sql: `${alter} DROP COLUMN ${ident(name)}`,
      locks: locksOf(target),
      transaction: "inside",
      residue: "a column slot",
    },
  };
}

function setDefaultStep(target: RelationName, name: string, value: string): Step {
  return {
    kind: "sql",
    id: "set-default",
    title: `New rows get the default of ${name}`,
    sql: `ALTER TABLE ${qualified(target.schema, target.name)} ALTER COLUMN ${ident(name)} SET DEFAULT ${value}`,
    locks: locksOf(target),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** A value that is kept beside the rows is in `attmissingval`; a rewrite has put it into them instead. */
function wasInstant(target: RelationName, name: string): Step {
  return {
    kind: "check",
    id: "was-instant",
    title: "No row was rewritten",
    sql: `WITH RECURSIVE tree AS (
  SELECT ${literal(qualified(target.schema, target.name))}::regclass::oid AS oid
  UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT c.oid::regclass::text AS relation,
  'was rewritten, and it was taken back: the default is another for each row, so say evaluate: "eachRow"' AS reason
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE a.attname = ${literal(name)} AND NOT a.attisdropped AND NOT a.atthasmissing`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
