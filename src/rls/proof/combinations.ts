import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import type { ProofColumn, ProofConstraint } from "./catalog.ts";
import { value, type ProvenTable } from "./model.ts";
import { ask, type Question } from "./runner.ts";
import { candidates, type TypeNames } from "./samples.ts";

/** Columns that checks look at together, with values that pass. */
export interface Combinations {
  readonly columns: readonly string[];
  /** Each a value for each column; none where nothing that was tried passes. */
  readonly passing: readonly (readonly (string | null)[])[];
  readonly checks: readonly string[];
}

type SamplesOf = (column: ProofColumn) => readonly (string | undefined)[];

/** How many combinations are tried for the checks of one group of columns, and how many where none of those passes. */
const FEW = 5_000;
const MANY = 30_000;
/** How many of those that pass are used. */
const MOST = 40;

/**
 * Finds values that pass the checks of a table: whatever a check says, PostgreSQL itself is asked, about all combinations of some likely values for
 * the columns that its checks look at together.
 */
export async function passingCombinations(
  db: Queryable,
  tables: readonly ProvenTable[],
  types: TypeNames,
  samplesOf: SamplesOf,
  /** Columns by table whose values the caller gives: what is checked with them is the caller's matter. */
  given: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<ReadonlyMap<string, readonly Combinations[]>> {
  const groups = tables.flatMap((table) =>
    groupsOf(table, given.get(table.sql) ?? new Set()).map((group) => ({ table, ...group })),
  );
  const search = (list: readonly Group[], limit: number) =>
    ask(
      db,
      list.map((group) => searchFor(group, types, samplesOf, limit)),
      [{ role: null, settings: [] }],
    );
  const answers = [...(await search(groups, FEW))];
  const without = groups.flatMap((_, at) => (answers[at] === NONE ? [at] : []));
  const again = await search(
    without.flatMap((at) => groups[at] ?? []),
    MANY,
  );
  without.forEach((at, index) => (answers[at] = again[index] ?? NONE));
  const found = new Map<string, Combinations[]>();
  groups.forEach(({ table, columns, checks }, at) => {
    const answer = answers[at] ?? "";
    const list = found.get(table.sql) ?? [];
    list.push({
      columns,
      checks: checks.map(({ name }) => name),
      passing: answer.startsWith("ok ")
        ? varied(JSON.parse(answer.slice(3) || "[]") as (string | null)[][])
        : [],
    });
    found.set(table.sql, list);
  });
  return found;
}

interface Group {
  readonly table: ProvenTable;
  readonly columns: readonly string[];
  readonly checks: readonly ProofConstraint[];
}

/** The answer where nothing passes. */
const NONE = "ok ";

/** The question which combinations pass. One that fails on a value (a cast in a check) is left to the caller. */
function searchFor(
  { table, columns, checks }: Group,
  types: TypeNames,
  samplesOf: SamplesOf,
  limit: number,
): Question {
  const facts = columns
    .map((name) => table.columns.find((each) => each.name === name))
    .filter((each) => each !== undefined);
  const expressions = checks.map(({ expression }) => expression ?? "true");
  const lists = fitted(
    facts.map((column) => candidates(column, expressions, types, samplesOf(column))),
    limit,
  );
  // Materialized: each value is made once, and not for each combination.
  const made = facts.map((column, at) => {
    const list = (lists[at] ?? [null]).map((each) => `(${value(each)})`).join(", ");
    return `${ident(`c${at}`)} AS MATERIALIZED (SELECT v::${column.type} AS ${ident(column.name)}, v::${column.type}::text AS ${ident(`v${at}`)} FROM (VALUES ${list}) AS t(v))`;
  });
  const shown = facts.map((_, at) => ident(`v${at}`)).join(", ");
  const where = expressions.map((each) => `(${each}) IS NOT FALSE`).join(" AND ");
  const nulls = facts.map((_, at) => `(${ident(`v${at}`)} IS NULL)::int`).join(" + ");
  return {
    as: 0,
    kind: "rows",
    sql: `WITH ${made.join(", ")} SELECT pg_catalog.json_agg(r.list)::text FROM (
      SELECT ARRAY[${shown}]::text[] AS list FROM ${facts.map((_, at) => ident(`c${at}`)).join(" CROSS JOIN ")} WHERE ${where}
      ORDER BY ${nulls}, pg_catalog.md5(pg_catalog.concat_ws('|', ${shown})) LIMIT 300) AS r`,
  };
}

/** In an order in which each brings as many values as it can that those before it do not have. */
function varied(
  passing: readonly (readonly (string | null)[])[],
): readonly (readonly (string | null)[])[] {
  const rest = [...passing];
  const seen: Set<string | null>[] = [];
  const ordered: (readonly (string | null)[])[] = [];
  const fresh = (list: readonly (string | null)[]) => {
    let count = 0;
    list.forEach((each, at) => {
      if (seen[at]?.has(each) !== true) count += 1;
    });
    return count;
  };
  while (rest.length > 0 && ordered.length < MOST) {
    const counts = rest.map(fresh);
    const most = Math.max(...counts);
    // Where none brings anything they stay as they are.
    if (most === 0) return [...ordered, ...rest.slice(0, MOST - ordered.length)];
    for (const best of rest.splice(counts.indexOf(most), 1)) {
      ordered.push(best);
      best.forEach((each, at) => (seen[at] ??= new Set()).add(each));
    }
  }
  return ordered;
}

/** Columns whose values come from what they point at, and with them those that others point at. */
function keyColumnsOf({ constraints, tenantColumn }: ProvenTable): {
  readonly pointing: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
} {
  const of = (...kinds: readonly string[]) =>
    constraints.flatMap(({ kind, columns }) => (kinds.includes(kind) ? columns : []));
  const tenant = tenantColumn === null ? [] : [tenantColumn];
  return {
    pointing: new Set([...of("foreignKey"), ...tenant]),
    all: new Set([...of("foreignKey", "primaryKey"), ...tenant]),
  };
}

/** Columns that are connected by checks. */
function groupsOf(
  table: ProvenTable,
  given: ReadonlySet<string>,
): readonly {
  readonly columns: readonly string[];
  readonly checks: readonly ProofConstraint[];
}[] {
  const keys = keyColumnsOf(table);
  let groups: { columns: string[]; checks: ProofConstraint[] }[] = [];
  for (const check of table.constraints) {
    if (check.kind !== "check" || check.expression === null || !check.enforced) continue;
    if (check.columns.some((column) => given.has(column))) continue;
    // Between keys alone: what they point at decides.
    if (check.columns.every((column) => keys.pointing.has(column))) continue;
    if (check.columns.length > 1 && check.columns.every((column) => keys.all.has(column))) continue;
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
  limit: number,
): readonly (readonly (string | null)[])[] {
  const cut = lists.map((list) => (list.length === 0 ? [null] : [...list]));
  while (cut.reduce((product, list) => product * list.length, 1) > limit) {
    const longest = cut.reduce((a, b) => (b.length > a.length ? b : a));
    if (longest.length <= 2) break;
    // NULL stands last and stays.
    longest.splice(longest.length - (longest.at(-1) === null ? 2 : 1), 1);
  }
  return cut;
}
