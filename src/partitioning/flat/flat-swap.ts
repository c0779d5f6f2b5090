import { literal, qualified, ident } from "../../sql/quote.ts";
import type { Flat } from "./flat-of.ts";
import { lockTwinsSql } from "./twin-beside.ts";
import { catchUpSql, unwatchSql, watchFunctionSql, watchSql } from "./twin-log.ts";
import {
  carrySql,
  disableTriggersSql,
  enableTriggersSql,
  renamesSql,
  sequenceSql,
} from "./twin-swap.ts";

/** Gives the plain table the name of the partitioned one, and all that goes with it. */
export function flattenSql(flat: Flat): string {
  const { schema, table, names } = flat;
  return [
    lockTwinsSql(schema, [table.name, names.beside], "ACCESS EXCLUSIVE"),
    lateLeavesSql(flat),
    catchUpSql(flat, { from: table.name, to: names.beside, partitioned: "from", commits: false }),
    watchFunctionSql(flat, names.watch, false),
    ...sequenceSql(flat, "forth"),
    ...disableTriggersSql(flat),
    ...renamesSql(flat, "forth"),
    ...carrySql(flat),
    watchSql(flat, table.name, names.watchBack),
  ].join(";\n");
}

/** Gives the name back to the partitioned table, with the rows that were written meanwhile. */
export function unflattenSql(flat: Flat): string {
  const { schema, table, names } = flat;
  return [
    lockTwinsSql(schema, [table.name, names.parked], "ACCESS EXCLUSIVE"),
    catchUpSql(flat, { from: table.name, to: names.parked, partitioned: "to", commits: false }),
    unwatchSql(flat, table.name),
    ...renamesSql(flat, "back"),
    ...enableTriggersSql(flat),
    ...sequenceSql(flat, "back"),
    watchFunctionSql(flat, names.watch, true),
  ].join(";\n");
}

/** Leaves that came later have their keys logged now; a leaf that left since would take rows along that are copied by now. */
function lateLeavesSql({ schema, table, names, key, leaves }: Flat): string {
  const keys = key.map(({ name }) => ident(name)).join(", ");
  const known = leaves.map(({ name }) => literal(name)).join(", ");
  return `DO ${literal(`
DECLARE
  v_left text;
  v_late regclass;
  v_leaves oid[];
BEGIN
  WITH RECURSIVE tree (oid) AS (
    SELECT ${literal(qualified(schema, table.name))}::regclass::oid
    UNION ALL
    SELECT i.inhrelid FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
  )
  SELECT pg_catalog.array_agg(c.oid) INTO v_leaves FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid WHERE c.relkind <> 'p';
  SELECT n INTO v_left FROM pg_catalog.unnest(ARRAY[${known}]::text[]) AS n
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = ANY (v_leaves) AND c.relname = n) LIMIT 1;
  IF v_left IS NOT NULL THEN
    RAISE EXCEPTION '% is no partition any more, and its rows are copied', v_left
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Undo this run, and plan it again; maintain takes partitions out only where none is being undone.';
  END IF;
  FOR v_late IN
    SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.oid = ANY (v_leaves) AND NOT c.relname = ANY (ARRAY[${known}]::text[])
  LOOP
    EXECUTE pg_catalog.format(${literal(`INSERT INTO ${qualified(schema, names.log).replaceAll("%", "%%")} SELECT ${keys.replaceAll("%", "%%")} FROM ONLY %s`)}, v_late);
  END LOOP;
END`)}`;
}
