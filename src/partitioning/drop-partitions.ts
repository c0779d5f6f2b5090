import type { Scheme } from "../definition/scheme.ts";
import type { Probe } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { partitionTree } from "./partition-tree.ts";
import { LEAVES_PER_COMMIT } from "./provision-body.ts";
import { namesOf } from "./provision-names.ts";
import { doBlock } from "../sql/dollar-quoted.ts";

/** A statement for outside of a transaction, and how to tell what became of it. */
export interface DropPartitions {
  readonly sql: string;
  readonly probe: Probe;
}

/**
 * Drops all partitions of a scheme's table, the lowest first, and leaves the empty root.
 *
 * `DROP TABLE root` alone locks every partition with all its indexes in one transaction: with some thousand of them it ends in
 * 53200 "out of shared memory" at default settings (15 and 18). This commits after each {@link LEAVES_PER_COMMIT}. Killed in
 * between, it goes on where it was.
 */
export function dropPartitions(scheme: Scheme): DropPartitions {
  const { schema, table } = namesOf(scheme);
  const root = `pg_catalog.to_regclass(${literal(qualified(schema, table))})`;
  const partitions = `${partitionTree(root)} AS t WHERE t.level > 0`;
  return {
    sql: doBlock(`DECLARE
  v_partition regclass;
  v_left boolean;
BEGIN
  LOOP
    v_left := false;
    FOR v_partition IN SELECT t.relid FROM ${partitions} ORDER BY t.level DESC, t.relid LIMIT ${LEAVES_PER_COMMIT} LOOP
      EXECUTE pg_catalog.format('DROP TABLE %s', v_partition);
      v_left := true;
    END LOOP;
    EXIT WHEN NOT v_left;
    COMMIT;
  END LOOP;
END`),
    probe: {
      sql: `SELECT CASE WHEN EXISTS (SELECT FROM ${partitions}) THEN 'absent' ELSE 'done' END AS state`,
    },
  };
}
