import { literal } from "../../../sql/quote.ts";
import type { Transitions } from "../transitions.ts";

/** What a status column must follow. */
export interface Workflow {
  readonly table: string;
  readonly column: string;
  readonly transitions: Transitions;
}

/**
 * PL/pgSQL that holds a status to its transitions: a row begins in the first state, and goes only where the present one allows.
 *
 * As a trigger, since a CHECK sees one row only, not the one before. It raises 23514 as a CHECK would, with a constraint name of its own.
 */
export function workflowSql({ table, column, transitions }: Workflow): string {
  const states = Object.entries(transitions);
  const [[first = ""] = []] = states;
  const text = (value: string) => literal(value).trim();
  const cases = states.map(
    ([from, to]) =>
      `WHEN ${text(from)} THEN ${to.length === 0 ? "false" : `NEW.${column}::text IN (${to.map(text).join(", ")})`}`,
  );
  const refuse = (message: string, hint: string) => `RAISE check_violation USING
      MESSAGE = ${message}, CONSTRAINT = ${text(`${table}_${column}_transition`)},
      SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = ${text(column)}, HINT = ${hint};`;
  const following = states
    .map(([from, to]) => `${from} to ${to.length === 0 ? "nothing" : to.join(" or ")}`)
    .join("; ");
  return `IF TG_OP = 'INSERT' THEN
    IF NEW.${column}::text <> ${text(first)} THEN
      ${refuse(`format('%s cannot begin as %s', TG_TABLE_NAME, NEW.${column})`, text(`A row begins as ${first}.`))}
    END IF;
  ELSIF NEW.${column} IS DISTINCT FROM OLD.${column}
    AND NOT (CASE OLD.${column}::text ${cases.join(" ")} ELSE false END) THEN
    ${refuse(
      `format('%s cannot go from %s to %s', TG_TABLE_NAME, OLD.${column}, NEW.${column})`,
      text(`It goes from ${following}.`),
    )}
  END IF;`;
}

/** PL/pgSQL that refuses with 42501. */
export function forbidSql(condition: string, message: string, constraint: string): string {
  return `IF ${condition} THEN
    RAISE insufficient_privilege USING MESSAGE = ${literal(message).trim()}, CONSTRAINT = ${literal(constraint).trim()},
      SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;`;
}

/** PL/pgSQL that refuses with 23514, as a CHECK would. */
export function violateSql(condition: string, message: string, constraint: string): string {
  return `IF ${condition} THEN
    RAISE check_violation USING MESSAGE = ${literal(message).trim()}, CONSTRAINT = ${literal(constraint).trim()},
      SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;`;
}

/**
 * PL/pgSQL that keeps personas from saying that a row is another's. Who may update rows of others could make one theirs, and what only its
 * author may do would be theirs too. Not a rule of all: a foreign key sets it to NULL where the account goes.
 */
export function authorSql(table: string, column: string, isPersona: string): string {
  return forbidSql(
    `TG_OP = 'UPDATE' AND NEW.${column} IS DISTINCT FROM OLD.${column} AND ${isPersona}`,
    `${column} of ${table} never changes`,
    `${table}_author`,
  );
}

/** PL/pgSQL that keeps what a row is known by. */
export function fixedSql(table: string, columns: readonly string[]): string {
  const row = (of: "NEW" | "OLD") =>
    `ROW(${columns.map((column) => `${of}.${column}`).join(", ")})`;
  return violateSql(
    `TG_OP = 'UPDATE' AND ${row("NEW")} IS DISTINCT FROM ${row("OLD")}`,
    `${columns.join(", ")} of ${table} never change`,
    `${table}_identity`,
  );
}
