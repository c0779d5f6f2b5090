import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import { value, type ProvenTable } from "./model.ts";
import { candidates, type TypeNames } from "./samples.ts";

/** Columns that checks look at together, with values that pass. */
export interface Combinations {
  readonly columns: readonly string[];
  /** Each a value for each column; none where nothing that was tried passes. */
  readonly passing: readonly (readonly (string | null)[])[];
  readonly checks: readonly string[];
}

/** How many combinations are tried for one table's checks. */
const LIMIT = 30_000;

/**
 * Finds values that pass the checks of a table: whatever a check says, PostgreSQL itself is asked, about all combinations of some likely values for
 * the columns that its checks look at together.
 */
export async function passingCombinations(
  db: Queryable,
  tables: readonly ProvenTable[],
  types: TypeNames,
  samplesOf: (table: ProvenTable, column: ColumnFact) => readonly (string | undefined)[],
): Promise<ReadonlyMap<string, readonly Combinations[]>> {
  const groups = tables.flatMap((table) => groupsOf(table).map((group) => ({ table, ...group })));
  const texts = groups.map(({ table, columns, checks }, index) => {
    const facts = columns
      .map((name) => table.columns.find((each) => each.name === name))
      .filter((each) => each !== undefined);
    const expressions = checks.map(({ expression }) => expression ?? "true");
    const lists = fitted(
      facts.map((column) => candidates(column, expressions, types, samplesOf(table, column))),
    );
    const from = facts.map((column, at) => {
      const list = (lists[at] ?? [null]).map((each) => `(${value(each)})`).join(", ");
      return `(SELECT v::${column.type} AS ${ident(column.name)}, v AS ${ident(`v${at}`)} FROM (VALUES ${list}) AS t(v)) AS ${ident(`c${at}`)}`;
    });
    const shown = facts.map((_, at) => ident(`v${at}`)).join(", ");
    const where = expressions.map((each) => `(${each}) IS NOT FALSE`).join(" AND ");
    const nulls = facts.map((_, at) => `(${ident(`v${at}`)} IS NULL)::int`).join(" + ");
    return `SELECT ${index} AS at, (SELECT pg_catalog.json_agg(r.list) FROM (
      SELECT ARRAY[${shown}]::text[] AS list FROM ${from.join(" CROSS JOIN ")} WHERE ${where}
      ORDER BY ${nulls}, pg_catalog.md5(pg_catalog.concat_ws('|', ${shown})) LIMIT 40) AS r)::text AS passing`;
  });
  if (texts.length === 0) return new Map();
  const rows = await db.query<{ at: number; passing: string | null }>(texts.join("\nUNION ALL\n"));
  const found = new Map<string, Combinations[]>();
  for (const { at, passing } of rows) {
    const group = groups[at];
    if (group === undefined) continue;
    const list = found.get(group.table.sql) ?? [];
    list.push({
      columns: group.columns,
      checks: group.checks.map(({ name }) => name),
      passing: JSON.parse(passing ?? "[]") as (string | null)[][],
    });
    found.set(group.table.sql, list);
  }
  return found;
}

/** Columns that are connected by checks. */
function groupsOf(table: ProvenTable): readonly {
  readonly columns: readonly string[];
  readonly checks: readonly ConstraintFact[];
}[] {
  let groups: { columns: string[]; checks: ConstraintFact[] }[] = [];
  for (const check of table.constraints) {
    if (check.kind !== "check" || check.expression === null || !check.enforced) continue;
    const touching = groups.filter(({ columns }) =>
      columns.some((column) => check.columns.includes(column)),
    );
    groups = [
      ...groups.filter((group) => !touching.includes(group)),
      {
        columns: [...new Set([...touching.flatMap(({ columns }) => columns), ...check.columns])],
        checks: [...touching.flatMap(({ checks }) => checks), check],
      },
    ];
  }
  return groups.filter(({ columns }) => columns.length > 0);
}

/** Lists cut, the longest first, until all their combinations are few enough. */
function fitted(
  lists: readonly (readonly (string | null)[])[],
): readonly (readonly (string | null)[])[] {
  const cut = lists.map((list) => (list.length === 0 ? [null] : [...list]));
  while (cut.reduce((product, list) => product * list.length, 1) > LIMIT) {
    const longest = cut.reduce((a, b) => (b.length > a.length ? b : a));
    if (longest.length <= 2) break;
    // NULL stands last and stays.
    longest.splice(longest.length - (longest.at(-1) === null ? 2 : 1), 1);
  }
  return cut;
}
