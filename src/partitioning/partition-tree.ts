/**
 * The partitions below a table as a sub-query with `relid`, `parent`, `level` and `is_leaf`; the root itself is level 0.
 *
 * `pg_partition_tree` takes ACCESS SHARE on every partition, which at some thousand of them fills the lock table (15 and
 * 18). This reads the catalog alone.
 */
export function partitionTree(root: string): string {
  return `(
  WITH RECURSIVE tree(relid, parent, level) AS (
    SELECT ${root}::oid, NULL::oid, 0
    UNION ALL
    SELECT i.inhrelid, i.inhparent, tree.level + 1
    FROM tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.relid
  )
  SELECT tree.relid::regclass AS relid, tree.parent::regclass AS parent, tree.level, c.relkind <> 'p' AS is_leaf
  FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid
)`;
}
