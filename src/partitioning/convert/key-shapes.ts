import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { copyIndexSql } from "../flat/twin-beside.ts";
import { besideName } from "../flat/twins.ts";
import type { Conversion, IndexShape } from "./conversion.ts";
import type { PlainTable } from "./copy-options.ts";
import { refuser } from "./refusals.ts";

/** As `getTableConfig` tells it. */
interface Declared {
  readonly primaryKeys: readonly { readonly columns: readonly { readonly name: string }[] }[];
}

/** The columns by which the options partition. */
function dimensionsOf({ scheme }: Pick<PlainTable, "scheme">): readonly string[] {
  return [...new Set(scheme.dimensions.map(({ column }) => column))];
}

const hasAll = (columns: readonly string[], needed: readonly string[]) =>
  needed.every((column) => columns.includes(column));

/** The columns of the new primary key: what was said, or what the scheme's table declares, or the old ones with the partition columns. */
export function primaryKeyOf(
  options: Pick<PlainTable, "scheme" | "primaryKey">,
  primary: ConstraintFact,
  { primaryKeys }: Declared,
): readonly string[] {
  const dimensions = dimensionsOf(options);
  const needed = [...new Set([...primary.columns, ...dimensions])];
  if (hasAll(primary.columns, dimensions) && options.primaryKey === undefined)
    return primary.columns;
  const declared = (primaryKeys[0]?.columns ?? []).map(({ name }) => name);
  const chosen = options.primaryKey ?? (hasAll(declared, needed) ? declared : needed);
  if (hasAll(chosen, needed)) return chosen;
  const missing = needed.filter((column) => !chosen.includes(column));
  throw refuser(qualified(primary.schema, primary.table))(
    `cannot have the primary key (${chosen.join(", ")}): it lacks ${missing.join(", ")}`,
    "A primary key of a partitioned table has every partition column, and rows are found by the columns of the old one.",
  );
}

/** What becomes of each index, and what that does to uniqueness, in words. */
export function shapesOf(
  { facts, scheme, uniques = {} }: PlainTable,
  of: {
    readonly primary: ConstraintFact;
    readonly wanted: readonly string[];
    readonly columns: readonly ColumnFact[];
  },
): { readonly shapes: readonly IndexShape[]; readonly loosened: readonly string[] } {
  const { schema, table } = of.primary;
  const refuse = refuser(qualified(schema, table));
  const own = facts.indexes.filter((each) => each.schema === schema && each.table === table);
  const unknown = Object.keys(uniques).find((name) => !own.some((each) => each.name === name));
  if (unknown !== undefined)
    throw refuse(
      `has no unique constraint or index ${unknown}`,
      `Those that it has: ${own.flatMap(({ unique, name }) => (unique ? [name] : [])).join(", ")}.`,
    );
  const broken = own.find(({ valid, ready, live }) => !valid || !ready || !live);
  if (broken !== undefined)
    throw refuse(
      `has the unfinished index ${broken.name}`,
      `DROP INDEX CONCURRENTLY ${qualified(schema, broken.name)}.`,
    );
  const dimensions = dimensionsOf({ scheme });
  const loosened: string[] = [];
  const shapes = own.map((index): IndexShape => {
    const columns = index.keys.map(({ column }) => column ?? "");
    if (index.primary) {
      if (of.wanted.join("\0") === columns.join("\0")) return { index, becomes: "same" };
      loosened.push(
        `${columns.join(", ")} was unique by itself, and is only together with ${of.wanted.filter((each) => !columns.includes(each)).join(", ")}: from the swap on ON CONFLICT (${columns.join(", ")}) finds no key (42P10)`,
      );
      return { index, becomes: { unique: true, constraint: true, columns: of.wanted } };
    }
    if (!index.unique || hasAll(columns, dimensions)) return { index, becomes: "same" };
    const missing = dimensions.filter((column) => !columns.includes(column));
    const said = uniques[index.name];
    if (said === undefined)
      throw refuse(
        `has ${index.name}, which lacks ${missing.join(", ")}: a partitioned table keeps values unique together with its partition columns only`,
        `Say what it becomes: uniques: { ${JSON.stringify(index.name)}: "widen" }, or "index" for one that is not unique; ON CONFLICT (${columns.join(", ")}) finds no key then (42P10).`,
      );
    loosened.push(
      said === "index"
        ? `${index.name} is unique no more`
        : `${index.name} holds only together with ${missing.join(", ")}`,
    );
    if (said === "index") return { index, becomes: { unique: false } };
    if (index.keys.some(({ column }) => column === null) || index.predicate !== null)
      throw refuse(
        `has ${index.name}, which is partial or over an expression and cannot be widened`,
        `Make it an index that is not unique: uniques: { ${JSON.stringify(index.name)}: "index" }.`,
      );
    return {
      index,
      becomes: {
        unique: true,
        constraint: index.constraint !== null,
        columns: [...columns, ...missing],
      },
    };
  });
  return { shapes, loosened };
}

/** Makes an index of the table on the partitioned one. */
export function shapeSql(twins: Conversion, { index, becomes }: IndexShape): string {
  if (becomes === "same") return copyIndexSql(twins, index.name);
  const { schema, names } = twins;
  const beside = qualified(schema, names.beside);
  const name = ident(besideName(twins, index.name));
  if (!becomes.unique) return plainIndexSql(twins, index);
  const list = becomes.columns.map(ident).join(", ");
  const nulls = index.nullsNotDistinct ? " NULLS NOT DISTINCT" : "";
  const include =
    index.include.length === 0 ? "" : ` INCLUDE (${index.include.map(ident).join(", ")})`;
  const options = index.options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${ident(key)} = ${literal(value.join("=")).trim()}`;
  });
  const stored = options.length === 0 ? "" : ` WITH (${options.join(", ")})`;
  if (!becomes.constraint)
    return `CREATE UNIQUE INDEX ${name} ON ${beside} (${list})${include}${nulls}${stored}`;
  return `ALTER TABLE ${beside} ADD CONSTRAINT ${name} ${index.primary ? "PRIMARY KEY" : `UNIQUE${nulls}`} (${list})${include}${stored}`;
}

/** As PostgreSQL prints it, but not unique. */
function plainIndexSql(twins: Conversion, index: IndexFact): string {
  const { schema, table, names } = twins;
  const [beside, name] = [qualified(schema, names.beside), besideName(twins, index.name)];
  return `DO ${literal(`
DECLARE
  v_rest text := pg_catalog.pg_get_indexdef(${literal(qualified(schema, index.name))}::regclass);
BEGIN
  v_rest := pg_catalog.replace(pg_catalog.substr(v_rest, 1 + pg_catalog.length(
    pg_catalog.format('CREATE UNIQUE INDEX %I ON %I.%I ', ${literal(index.name)}, ${literal(schema)}, ${literal(table.name)}))),
    ' NULLS NOT DISTINCT', '');
  EXECUTE pg_catalog.format('CREATE INDEX %I ON %s %s', ${literal(name)}, ${literal(beside)}, v_rest);
END`)}`;
}
