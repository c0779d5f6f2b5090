import { lookupsAsked, readsColumn } from "../../definition/lookup-columns.ts";
import type { AccessData } from "../../definition/access.ts";
import { literal, qualified, ident } from "../../sql/quote.ts";
import { predicateOf } from "../predicate.ts";
import { oneOf, told, type PlannedCell } from "./cell.ts";
import { classOf } from "./expected.ts";
import { probeOf } from "./lookup-probes.ts";
import { partsOf, type ProofModel, type ProvenTable } from "./model.ts";
import { cell, reachOf, REFUSED, type CellSources } from "./reach.ts";
import { keepOnly, updateAll } from "./statements.ts";
import type { WorldRow } from "./world.ts";

/**
 * What a persona may make of single columns. It is tried on one row, with triggers at work, since a policy compares nothing with what was there before, and
 * without WHERE: PostgreSQL asks the policies of SELECT about a new row only where the statement reads a column (15 and 18).
 */

/** How many values of a column are tried. */
const VALUES = 3;
/** How many rows are tried where the first may be one that a check holds anyway. */
const ROWS = 3;

/** Columns that nobody reads. */
export function unreadCells(sources: CellSources): readonly PlannedCell[] {
  const { table, as } = sources;
  const { granted } = reachOf(sources);
  if (!granted("select")) return [];
  return Object.keys(table.rules?.unread ?? {}).map((column) =>
    cell(sources, `select ${column}`, {
      question: {
        sql: `SELECT pg_catalog.count(${ident(column)})::text FROM ${table.sql}`,
        as,
        kind: "rows",
      },
      expected: REFUSED,
      judge: oneOf(REFUSED),
      denies: true,
    }),
  );
}

/**
 * Rows moved to where the persona could not have inserted them, or where it inserts none, would not see them: by a column that the rule of INSERT looks at
 * and that of UPDATE does not.
 */
export function becomeCells(sources: CellSources, model: ProofModel): readonly PlannedCell[] {
  const { table, as, access, known, horizon } = sources;
  const { granted, isIn, of, rows } = reachOf(sources);
  if (!granted("update")) return [];
  const command =
    classOf(table, access, known.persona, "insert").kind === "none" ? "select" : "insert";
  const rowClass = classOf(table, access, known.persona, command);
  const predicate = predicateOf(access, table.tenantColumn, rowClass);
  if (predicate === null) return [];
  const parts = partsOf(rowClass);
  const isByHand = parts.some(({ kind }) => kind === "custom");
  const changeable = of("update");
  // A predicate that was written by hand may have said no for another column.
  const candidates = [
    ...changeable.filter((row) => isIn(command, row)),
    ...(isByHand ? [] : changeable.filter((row) => !isIn(command, row))),
  ].slice(0, ROWS);
  const columns = table.columns
    .map(({ name }) => name)
    .filter(
      (name) =>
        name !== table.tenantColumn &&
        parts.some(
          (part) =>
            ("column" in part && part.column === name) ||
            (part.kind === "custom" && part.predicate.includes(ident(name))),
        ),
    );
  // A predicate that was written by hand is asked about the row as it has become, by who sees it.
  const after = `SELECT pg_catalog.string_agg(${table.key}, pg_catalog.chr(31)) FROM ${table.sql} WHERE pg_catalog.age(xmin) < ${horizon} AND (${predicate}) IS NOT TRUE`;
  return columns.flatMap((column) =>
    candidates.flatMap((row): PlannedCell[] => {
      const moved = (to: string) => ({ ...row, values: { ...row.values, [column]: to } });
      const to = othersOf(rows, row, column).find(
        (value) => isByHand || !isIn(command, moved(value)),
      );
      if (to === undefined) return [];
      return [
        cell(
          sources,
          `update ${column} past what may be ${command === "insert" ? "inserted" : "seen"}`,
          {
            question: {
              sql: updateAll(table, column, to),
              as,
              kind: "count",
              live: true,
              // What points at the row would hold it, and another row of its key: here it is the rule that has to.
              before: [...pointingAt(model, table), keepOnly(table, [row.key])].join(";\n"),
              ...(isByHand ? { after } : {}),
            },
            expected: "refused",
            judge: (answer) => (isByHand && answer === "ok " ? null : refused(answer)),
            denies: true,
          },
        ),
      ];
    }),
  );
}

