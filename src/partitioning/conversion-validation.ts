import type { Finding, Findings } from "../catalog/finding.ts";
import { namedPath, partPath } from "../catalog/path.ts";
import { readFacts, type Facts } from "../catalog/read-facts.ts";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import type { RowAccess } from "../plan/step.ts";
import { showAllRows } from "../run/row-security.ts";
import { ident, qualified } from "../sql/quote.ts";
import { conversionNames } from "./convert/conversion.ts";
import { leafCondition } from "./flat/leaf-condition.ts";
import { namesOf } from "./provision-names.ts";

/** Who asks, where rows are hidden. */
const WHO = "validateConversion";

/** What is validated. */
export interface ValidateConversionOptions {
  readonly scheme: Scheme;
  /** Compare the rows of each partition by their sums of hashes, which reads both tables whole. @default true */
  readonly checksums?: boolean;
}

/** One partition, and the same part of the plain table. */
export interface ValidatedPart {
  readonly partition: string;
  readonly rows: number;
  /** How many the plain table has in its place, without those that the log names; null where there is none any more. */
  readonly rowsOfPlain: number | null;
}

/** What was found. */
export interface ConversionValidation {
  /** The table beside it that holds the same rows; null after an attach, and once it is dropped. */
  readonly beside: string | null;
  readonly rows: number;
  readonly parts: readonly ValidatedPart[];
  readonly findings: Findings;
}

/**
 * Whether a partitioned table holds what the plain one held: rows in each partition against the same part of the table beside, by count and
 * sum of hashes in one snapshot for each; rows that refer to nothing; indexes and constraints; policies and privileges on both sides.
 *
 * It may be asked before the swap as after it, while the application writes: keys that the log of changes names are left out on both sides.
 *
 * @example
 * import { apply, planInstall } from "underpin";
 * import { validateConversion } from "underpin/partitioning";
 * import { definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const { findings } = await validateConversion(db, { scheme: schemes.auditLogs });
 * findings.length; // 0
 */
export async function validateConversion(
  db: DatabaseLike,
  { scheme, checksums = true }: ValidateConversionOptions,
): Promise<ConversionValidation> {
  const executor = toExecutor(db);
  const { schema, table } = namesOf(scheme);
  const facts = await readFacts(executor, { schemas: [schema] });
  const names = conversionNames(table);
  const isThere = (name: string) =>
    facts.tables.some((each) => each.schema === schema && each.name === name);
  const isPartitioned = (name: string) =>
    facts.tables.some(
      (each) => each.schema === schema && each.name === name && each.kind === "partitionedTable",
    );
  const swapped = isPartitioned(table);
  const root = swapped ? table : names.beside;
  const plain = swapped ? (isThere(names.parked) ? names.parked : null) : table;
  if (!isPartitioned(root))
    throw new UnderpinError({
      code: "invalidInput",
      message: `neither ${qualified(schema, table)} nor ${qualified(schema, names.beside)} is a partitioned table`,
      hint: "Apply the plan of convertToPartitioned first, or ask conversionStatus where it is.",
    });
  const sides: Sides = { schema, root, plain, log: isThere(names.log) ? names.log : null };
  const { parts, different } = await partsOf(executor, facts, sides, checksums);
  return {
    beside: plain === null ? null : qualified(schema, plain),
    rows: parts.reduce((sum, each) => sum + each.rows, 0),
    parts,
    findings: [
      ...different,
      ...brokenFindings(facts, schema, root),
      ...(await orphanFindings(executor, facts, schema, root)),
      ...(plain === null || !swapped ? [] : unlikeFindings(facts, schema, root, plain)),
    ],
  };
}

interface Sides {
  readonly schema: string;
  readonly root: string;
  readonly plain: string | null;
  readonly log: string | null;
}

async function partsOf(
  db: Executor,
  facts: Facts,
  sides: Sides,
  checksums: boolean,
): Promise<{ readonly parts: readonly ValidatedPart[]; readonly different: Findings }> {
  const { schema, root, plain } = sides;
  const members = facts.partitions.filter(
    (each) => each.root.schema === schema && each.root.name === root,
  );
  const parts: ValidatedPart[] = [];
  const different: Finding[] = [];
  for (const leaf of members.filter(({ key }) => key === null)) {
    const condition = leafCondition(members, leaf);
    const [row] = await db.transaction(async (transaction) => {
      // Rows that a policy hides would be missing on one side.
      const sidesRead = [root, ...(plain === null ? [] : [plain])];
      await showAllRows(
        transaction,
        sidesRead.map((name): RowAccess => ({ schema, name, access: "read" })),
        WHO,
      );
      return transaction.query<{ rows: string; other: string | null; same: boolean }>(
        comparisonSql(facts, sides, condition, checksums),
      );
    });
    const rows = Number(row?.rows ?? 0);
    const rowsOfPlain = plain === null || row?.other == null ? null : Number(row.other);
    parts.push({ partition: leaf.name, rows, rowsOfPlain });
    if (plain !== null && row?.same !== true)
      different.push({
        check: "rows-differ",
        severity: "error",
        object: namedPath("table", leaf.schema, leaf.name),
        message:
          rowsOfPlain === rows
            ? `its ${rows} rows are not those that ${plain} has in its place`
            : `it has ${rows} rows, and ${plain} has ${rowsOfPlain ?? 0} in its place`,
        repair: null,
      });
  }
  return { parts, different };
}

