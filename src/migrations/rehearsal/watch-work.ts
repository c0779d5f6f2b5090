import type { Queryable } from "../../executor/executor.ts";
import type { RelationName } from "../../plan/step.ts";
import type { StatementWatch } from "../../run/measure/measure-locks.ts";
import type { RowsOf } from "./rehearsal.ts";

/** What one statement did to relations that were there before it. */
export interface Work {
  readonly rewritten: readonly RelationName[];
  readonly scanned: readonly RowsOf[];
  readonly changed: readonly RowsOf[];
}

/** A watch, and what it has seen, by the statement's leading comment. */
export interface WorkWatch extends StatementWatch {
  readonly seen: ReadonlyMap<string, Work>;
}

/**
 * Reads around each statement the storage of relations, which is another once every row was written anew, and the counters of rows, those
 * of the open transaction included: ALTER TABLE and CREATE INDEX count what they read as any query does.
 */
export function watchWork(runSchema: string): WorkWatch {
  const seen = new Map<string, Work>();
  let before: Readings = new Map();
  return {
    seen,
    before: async (db) => {
      before = await readCounters(db, runSchema);
    },
    after: async (db, marker) => {
      const work = workBetween(before, await readCounters(db, runSchema));
      // A backfill has a statement for each batch.
      seen.set(marker, together(seen.get(marker), work));
    },
  };
}

interface Reading extends RelationName {
  readonly oid: string;
  readonly kind: string;
  readonly file: string | null;
  readonly scanned: number;
  readonly changed: number;
}

type Readings = ReadonlyMap<string, Reading>;

async function readCounters(db: Queryable, runSchema: string): Promise<Readings> {
  // What a statement outside a transaction counted is told at the next occasion: that is now.
  await db.query("SELECT pg_catalog.pg_stat_force_next_flush()");
  const rows = await db.query<Record<keyof Reading, string>>(
    `SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       pg_catalog.pg_relation_filenode(c.oid)::text AS file,
       (pg_catalog.pg_stat_get_tuples_returned(c.oid) + pg_catalog.pg_stat_get_xact_tuples_returned(c.oid))::text AS scanned,
       (pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
        + pg_catalog.pg_stat_get_tuples_deleted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid))::text AS changed
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm', 'i') AND n.nspname !~ '^pg_'
       AND n.nspname NOT IN ('information_schema', $1::text)`,
    [runSchema],
  );
  return new Map(
    rows.map((row) => [
      row.oid,
      { ...row, scanned: Number(row.scanned), changed: Number(row.changed) },
    ]),
  );
}

function workBetween(before: Readings, after: Readings): Work {
  const there = [...before.values()].flatMap((was) => {
    const is = after.get(was.oid);
    return is === undefined ? [] : [{ was, is }];
  });
  const named = ({ schema, name }: RelationName, rows: number): RowsOf => ({ schema, name, rows });
  const tables = there.filter(({ was }) => was.kind !== "i");
  return {
    rewritten: tables
      .filter(({ was, is }) => was.file !== is.file)
      .map(({ was: { schema, name } }) => ({ schema, name })),
    scanned: tables
      .filter(({ was, is }) => is.scanned > was.scanned)
      .map(({ was, is }) => named(was, is.scanned - was.scanned)),
    changed: tables
      .filter(({ was, is }) => is.changed > was.changed)
      .map(({ was, is }) => named(was, is.changed - was.changed)),
  };
}

function together(first: Work | undefined, second: Work): Work {
  if (first === undefined) return second;
  return {
    rewritten: [...first.rewritten, ...second.rewritten],
    scanned: [...first.scanned, ...second.scanned],
    changed: [...first.changed, ...second.changed],
  };
}
