import type { PartitionFact } from "../catalog/partitions.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, SqlStep, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { buildStep, type IndexShape } from "./build-index.ts";
import { partNameOf, refuseMissingKeys } from "./partitioned-index.ts";
import { idOf, treeBelow } from "./partitions-of.ts";
import { setNotNull } from "./set-not-null.ts";
import { columnFactOf, isOf, refuse } from "./table-facts.ts";

/** Which unique constraint or primary key to add. */
export interface AddUniqueOptions extends TableTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: Pick<Facts, "tables" | "columns" | "constraints" | "indexes" | "partitions">;
  readonly columns: readonly [string | DrizzleColumn, ...(string | DrizzleColumn)[]];
  /** Of the constraint and its index. @default `<table>_<columns>_key`, for a primary key `<table>_pkey` */
  readonly name?: string;
}

/** Which primary key to add. */
export type AddPrimaryKeyOptions = AddUniqueOptions;

interface Key {
  readonly kind: "UNIQUE" | "PRIMARY KEY";
  readonly target: RelationName;
  readonly name: string;
  readonly columns: readonly [string, ...string[]];
  readonly facts: AddUniqueOptions["facts"];
}

/**
 * Adds a unique constraint without a moment in which writers wait for an index: its index is built concurrently, and the
 * constraint takes it as it is.
 *
 * Rows that are alike are looked for first, and shown by their values; CREATE INDEX would name one pair only, after all
 * of its work. PostgreSQL refuses USING INDEX on a partitioned table: there each leaf gets its constraint, and that of the whole
 * table adopts them without a build.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { addUnique } from "underpin/migrations";
 *
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = addUnique({ facts, table: "users", columns: ["email"] });
 * plan.name; // "add-unique-public-users_email_key"
 */
export function addUnique(options: AddUniqueOptions): Plan {
  const columns = namesOf(options);
  const target = targetOf(options);
  const name = options.name ?? shorten(`${target.name}_${columns.join("_")}_key`);
  const key: Key = { kind: "UNIQUE", target, name, columns, facts: options.facts };
  return plan(`add-unique-${target.schema}-${name}`, stepsOf(key));
}

/**
 * Adds a primary key as {@link addUnique} adds a unique constraint; its columns become NOT NULL before, as `setNotNull` makes
 * them, because ADD PRIMARY KEY would look for NULL under ACCESS EXCLUSIVE.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { addPrimaryKey } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({ setup: "CREATE TABLE logs (id bigint, note text)" });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = addPrimaryKey({ facts, table: "logs", columns: ["id"] });
 * plan.name; // "add-primary-key-public-logs_pkey"
 * await close();
 */
export function addPrimaryKey(options: AddPrimaryKeyOptions): Plan {
  const { facts } = options;
  const columns = namesOf(options);
  const target = targetOf(options);
  const name = options.name ?? shorten(`${target.name}_pkey`);
  const tree = treeBelow(facts, target);
  const members = tree === undefined ? [target] : [...tree.nodes, ...tree.leaves];
  for (const member of members) {
    const there = facts.constraints.find(
      (each) => isOf(member)(each) && each.kind === "primaryKey",
    );
    if (there !== undefined)
      refuse(
        `${qualified(member.schema, member.name)} has the primary key ${there.name} already`,
        "A table has one: drop it first, or addUnique.",
      );
  }
  const nullable = columns.filter((column) => !columnFactOf(facts, target, column).notNull);
  const key: Key = { kind: "PRIMARY KEY", target, name, columns, facts };
  const [alike, ...steps] = stepsOf(key);
  return plan(`add-primary-key-${target.schema}-${name}`, [
    ...(alike === undefined ? [] : [withLocalNotNull(alike, members.slice(1), nullable)]),
    ...nullable.map((column) => setNotNull({ ...target, table: target.name, column })),
    ...steps,
  ]);
}

/**
 * On 18 the primary key of a leaf makes the NOT NULL that it has from above its own too, so that it stays when that of the whole
 * is dropped: what is undone last takes it away.
 */
