import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, RowAccess, SqlStep, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { idOf, treeBelow, type TreeBelow } from "./partitions-of.ts";

/** What happens to a row whose target goes away or changes its key. */
export type ForeignKeyAction = "no action" | "restrict" | "cascade" | "set null" | "set default";

/** Which foreign key to add. */
export interface AddForeignKeyOptions extends TableTarget {
  /** Readings of the catalog: partitions decide which steps are taken. `await readFacts(db)` */
  readonly facts: Pick<Facts, "tables" | "partitions">;
  readonly columns: readonly [string | DrizzleColumn, ...(string | DrizzleColumn)[]];
  readonly references: TableTarget & {
    readonly columns: readonly [string | DrizzleColumn, ...(string | DrizzleColumn)[]];
  };
  /** @default `<table>_<columns>_fkey` */
  readonly name?: string;
  /** @default "no action" */
  readonly onDelete?: ForeignKeyAction;
  /** Which of the columns ON DELETE SET NULL or SET DEFAULT sets. @default all of them */
  readonly onDeleteColumns?: readonly (string | DrizzleColumn)[];
  /** @default "no action" */
  readonly onUpdate?: ForeignKeyAction;
  /** Whether it is looked at by the end of the transaction only. @default false */
  readonly deferred?: boolean;
}

/** One end of the key: its table, with its partitions if it has any. */
interface End extends RelationName {
  readonly tree: TreeBelow | undefined;
}

interface ForeignKey {
  readonly from: End;
  readonly to: End;
  readonly name: string;
  /** What follows ADD CONSTRAINT. */
  readonly definition: string;
}

/**
 * Adds a foreign key without a scan under a lock that makes writers wait: NOT VALID first, which new rows keep, then VALIDATE.
 *
 * On a partitioned table NOT VALID is refused up to 17 (42809). There each leaf gets a key of its own, which is validated; the
 * key of the whole table then adopts them without a scan, for a moment under ACCESS EXCLUSIVE on the referenced table. From 18 the
 * whole gets it NOT VALID, and leaves are validated one by one.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { addForeignKey } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (author_id int)",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = addForeignKey({
 *   facts,
 *   table: "posts",
 *   columns: ["author_id"],
 *   references: { table: "users", columns: ["id"] },
 * });
 * plan.name; // "add-foreign-key-public-posts_author_id_fkey"
 * await close();
 */