/** Through the root, whose policies say who sees all rows; its condition leaves one partition to be read. */
function comparisonSql(facts: Facts, sides: Sides, condition: string, checksums: boolean): string {
  const { schema, root, plain, log } = sides;
  const columnsOf = (table: string) =>
    facts.columns.filter((each) => each.schema === schema && each.table === table);
  const columns = columnsOf(root).map(({ name }) => name);
  const logged = log === null ? [] : columnsOf(log).map(({ name }) => name);
  const keys = logged.filter((name) => columns.includes(name));
  const unlogged =
    log === null || keys.length === 0
      ? ""
      : ` AND NOT EXISTS (SELECT FROM ${qualified(schema, log)} AS w WHERE ${keys.map((key) => `w.${ident(key)} = b.${ident(key)}`).join(" AND ")})`;
  const hash = checksums
    ? `coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW(${columns.map((each) => `b.${ident(each)}`).join(", ")})::text, 0)::numeric), 0)`
    : "0";
  const side = (table: string) =>
    `(SELECT pg_catalog.count(*) AS rows, ${hash} AS hash FROM ${qualified(schema, table)} AS b WHERE ${condition}${unlogged})`;
  return plain === null
    ? `SELECT p.rows::text AS rows, NULL::text AS other, true AS same FROM ${side(root)} AS p`
    : `SELECT p.rows::text AS rows, q.rows::text AS other, p.rows = q.rows AND p.hash = q.hash AS same
FROM ${side(root)} AS p, ${side(plain)} AS q`;
}

/** Indexes that no query uses, and constraints that nobody proved. */
function brokenFindings(facts: Facts, schema: string, root: string): Findings {
  const members = new Set(
    facts.partitions
      .filter((each) => each.root.schema === schema && each.root.name === root)
      .map(({ name }) => name),
  );
  const isMember = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === schema && members.has(each.table);
  return [
    ...facts.indexes
      .filter((each) => isMember(each) && !each.valid)
      .map(
        (each): Finding => ({
          check: "index-invalid",
          severity: "error",
          object: partPath("index", each.name, namedPath("table", schema, each.table)),
          message: "it is invalid: no query uses it",
          repair: null,
        }),
      ),
    ...facts.constraints
      .filter((each) => isMember(each) && !each.validated)
      .map(
        (each): Finding => ({
          check: "constraint-unproven",
          severity: "error",
          object: partPath("constraint", each.name, namedPath("table", schema, each.table)),
          message: "it holds for new rows, and nobody has looked whether the others keep it",
          repair: `ALTER TABLE ${qualified(schema, each.table)} VALIDATE CONSTRAINT ${ident(each.name)}`,
        }),
      ),
  ];
}

/** Rows that refer to nothing, whatever the constraints say. */
async function orphanFindings(
  db: Executor,
  facts: Facts,
  schema: string,
  root: string,
): Promise<Findings> {
  const found: Finding[] = [];
  const own = facts.constraints.filter((each) => each.schema === schema && each.table === root);
  for (const { name, columns, references } of own) {
    if (references === null) continue;
    const { schema: space, name: to } = references;
    const filled = columns.map((each) => `b.${ident(each)} IS NOT NULL`).join(" AND ");
    const same = columns
      .map((each, at) => `r.${ident(references.columns[at] ?? each)} = b.${ident(each)}`)
      .join(" AND ");
    const [row] = await db.transaction(async (transaction) => {
      await showAllRows(
        transaction,
        [
          { schema, name: root, access: "read" },
          { schema: space, name: to, access: "read" },
        ],
        WHO,
      );
      return transaction.query<{ found: boolean }>(
        `SELECT EXISTS (SELECT FROM ${qualified(schema, root)} AS b WHERE ${filled} AND NOT EXISTS (
  SELECT FROM ${qualified(space, to)} AS r WHERE ${same})) AS found`,
      );
    });
    if (row?.found === true)
      found.push({
        check: "row-orphan",
        severity: "error",
        object: partPath("constraint", name, namedPath("table", schema, root)),
        message: `some row refers to no row of ${qualified(space, to)}`,
        repair: null,
      });
  }
  return found;
}

/** What the plain table had and the partitioned one has not, or the other way round. */
function unlikeFindings(facts: Facts, schema: string, root: string, plain: string): Findings {
  const policies = (table: string) =>
    facts.policies
      .filter((each) => each.schema === schema && each.table === table)
      // An expression that names its own table does so by the name that it has.
      .map(({ table: _, ...policy }) => JSON.stringify(policy).replaceAll(plain, root));
  const grants = (table: string) =>
    facts.grants
      .filter((each) => each.schema === schema && each.name === table && each.on !== "sequence")
      .map(({ name: _, ...grant }) => JSON.stringify(grant));
  const object = namedPath("table", schema, root);
  const differ = (what: string, own: readonly string[], other: readonly string[]): Findings => {
    const lost = other.filter((each) => !own.includes(each));
    const added = own.filter((each) => !other.includes(each));
    if (lost.length + added.length === 0) return [];
    return [
      {
        check: `${what}-differ`,
        severity: "error",
        object,
        message: `it lacks ${lost.join(", ") || "none"} of ${plain}, and has ${added.join(", ") || "none"} besides`,
        repair: null,
      },
    ];
  };
  return [
    ...differ("policies", policies(root), policies(plain)),
    ...differ("privileges", grants(root), grants(plain)),
  ];
}
