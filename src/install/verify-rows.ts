import type { Canonical } from "../catalog/canonical.ts";
import type { Finding } from "../catalog/finding.ts";
import { namedPath } from "../catalog/path.ts";
import type { Definition } from "../definition/definition.ts";
import { isRetryable, sqlStateOf } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { targetOf } from "../plan/target.ts";
import { ident, literal } from "../sql/quote.ts";
import { insertSql, missingRowSql } from "./seed-object.ts";

/**
 * Seed rows that are not there, by their key.
 *
 * Under FORCE the owner sees no row of its own table, so it looks as the migrator role where there is one, and with row security
 * off otherwise, which is an error instead of silence.
 */
export async function rowFindings(
  db: Executor,
  { seeds, access }: Definition,
  found: Canonical,
): Promise<readonly Finding[]> {
  const [migrator] = access.map(({ migratorRole }) => migratorRole);
  const findings: Finding[] = [];
  for (const seed of seeds) {
    const { schema, name } = targetOf(seed);
    const object = namedPath("table", schema, name);
    const table = found[object]?.aspects;
    if (table === undefined) continue;
    const become =
      migrator === undefined || table.forceRowSecurity !== "yes"
        ? ""
        : `SET LOCAL ROLE ${ident(migrator)};\n`;
    const look = seed.rows
      .map((row, at) => `SELECT ${at} AS row FROM (${missingRowSql(seed, row)}) AS missing`)
      .join("\nUNION ALL ");
    const missing = await lookAs(db, become, look);
    if (missing === null)
      findings.push({
        check: "rows-unseen",
        severity: "warning",
        object,
        message:
          "its seed rows cannot be looked at: row security hides them from this login; ask as one that may SET ROLE to the migrator",
        repair: null,
      });
    for (const at of missing ?? []) {
      const row = seed.rows[at] ?? {};
      const key = seed.key.map((property) => `${property} ${literal(String(row[property]))}`);
      findings.push({
        check: "rows-missing",
        severity: "error",
        object,
        message: `its seed row with ${key.join(", ")} is not there`,
        repair:
          become === ""
            ? insertSql(seed, row)
            : `BEGIN;\n${become}${insertSql(seed, row)};\nCOMMIT`,
      });
    }
  }
  return findings;
}

/** The numbers of the missing rows; null where nobody lets this login look. */
async function lookAs(
  db: Executor,
  become: string,
  look: string,
): Promise<readonly number[] | null> {
  for (const before of become === "" ? [""] : [become, ""])
    try {
      return await db.transaction(async (transaction) => {
        await transaction.query(
          `${before}SET LOCAL row_security TO ${before === "" ? "off" : "on"}`,
        );
        const rows = await transaction.query<{ row: number }>(look);
        return rows.map(({ row }) => row);
      });
    } catch (error) {
      if (sqlStateOf(error) !== "42501" || isRetryable(error)) throw error;
    }
  return null;
}
