import { literal, qualified } from "../../../sql/quote.ts";
import { BOUNDS, managed, partitionsSql, rootsSql, type Management } from "./management.ts";
import { requireAllRowsOf } from "./visibility.ts";

/** What an operator looks at before a migration, and at any time. */
export function checks(management: Management) {
  const { domain, observed } = management;
  const partitions = partitionsSql(management);
  return [
    managed(management, {
      name: "pre_migration_check",
      returns: "table (check_name text, status text, detail text)",
      comment: "Whether the server and the tables are ready: each status is ok, warning or error.",
      body: `BEGIN
${requireAllRowsOf(management, ["provision_requests"])}  RETURN QUERY SELECT 'server version', CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 150000 THEN 'ok' ELSE 'error' END,
    pg_catalog.current_setting('server_version');
  RETURN QUERY SELECT 'lock table', CASE WHEN n.needed > n.held THEN 'warning' ELSE 'ok' END,
    pg_catalog.format('a query that leaves no partition out takes some %s locks, and there is place for %s: raise max_locks_per_transaction, or name program and site', n.needed, n.held)
  FROM (
    SELECT (SELECT pg_catalog.count(*) FROM ${partitions} AS t JOIN pg_catalog.pg_index AS i ON i.indrelid = t.relid)
        + (SELECT pg_catalog.count(*) FROM ${partitions} AS t) AS needed,
      pg_catalog.current_setting('max_locks_per_transaction')::bigint
        * (pg_catalog.current_setting('max_connections')::bigint + pg_catalog.current_setting('max_prepared_transactions')::bigint) AS held
  ) AS n;
  RETURN QUERY SELECT 'long transactions', CASE pg_catalog.count(*) WHEN 0 THEN 'ok' ELSE 'warning' END,
    pg_catalog.format('%s for more than five minutes', pg_catalog.count(*))
  FROM pg_catalog.pg_stat_activity AS a
  WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.xact_start < pg_catalog.now() - interval '5 minutes';
  RETURN QUERY SELECT 'prepared transactions', CASE pg_catalog.count(*) WHEN 0 THEN 'ok' ELSE 'error' END, pg_catalog.format('%s', pg_catalog.count(*))
  FROM pg_catalog.pg_prepared_xacts AS x WHERE x.database = pg_catalog.current_database();
  RETURN QUERY SELECT 'partitions', CASE pg_catalog.count(*) WHEN 0 THEN 'ok' ELSE 'error' END,
    pg_catalog.format('%s of something to mend: see validate_partitions()', pg_catalog.count(*))
  FROM ${qualified(management.schema, "validate_partitions")}();
${observed.map(sourceCheck).join("")}END`,
    }),
    managed(management, {
      name: "validate_partitions",
      returns: "table (table_name text, partition_name text, issue text, detail text)",
      settings: { datestyle: "ISO, YMD", timezone: "UTC" },
      comment: "What is wrong with partitions; no row where nothing is.",
      body: `BEGIN
${requireAllRowsOf(management, ["provision_requests"])}  RETURN QUERY SELECT t.name, c.relname::text, 'row security', 'it is not forced: a query that names it passes the policies of its root'
  FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity);
  RETURN QUERY SELECT t.name, c.relname::text, 'privileges', pg_catalog.format('%s may %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type)
  FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
  WHERE a.grantee <> c.relowner;
  RETURN QUERY SELECT t.name, c.relname::text, 'detach pending', 'DETACH … CONCURRENTLY began and did not end: DETACH PARTITION … FINALIZE'
  FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = t.relid AND i.inhdetachpending;
  RETURN QUERY SELECT t.name, c.relname::text, 'default', 'rows here stand in the way of new partitions'
  FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  WHERE pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT';
  RETURN QUERY SELECT t.name, c.relname::text, 'index', pg_catalog.format('%s is missing or invalid', p.indexrelid::regclass)
  FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  JOIN pg_catalog.pg_index AS p ON p.indrelid = t.parent
  WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_index AS x ON x.indexrelid = i.inhrelid
    WHERE i.inhparent = p.indexrelid AND x.indrelid = t.relid AND x.indisvalid);
  RETURN QUERY WITH bounded AS (
    SELECT t.name, t.parent, c.relname, b.lower, b.upper
    FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid ${BOUNDS}
    WHERE x.m IS NOT NULL
  )
  SELECT g.name, g.relname::text, 'gap', pg_catalog.format('nothing holds %s to %s', g.upper, g.next)
  FROM (SELECT o.name, o.relname, o.upper, pg_catalog.lead(o.lower) OVER (PARTITION BY o.parent ORDER BY o.lower) AS next FROM bounded AS o) AS g
  WHERE g.next > g.upper
  UNION ALL
  SELECT o.name, p.relname::text, 'no present month', pg_catalog.format('the last partition ends at %s', pg_catalog.max(o.upper))
  FROM bounded AS o JOIN pg_catalog.pg_class AS p ON p.oid = o.parent
  GROUP BY o.name, p.relname HAVING pg_catalog.max(o.upper) <= pg_catalog.now();
  RETURN QUERY SELECT r.name, NULL::text, 'hash', 'there is no partition: no row can be written'
  FROM ${rootsSql(management)} AS r(name, root)
  WHERE pg_catalog.pg_get_partkeydef(r.root) LIKE 'HASH%' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = r.root);
  RETURN QUERY SELECT 'sites', NULL::text, 'not provisioned', pg_catalog.format('program %s, site %s: CALL provision_requested()', q.program_id, coalesce(q.site_id, '(all)'))
  FROM ${qualified(domain, "provision_requests")} AS q WHERE q.done_at IS NULL;
END`,
    }),
  ];
}

/** Whether the table from before can be copied. */
function sourceCheck({ name, source, columns }: Management["observed"][number]): string {
  const list = columns.map((column) => literal(column).trim()).join(", ");
  return `  RETURN QUERY SELECT ${literal(`source of ${name}`)},
    CASE WHEN s.oid IS NULL THEN 'ok' WHEN s.missing IS NOT NULL OR NOT s.has_key THEN 'error' ELSE 'ok' END,
    CASE WHEN s.oid IS NULL THEN 'there is no table to migrate from'
      WHEN s.missing IS NOT NULL THEN 'it lacks the columns ' || s.missing
      WHEN NOT s.has_key THEN 'it has no unique index on observation_id alone'
      ELSE pg_catalog.format('some %s rows, %s; as much again is needed', greatest(s.reltuples, 0)::bigint, pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(s.oid))) END
  FROM (
    SELECT c.oid, c.reltuples,
      (SELECT pg_catalog.string_agg(w.name, ', ') FROM pg_catalog.unnest(ARRAY[${list}]) AS w(name)
       WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.name AND NOT a.attisdropped)) AS missing,
      EXISTS (SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = 'observation_id') AS has_key
    FROM (VALUES (pg_catalog.to_regclass(${literal(source)}))) AS n(relation)
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = n.relation
  ) AS s;
`;
}
