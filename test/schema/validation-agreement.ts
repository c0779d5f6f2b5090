import { getTableColumns, is, type Table } from "drizzle-orm";
import { getTableConfig, PgTable, type PgColumn } from "drizzle-orm/pg-core";
import fc from "fast-check";
import { expect } from "vitest";
import type { z } from "zod";
import { emit } from "../../src/definition/emit/emit.ts";
import { orderObjects } from "../../src/definition/order.ts";
import type { Definition } from "../../src/definition/definition.ts";
import type { Sandbox } from "../../src/sandbox/boot.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { rowsOf, type Row } from "./validation-rows.ts";

/** What a table needs to judge a row by itself: no foreign keys, indexes, triggers or policies. */
const KINDS: ReadonlySet<string> = new Set(["schema", "type", "sequence", "table"]);

/** Tries each statement in a sub-transaction of its own, takes it back, and says what became of it. */
const TRY = `
  CREATE FUNCTION public.try_rows(statements text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
  DECLARE statement text; violated text;
  BEGIN
    FOREACH statement IN ARRAY statements LOOP
      BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'UP000', MESSAGE = 'accepted';
      EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
        RETURN NEXT CASE SQLSTATE WHEN 'UP000' THEN 'accepted' ELSE SQLSTATE || ' ' || violated || ' ' || SQLERRM END;
      END;
    END LOOP;
  END $$`;

/** Numbers that the database makes are then none of those that rows are made of: no check finds them equal by chance. */
const RAISE = `;
  DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT * FROM pg_catalog.pg_sequences LOOP
      PERFORM pg_catalog.setval(pg_catalog.format('%I.%I', one.schemaname, one.sequencename), 30000);
    END LOOP;
  END $$`;

/** Makes the bare tables of a definition. */
export async function installTables({ client }: Sandbox, { tables }: Definition): Promise<void> {
  const objects = emit(Object.values(tables)).filter(({ kind }) => KINDS.has(kind));
  for (const { create } of orderObjects(objects)) await client.exec(create);
  await client.exec(TRY + RAISE);
}

/** How many rows were accepted and refused, by both. */
export interface Agreement {
  readonly accepted: number;
  readonly refused: number;
}

/** Asks zod and PostgreSQL about the same rows, and expects one answer. */
export async function expectAgreement(
  { client }: Sandbox,
  table: PgTable,
  insert: z.ZodType,
  fit?: (row: Row) => Row,
): Promise<Agreement> {
  const rows = chosen(fc.sample(rowsOf(table, fit), { numRuns: 1500, seed: 20240229 }), insert);
  const statements = rows.map(({ row }) => statementOf(table, row));
  const sent = statements.filter((statement) => statement !== null);
  const { rows: answers } = await client.query<{ answer: string }>(
    "SELECT answer FROM public.try_rows($1) AS answer",
    [sent],
  );
  let next = 0;
  const judged = rows.map(({ row, issues }, i) => {
    // What the driver cannot even send is refused.
    const answer = statements[i] === null ? "not sent" : (answers[next++]?.answer ?? "");
    return { row, issues, answer };
  });
  const apart = judged.filter(
    ({ issues, answer }) => (issues.length === 0) !== (answer === "accepted"),
  );
  expect(apart.slice(0, 5)).toEqual([]);
  const accepted = judged.filter(({ answer }) => answer === "accepted").length;
  return { accepted, refused: judged.length - accepted };
}

interface Judged {
  readonly row: Row;
  readonly issues: readonly string[];
}

/** Some rows of every kind: accepted ones, and a few for each reason to refuse, those with the fewest reasons first. */
function chosen(rows: readonly Row[], insert: z.ZodType): readonly Judged[] {
  const judged = rows
    .map((row) => {
      const { error } = insert.safeParse(row);
      return {
        row,
        issues: error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`) ?? [],
      };
    })
    .sort((a, b) => a.issues.length - b.issues.length);
  const taken = new Map<string, number>();
  return judged.filter(({ issues }) => {
    const fresh = issues.filter((issue) => (taken.get(issue) ?? 0) < 4);
    if (issues.length > 0 && fresh.length === 0) return false;
    for (const issue of issues.length === 0 ? [""] : fresh)
      taken.set(issue, (taken.get(issue) ?? 0) + 1);
    return issues.length > 0 || (taken.get("") ?? 0) <= 60;
  });
}

/** The INSERT that Drizzle would send, with its parameters as texts of no type, or null where the driver refuses. */
function statementOf(table: PgTable, row: Row): string | null {
  const columns = getTableColumns(table as Table) as Readonly<Record<string, PgColumn>>;
  const { schema = "public", name } = getTableConfig(table);
  const names: string[] = [];
  const values: string[] = [];
  try {
    for (const [property, value] of Object.entries(row)) {
      const column = columns[property];
      if (column === undefined || value === undefined) continue;
      names.push(ident(column.name));
      const sent: unknown = value === null ? null : column.mapToDriverValue(value);
      values.push(sent === null ? "NULL" : literal(textOf(sent)));
    }
  } catch {
    return null;
  }
  const into = `INSERT INTO ${qualified(schema, name)}`;
  return names.length === 0
    ? `${into} DEFAULT VALUES`
    : `${into} (${names.join(", ")}) VALUES (${values.join(", ")})`;
}

function textOf(sent: unknown): string {
  if (sent instanceof Date) return sent.toISOString();
  return typeof sent === "string" ? sent : String(sent);
}

/** The tables among what a domain exports. */
export function tablesOf(exports: object): readonly (readonly [string, PgTable])[] {
  return Object.entries(exports).filter((entry): entry is [string, PgTable] =>
    is(entry[1], PgTable),
  );
}
