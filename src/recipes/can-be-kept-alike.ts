import type { CheckStep, RelationName } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";

/** Columns that are there, and types of those to come. */
export interface KeptAlike {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly added: readonly string[];
}

/**
 * Refuses, before anything is locked, what a trigger could not keep alike, or ADD COLUMN could not add in a moment.
 *
 * ADD COLUMN of a domain with constraints writes every row anew under ACCESS EXCLUSIVE, also without a default (15 to 18). A domain
 * that is NOT NULL would be left out by every INSERT of the other version. And a column that another such change keeps alike is
 * named in the body of its function, which no dependency in the catalog tells.
 */
export function canBeKeptAlike(table: RelationName, { columns, added }: KeptAlike): CheckStep {
  const types = [
    ...columns.map(({ type }) => `(${literal(type)}, false)`),
    ...added.map((type) => `(${literal(type)}, true)`),
  ].join(", ");
  return {
    kind: "check",
    id: "can-be-kept-alike",
    title: `A trigger can keep ${columns.map(({ name }) => name).join(", ")} alike with others`,
    sql: `WITH RECURSIVE chain (type, added, oid) AS (
  SELECT v.type, v.added, pg_catalog.to_regtype(v.type)::oid FROM (VALUES ${types}) AS v (type, added)
  UNION SELECT c.type, c.added, d.typbasetype FROM chain c
    JOIN pg_catalog.pg_type d ON d.oid = c.oid AND d.typtype = 'd')
SELECT c.type AS what, 'is a domain with constraints: take the type below it' AS reason
FROM chain c JOIN pg_catalog.pg_type d ON d.oid = c.oid AND d.typtype = 'd'
WHERE d.typnotnull OR (c.added AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = d.oid))
UNION ${keptAlikeSql(
      `SELECT ${literal(qualified(table.schema, table.name))}::regclass::oid AS oid`,
      columns.map(({ name }) => name),
    )}`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}

/** The sync triggers of tables that are keeping one of these columns alike: what, and reason. */
export function keptAlikeSql(tables: string, columns: readonly string[]): string {
  const named = columns
    .map((column) => `pg_catalog.strpos(p.prosrc, ${literal(`NEW.${ident(column)}`)}) > 0`)
    .join(" OR ");
  return `SELECT 'trigger ' || pg_catalog.quote_ident(g.tgname), 'keeps it alike with another column: finish or undo that change first'
FROM (${tables}) AS o JOIN pg_catalog.pg_trigger g ON g.tgrelid = o.oid AND NOT g.tgisinternal
JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
WHERE pg_catalog.starts_with(g.tgname::text, 'zzz_underpin_sync_') AND (${named})`;
}