export function addForeignKey(options: AddForeignKeyOptions): Plan {
  const { facts, columns, references, onDelete, onDeleteColumns, onUpdate, deferred } = options;
  const own = columns.map(columnName);
  const theirs = references.columns.map(columnName);
  const [target, referenced] = [targetOf(options), targetOf(references)];
  if (own.length !== theirs.length)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${own.length} columns of ${target.name} cannot reference ${theirs.length} of ${referenced.name}`,
      hint: "Name as many columns in references as in columns, in the same order.",
    });
  const list = (names: readonly string[]) => names.map(ident).join(", ");
  const key: ForeignKey = {
    from: { ...target, tree: treeBelow(facts, target) },
    to: { ...referenced, tree: treeBelow(facts, referenced) },
    name: options.name ?? shorten(`${target.name}_${own.join("_")}_fkey`),
    definition: [
      `FOREIGN KEY (${list(own)}) REFERENCES ${qualified(referenced.schema, referenced.name)} (${list(theirs)})`,
      ...(onDelete === undefined ? [] : [`ON DELETE ${onDelete.toUpperCase()}`]),
      ...(onDeleteColumns === undefined ? [] : [`(${list(onDeleteColumns.map(columnName))})`]),
      ...(onUpdate === undefined ? [] : [`ON UPDATE ${onUpdate.toUpperCase()}`]),
      ...(deferred === true ? ["DEFERRABLE INITIALLY DEFERRED"] : []),
    ].join(" "),
  };
  return plan(
    `add-foreign-key-${target.schema}-${key.name}`,
    key.from.tree === undefined ? onPlainTable(key) : onPartitions(key, key.from.tree),
  );
}

function onPlainTable(key: ForeignKey): readonly Step[] {
  const add: Step = {
    ...addStep(key, key.from, "add"),
    undo: {
      kind: "statement",
      sql: `ALTER TABLE ${pathOf(key.from)} DROP CONSTRAINT ${ident(key.name)}`,
      locks: onBoth(key, "accessExclusive", "accessExclusive"),
      transaction: "inside",
    },
  };
  return [add, validateStep(key, key.from, "validate")];
}

function onPartitions(key: ForeignKey, { nodes, leaves }: TreeBelow): readonly Step[] {
  const { from, name } = key;
  const onOlder = { when: { server: "<18" } } as const;
  const onNewer = { when: { server: ">=18" } } as const;
  const adopt: SqlStep = {
    ...addStep(key, from, "adopt"),
    ...onOlder,
    title: `Make ${name} of the whole table out of those of its partitions`,
    sql: `ALTER TABLE ${pathOf(from)} ADD CONSTRAINT ${ident(name)} ${key.definition}`,
    locks: [
      // The triggers on the referenced table that belonged to each partition's key become one.
      ...onBoth(key, "shareRowExclusive", "accessExclusive"),
      ...(key.to.tree === undefined
        ? []
        : leaves.map((leaf): Lock => ({ ...nameOf(leaf), mode: "accessExclusive" }))),
    ],
    // A partition that came meanwhile has no key to adopt: its rows are looked at.
    rows: readsOf(from, key.to),
  };
  return [
    isNew(key),
    ...leaves.map((leaf) => ({
      ...addStep(key, { ...leaf, tree: undefined }, `add:${idOf(leaf, from)}`),
      ...onOlder,
    })),
    { ...addStep(key, from, "add"), ...onNewer },
    ...leaves.map((leaf) =>
      validateStep(key, { ...leaf, tree: undefined }, `validate:${idOf(leaf, from)}`),
    ),
    adopt,
    {
      ...validateStep(key, from, "validate"),
      ...onNewer,
      title: `${name} holds for the whole table, since it holds for each partition`,
      locks: nodes.map((node): Lock => ({ ...nameOf(node), mode: "shareUpdateExclusive" })),
    },
  ];
}

/** The key of a partition goes with that of the whole, and cannot be dropped alone: so what takes all of them back is one statement. */
function isNew(key: ForeignKey): Step {
  const { from, name } = key;
  const found = `FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conname = ${literal(name)} AND k.conrelid IN (
  WITH RECURSIVE tree AS (
    SELECT ${literal(pathOf(from))}::regclass::oid AS oid
    UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
  SELECT oid FROM tree)`;
  const body = `
DECLARE
  v_table regclass;
BEGIN
  FOR v_table IN SELECT k.conrelid ${found} AND k.conparentid = 0 LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', v_table, ${literal(name)});
  END LOOP;
END`;
  return {
    kind: "check",
    id: "is-new",
    title: `Neither ${from.name} nor a partition of it has a foreign key ${name}`,
    sql: `SELECT k.conrelid::regclass::text AS relation, 'has a foreign key of that name' AS reason ${found}`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `DO ${literal(body)}`,
      locks: onBoth(key, "accessExclusive", "accessExclusive"),
      transaction: "inside",
    },
  };
}

function addStep(key: ForeignKey, on: End, id: string): SqlStep {
  return {
    kind: "sql",
    id,
    title: `New rows of ${on.name} must keep ${key.name}`,
    sql: `ALTER TABLE ${pathOf(on)} ADD CONSTRAINT ${ident(key.name)} ${key.definition} NOT VALID`,
    locks: onBoth({ ...key, from: on }, "shareRowExclusive", "shareRowExclusive"),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function validateStep({ to, name }: ForeignKey, on: End, id: string): SqlStep {
  return {
    kind: "sql",
    id,
    title: `Scan the old rows of ${on.name} while reads and writes go on`,
    sql: `ALTER TABLE ${pathOf(on)} VALIDATE CONSTRAINT ${ident(name)}`,
    locks: [
      { ...nameOf(on), mode: "shareUpdateExclusive" },
      // The query that looks for rows without a target also locks the indexes of both.
      { ...nameOf(on), mode: "accessShare" },
      { ...nameOf(to), mode: "rowShare" },
      ...(to.tree === undefined
        ? []
        : [{ ...nameOf(to), mode: "accessShare", partitions: true } as const]),
    ],
    rows: readsOf(on, to),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function onBoth(
  { from, to }: Pick<ForeignKey, "from" | "to">,
  own: Lock["mode"],
  theirs: Lock["mode"],
): readonly Lock[] {
  const lock = (end: End, mode: Lock["mode"]): Lock => ({
    ...nameOf(end),
    mode,
    ...(end.tree === undefined ? {} : { partitions: true }),
  });
  return [lock(from, own), lock(to, theirs)];
}

function readsOf(from: RelationName, to: RelationName): readonly RowAccess[] {
  return [from, to].map((end): RowAccess => ({ ...nameOf(end), access: "read" }));
}

function nameOf({ schema, name }: RelationName): RelationName {
  return { schema, name };
}

function pathOf({ schema, name }: RelationName): string {
  return qualified(schema, name);
}
