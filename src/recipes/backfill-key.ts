import type { ColumnFact } from "../catalog/columns.ts";
import type { IndexFact } from "../catalog/indexes.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { KeyColumn, RelationName } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";
import { refuse, tableFactOf } from "./table-facts.ts";

/** The readings of the catalog in which a key is looked for. */
export type KeyFacts = Pick<
  Facts,
  "tables" | "columns" | "indexes" | "constraints" | "inheritance"
>;

/**
 * The key by which a backfill goes through a table: its primary key, or else the unique index of the fewest columns that are never
 * NULL.
 *
 * An index serves if it is whole (valid, no predicate), over plain columns only, and sorts as its columns compare: under
 * another collation two rows may be equal to `ORDER BY` and unlike to the index, and a page would skip one. On 18 a
 * NOT NULL that was added NOT VALID is no proof for the old rows, though `attnotnull` says so. No key is unique over a table and
 * those that INHERIT from it.
 */
export function keyOf(facts: KeyFacts, table: RelationName): readonly KeyColumn[] {
  const { schema, name } = table;
  const path = qualified(schema, name);
  const isOurs = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === schema && each.table === name;
  tableFactOf(facts, table);
  const heir = facts.inheritance.find(({ parent: p }) => p.schema === schema && p.name === name);
  if (heir !== undefined)
    refuse(
      `${path} has no key to go through its rows by: ${qualified(heir.schema, heir.name)} inherits from it, and a key of one is none of the other`,
      "Change the rows of each table by itself.",
    );
  const columns = new Map(facts.columns.filter(isOurs).map((column) => [column.name, column]));
  const unproven = facts.constraints
    .filter((each) => isOurs(each) && each.kind === "notNull" && !each.validated)
    .flatMap((each) => each.columns);
  const keys = facts.indexes
    .filter(isOurs)
    .flatMap((index) => {
      const key = columnsOf(index, columns);
      return key === undefined ? [] : [{ index, key }];
    })
    .filter(({ key }) => key.every((column) => column.notNull && !unproven.includes(column.name)));
  const [best] = keys.toSorted(
    (a, b) =>
      Number(b.index.primary) - Number(a.index.primary) ||
      a.key.length - b.key.length ||
      a.index.name.localeCompare(b.index.name),
  );
  if (best === undefined)
    refuse(
      `${path} has no key to go through its rows by: no primary key, and no unique index over columns that are NOT NULL`,
      "Make one first: setNotNull for its columns, and createIndex({ …, unique: true }) without where.",
    );
  return best.key.map(({ name: column, type }) => ({ name: column, type }));
}

/** The columns of an index that could be a key; undefined where it could not. */
function columnsOf(
  index: IndexFact,
  columns: ReadonlyMap<string, ColumnFact>,
): readonly ColumnFact[] | undefined {
  const whole = index.unique && index.valid && index.ready && index.live;
  if (!whole || index.predicate !== null) return undefined;
  const found = index.keys.flatMap(({ column, collation }) => {
    const fact = column === null ? undefined : columns.get(column);
    return fact !== undefined && sortsAlike(fact, collation) ? [fact] : [];
  });
  return found.length === index.keys.length ? found : undefined;
}

/** A column whose collation is that of its type prints none: the database's, or "C" for `name`. */
function sortsAlike({ collation: own, type }: ColumnFact, collation: string | null): boolean {
  const usual = type === "name" ? 'pg_catalog."C"' : 'pg_catalog."default"';
  return collation === null || collation === (own ?? usual);
}