/** The columns by which a persona could choose what its lookups yield: whatever it makes of them, they yield no id that they did not. */
export function lookupCells(sources: CellSources, model: ProofModel): readonly PlannedCell[] {
  const { table, as, access, known, world } = sources;
  const { granted, of, rows } = reachOf(sources);
  const [row] = of("update");
  if (!granted("update") || row === undefined) return [];
  const lookups = askedBy(model, access, known.persona);
  return table.columns.flatMap(({ name: column, type, generated, identity }): PlannedCell[] => {
    if (column === table.tenantColumn || generated !== null || identity !== null) return [];
    // A key by itself: a value that no row has points at nothing.
    const isKey = table.uniques.some(
      ({ columns, partial }) =>
        !partial && columns.every((each) => each === column || each === table.tenantColumn),
    );
    if (isKey) return [];
    const reading = lookups.filter((lookup) => readsColumn(lookup, table, column));
    if (reading.length === 0) return [];
    const before = new Set(
      reading.flatMap(({ name }) =>
        [...(known.lookups.get(name) ?? [])].map((id) => `${name} ${id}`),
      ),
    );
    const isReached = (value: string) =>
      reading.some(({ name }) => known.lookups.get(name)?.has(value));
    const values = [
      ...new Set([
        ...(type === access.user.type && known.user !== null ? [known.user] : []),
        ...othersOf(rows, row, column),
        ...targetsOf(table, column).flatMap(([sql, target]) =>
          (world.rows.get(sql) ?? []).flatMap((each) =>
            each.tenant === row.tenant || each.tenant === null ? (each.values[target] ?? []) : [],
          ),
        ),
      ]),
    ].filter((value) => value !== row.values[column]);
    const chosen = [...values.filter((value) => !isReached(value)), ...values.filter(isReached)];
    const ids = reading.flatMap((lookup) =>
      lookup.query === null
        ? []
        : [
            `SELECT ${literal(`${lookup.name} `)} || x AS k FROM pg_catalog.unnest(${probeOf(access, lookup)}) AS x`,
          ],
    );
    return chosen.slice(0, VALUES).map((to) =>
      cell(sources, `update ${column}, which lookups read`, {
        question: {
          sql: updateAll(table, column, to),
          as,
          kind: "count",
          live: true,
          before: keepOnly(table, [row.key]),
          after: `SELECT pg_catalog.string_agg(k, pg_catalog.chr(31) ORDER BY k COLLATE "C") FROM (${ids.join(" UNION ")}) AS u`,
        },
        expected: "no id more",
        judge(answer) {
          if (!answer.startsWith("ok")) return refused(answer);
          const more = answer
            .slice(3)
            .split("\u001f")
            .filter((id) => id !== "" && !before.has(id));
          return more.length === 0 ? null : `its lookups yield ${more.join(", ")}, too`;
        },
        denies: true,
      }),
    );
  });
}

/** Statements that empty the tables whose foreign keys lead to a table, but for those by which lookups know what the persona reaches. */
function pointingAt({ tables }: ProofModel, target: ProvenTable): readonly string[] {
  const read = (target.access?.lookups ?? []).flatMap(({ reads }) =>
    reads.map(({ schema, name }) => qualified(schema, name)),
  );
  return tables.flatMap(({ sql, constraints }) =>
    sql !== target.sql &&
    !read.includes(sql) &&
    constraints.some(
      ({ references }) => references?.schema === target.schema && references.name === target.name,
    )
      ? [`DELETE FROM ${sql}`]
      : [],
  );
}

/** Refused by a privilege, a policy, a trigger or a constraint; or nothing was there that the persona may change. */
function refused(answer: string): string | null {
  if (answer.includes(" before: ")) return answer;
  return /^(?:refused|ok 0$|error (?:23|22|428))/.test(answer) ? null : told(answer);
}

function askedBy(model: ProofModel, access: AccessData, persona: string) {
  const rules = model.tables.flatMap((table) =>
    table.access?.schema === access.schema && table.rules !== null ? [table.rules] : [],
  );
  const asked = lookupsAsked(rules, persona);
  return access.lookups.filter(({ name }) => asked.has(name));
}

/** What the column holds in other rows of the row's tenant. */
function othersOf(rows: readonly WorldRow[], row: WorldRow, column: string): readonly string[] {
  return rows.flatMap((each) => {
    const other = each.values[column] ?? null;
    return each.tenant === row.tenant && other !== null && other !== row.values[column]
      ? [other]
      : [];
  });
}

/** Where a column points: tables as SQL, with the column there. */
function targetsOf(table: ProvenTable, column: string): readonly (readonly [string, string])[] {
  return table.constraints.flatMap(({ references, columns }) => {
    const target = references?.columns[columns.indexOf(column)];
    return references === null || target === undefined
      ? []
      : [[qualified(references.schema, references.name), target] as const];
  });
}