function withLocalNotNull(
  step: Step,
  below: readonly RelationName[],
  columns: readonly string[],
): Step {
  if (below.length === 0 || columns.length === 0) return step;
  const drops = columns.map((column) => `ALTER COLUMN ${ident(column)} DROP NOT NULL`).join(", ");
  return {
    ...step,
    undo: {
      kind: "statement",
      sql: below.map((member) => `ALTER TABLE ${pathOf(member)} ${drops}`).join(";\n"),
      locks: below.map(({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" })),
      transaction: "inside",
    },
  };
}

function namesOf({ facts, columns, ...table }: AddUniqueOptions): readonly [string, ...string[]] {
  const [first, ...rest] = columns;
  const names = [columnName(first), ...rest.map(columnName)] as const;
  for (const name of names) columnFactOf(facts, targetOf(table), name);
  return names;
}

function stepsOf(key: Key): readonly Step[] {
  const { facts, target, name, columns } = key;
  const shape: IndexShape = { parts: columns, unique: true };
  const tree = treeBelow(facts, target);
  if (tree === undefined)
    return [
      noTwoAlike(key),
      buildStep(shape, target, name, "create-index"),
      {
        ...usingIndex(key, target, name, "add"),
        undo: {
          kind: "statement",
          sql: `ALTER TABLE ${pathOf(target)} DROP CONSTRAINT ${ident(name)}`,
          locks: onIndex(target, name, "accessExclusive"),
          transaction: "inside",
        },
      },
    ];
  refuseMissingKeys(shape, target, tree);
  const named = (member: PartitionFact): Member => ({
    ...member,
    index: samePlace(member, target) ? name : partNameOf(facts, member, name, target),
  });
  const nodes = tree.nodes.map(named);
  const leaves = tree.leaves.map(named);
  const members = [...nodes, ...leaves];
  return [
    noTwoAlike(key),
    ...leaves.map((leaf) =>
      buildStep(shape, leaf, leaf.index, `create-index:${idOf(leaf, target)}`),
    ),
    isNew(key, members),
    ...leaves.map((leaf) => usingIndex(key, leaf, leaf.index, `add:${idOf(leaf, target)}`)),
    // A parent is known before its children: so from the last one up.
    ...nodes.toReversed().flatMap((node) =>
      adopt(
        key,
        node,
        members.filter(({ parent }) => parent !== null && samePlace(parent, node)),
      ),
    ),
  ];
}

function noTwoAlike({ target, columns, kind }: Key): Step {
  const list = columns.map(ident).join(", ");
  const filled = columns.map((column) => `${ident(column)} IS NOT NULL`).join(" AND ");
  return {
    kind: "check",
    id: "no-two-alike",
    title: `No two rows of ${target.name} have the same ${columns.join(", ")}`,
    // NULLs are no two of a kind to UNIQUE, and are gone before a primary key.
    sql: `SELECT ${list}, pg_catalog.count(*) AS rows FROM ${pathOf(target)}${kind === "UNIQUE" ? ` WHERE ${filled}` : ""}
GROUP BY ${list} HAVING pg_catalog.count(*) > 1`,
    expect: "noRows",
    rows: [{ schema: target.schema, name: target.name, access: "read" }],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function usingIndex({ kind, columns }: Key, on: RelationName, index: string, id: string): SqlStep {
  return {
    kind: "sql",
    id,
    title: `${on.name} keeps ${columns.join(", ")} ${kind === "UNIQUE" ? "unique" : "as its primary key"} from now on`,
    sql: `ALTER TABLE ${pathOf(on)} ADD CONSTRAINT ${ident(index)} ${kind} USING INDEX ${ident(index)}`,
    locks: onIndex(on, index, "accessShare"),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** A member of the partition tree, with the name of its constraint and index. */
type Member = PartitionFact & { readonly index: string };

/** What belongs to a whole cannot be dropped alone, so what takes all of them back is one statement, whatever is there by then. */
function isNew({ target, kind }: Key, members: readonly Member[]): Step {
  const names = members.map(({ index }) => literal(index));
  const found = `FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', 'u') AND k.conname IN (${[...new Set(names)].join(", ")})
  AND k.conrelid IN (
    WITH RECURSIVE tree AS (
      SELECT ${literal(pathOf(target))}::regclass::oid AS oid
      UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
    SELECT oid FROM tree)`;
  const body = `
DECLARE
  v_found record;
BEGIN
  FOR v_found IN SELECT k.conrelid::regclass AS relation, k.conname AS name ${found} AND k.conparentid = 0 LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', v_found.relation, v_found.name);
  END LOOP;
END`;
  return {
    kind: "check",
    id: "is-new",
    title: `Neither ${target.name} nor a partition of it has a constraint of that name`,
    sql: `SELECT k.conrelid::regclass::text AS relation, k.conname, 'is there already' AS reason ${found}`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `DO ${literal(body)}`,
      locks: [
        { ...target, mode: "accessExclusive", partitions: true },
        ...members.map(
          ({ schema, index }): Lock => ({ schema, name: index, mode: "accessExclusive" }),
        ),
      ],
      transaction: "inside",
      ...(kind === "UNIQUE"
        ? {}
        : { residue: "on 18 the mark that a NOT NULL of a partition is also its own" }),
    },
  };
}

/** From 18 on ALTER TABLE locks what is below as it locks the table; before, only the index that is looked for does. */
function adopt(
  { kind, target, columns }: Key,
  node: Member,
  parts: readonly Member[],
): readonly SqlStep[] {
  const place = samePlace(node, target) ? "" : `:${idOf(node, target)}`;
  const own: Lock = { schema: node.schema, name: node.name, mode: "accessExclusive" };
  const share = (name: (part: Member) => string) =>
    parts.map((part): Lock => ({ schema: part.schema, name: name(part), mode: "share" }));
  const step = {
    kind: "sql",
    title: `Make ${node.index} of ${node.name} out of those of its partitions`,
    sql: `ALTER TABLE ${pathOf(node)} ADD CONSTRAINT ${ident(node.index)} ${kind} (${columns.map(ident).join(", ")})`,
    creates: 1,
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  } as const;
  const indexes = share(({ index }) => index);
  return [
    {
      ...step,
      id: `adopt${place}`,
      when: { server: "<18" },
      locks: [own, ...share(({ name }) => name), ...indexes],
    },
    {
      ...step,
      id: `adopt-18${place}`,
      when: { server: ">=18" },
      locks: [{ ...own, partitions: true }, ...indexes],
    },
  ];
}

function onIndex(
  { schema, name }: RelationName,
  index: string,
  mode: Lock["mode"],
): readonly Lock[] {
  return [
    { schema, name, mode: "accessExclusive" },
    { schema, name: index, mode },
  ];
}

function pathOf({ schema, name }: RelationName): string {
  return qualified(schema, name);
}

function samePlace(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}
