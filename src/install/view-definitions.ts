import type { Executor } from "../executor/executor.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { doBlock } from "../sql/dollar-quoted.ts";

/**
 * The queries of declared views as this server prints them, by id.
 *
 * How a view is printed changes with the version (15 writes the table before each column of a single relation, 16 does not), so each is
 * made as a temporary view here, read back and rolled back. It needs TEMPORARY on the database, which PUBLIC has by default, and a
 * primary. A view that names what is not there is left out: that is found by itself.
 */
export async function viewDefinitions(
  db: Executor,
  views: readonly DatabaseObject[],
  settings: string,
): Promise<ReadonlyMap<string, string>> {
  const name = (at: number) => `underpin_printed_${at}`;
  const make = views.map(({ create }, at) => {
    const query = / AS (.+?)(?: WITH NO DATA)?$/s.exec(create)?.[1] ?? "";
    return `${doBlock(`BEGIN CREATE TEMPORARY VIEW ${name(at)} AS ${query}; EXCEPTION WHEN OTHERS THEN NULL; END`)};\n`;
  });
  const printed = new Map<string, string>();
  const takeBack = new Error("rolled back, as meant");
  try {
    await db.transaction(async (transaction) => {
      await transaction.query(settings + make.join("") + "SET LOCAL search_path TO ''");
      const rows = await transaction.query<{ name: string; definition: string }>(
        `SELECT c.relname::text AS name, pg_catalog.pg_get_viewdef(c.oid) AS definition
         FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relname LIKE 'underpin\\_printed\\_%'`,
      );
      const byName = new Map(rows.map((row) => [row.name, row.definition]));
      for (const [at, { id }] of views.entries()) {
        const definition = byName.get(name(at));
        if (definition !== undefined) printed.set(id, definition);
      }
      throw takeBack;
    });
  } catch (error) {
    if (error !== takeBack) throw error;
  }
  return printed;
}
