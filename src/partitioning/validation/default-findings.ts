import type { Finding } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { sqlStateOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { pathOf } from "../read-tree.ts";
import type { ValidatedMember, ValidationReading } from "./read-validation.ts";

/** At most so many rows of one default partition are looked at. */
const MOST_ROWS = 1_000_000;

/** Rows that stand in a default partition because their own is missing: by value or interval, so that one sees which. */
export async function defaultFindings(
  db: Executor,
  scheme: Scheme,
  reading: ValidationReading,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const leaf of reading.partitions) {
    const level = defaultLevel(reading, leaf);
    if (level === null || !leaf.isLeaf || leaf.detachPending) continue;
    const finding = await countRows(db, scheme, leaf, level);
    if (finding !== null) findings.push(finding);
  }
  return findings;
}

/** The level of the default partition that a leaf is or is below of. */
function defaultLevel(reading: ValidationReading, leaf: ValidatedMember): number | null {
  const path = pathOf(reading.tree, leaf);
  return path.find(({ bound }) => bound?.strategy === "default")?.level ?? null;
}

/** Only the default partition is locked. Where row security would hide rows, it is an error and no empty answer. */
async function countRows(
  db: Executor,
  scheme: Scheme,
  leaf: ValidatedMember,
  level: number,
): Promise<Finding | null> {
  const object = namedPath("table", leaf.schema, leaf.name);
  const say = (message: string): Finding => ({
    check: "partition-default-rows",
    severity: "warning",
    object,
    message,
    repair: null,
  });
  try {
    const groups = await db.transaction(async (transaction) => {
      await transaction.query("SET LOCAL row_security = off");
      return transaction.query<{ value: string | null; count: string }>(
        `SELECT r.value, pg_catalog.count(*)::text AS count
         FROM (SELECT ${groupOf(scheme, level)} AS value FROM ONLY ${qualified(leaf.schema, leaf.name)} LIMIT ${MOST_ROWS}) AS r
         GROUP BY r.value ORDER BY pg_catalog.count(*) DESC, r.value`,
      );
    });
    const total = groups.reduce((sum, { count }) => sum + Number(count), 0);
    if (total === 0) return null;
    const named = groups
      .slice(0, 10)
      .map(({ value, count }) => (value === null ? count : `${count} of ${value}`));
    const more = groups.length > 10 ? `, and ${groups.length - 10} more` : "";
    return say(
      `it holds ${total === MOST_ROWS ? "at least " : ""}${total} rows whose own partition is missing: ${named.join(", ")}${more}`,
    );
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    if (leaf.pages === 0) return null;
    return say("it has pages, and who asks may not count its rows: row security or rights forbid");
  }
}

/** By what the rows of a default partition are told apart. */
function groupOf(scheme: Scheme, level: number): string {
  const dimension = scheme.dimensions[level - 1];
  if (dimension === undefined) return "NULL::text";
  const column = ident(dimension.column);
  if (dimension.strategy !== "range") return `${column}::text`;
  if (typeof dimension.every === "number")
    return `(pg_catalog.floor(${column}::numeric / ${dimension.every}) * ${dimension.every})::text`;
  if (dimension.time === "uuidv7") return `pg_catalog.left(${column}::text, 8)`;
  const unit = UNIT[dimension.every] ?? "month";
  return `pg_catalog.to_char(${column}, ${literal(unit)})`;
}

/** How the interval of a row is named: by its beginning, without a call that knows no infinite time. */
const UNIT: Readonly<Record<string, string>> = {
  "1 day": "YYYY-MM-DD",
  "1 week": 'IYYY-"W"IW',
  "1 month": "YYYY-MM",
  "3 months": 'YYYY-"Q"Q',
  "1 year": "YYYY",
};
