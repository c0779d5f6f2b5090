import { literal, qualified } from "../../../sql/quote.ts";
import { asMigrator, managed, type Management } from "./management.ts";
import { requireAllRowsOf } from "./visibility.ts";

const WINDOW = [
  { name: "p_from", type: "timestamptz", default: "now()" },
  { name: "p_until", type: "timestamptz", default: "NULL" },
] as const;

/** Partitions of programs and sites: on demand, and what the triggers of the domain asked for. */
export function provisioning(management: Management) {
  const { schema, domain, observed } = management;
  const sites = qualified(domain, "sites");
  const requests = qualified(domain, "provision_requests");
  const provisionSite = qualified(schema, "provision_site");
  const precreate = qualified(schema, "precreate_program_partitions");
  return [
    managed(management, {
      name: "provision_site",
      arguments: [
        { name: "p_program_id", type: "text" },
        { name: "p_site_id", type: "text" },
        ...WINDOW,
      ],
      returns: "integer",
      comment: "Makes the partitions of one site that are missing, and returns how many.",
      body: `BEGIN
  RETURN ${observed.map(({ provision }) => `${provision}(p_program_id, p_site_id, p_from, p_until)`).join("\n    + ")};
END`,
    }),
    managed(management, {
      name: "precreate_program_partitions",
      arguments: [{ name: "p_program_id", type: "text" }, ...WINDOW],
      returns: "integer",
      comment:
        "Makes the partitions of a program's sites that are missing, some twenty at a time, and returns how many: call it until it returns 0.",
      body: `DECLARE
  v_site text;
  v_made integer := 0;
BEGIN
${requireAllRowsOf(management, ["sites"])}  FOR v_site IN SELECT DISTINCT s.site_id FROM ${sites} AS s WHERE s.program_id = p_program_id AND s.is_active ORDER BY 1 LOOP
    v_made := v_made + ${provisionSite}(p_program_id, v_site, p_from, p_until);
    EXIT WHEN v_made >= 20;
  END LOOP;
  RETURN v_made;
END`,
    }),
    asMigrator(management, {
      name: "provision_next",
      arguments: [{ name: "p_failed", type: "uuid[]", default: "'{}'" }],
      returns: "uuid[]",
      security: "definer",
      comment:
        "Makes some partitions that one request asks for, and returns the requests that failed: NULL when none is left to try.",
      // The request is locked while its partitions are made: another worker takes the next one.
      body: `DECLARE
  v_request record;
  v_made integer;
BEGIN
${requireAllRowsOf(management, ["provision_requests"])}  SELECT r.company_id, r.request_id, r.program_id, r.site_id INTO v_request
  FROM ${requests} AS r
  WHERE r.done_at IS NULL AND NOT r.request_id = ANY (p_failed)
  ORDER BY r.requested_at
  LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  BEGIN
    v_made := CASE WHEN v_request.site_id IS NULL THEN ${precreate}(v_request.program_id)
      ELSE ${provisionSite}(v_request.program_id, v_request.site_id) END;
    UPDATE ${requests} AS r
    SET done_at = CASE v_made WHEN 0 THEN pg_catalog.now() END, attempts = r.attempts + 1, last_error = NULL
    WHERE r.company_id = v_request.company_id AND r.request_id = v_request.request_id;
  EXCEPTION WHEN OTHERS THEN
    UPDATE ${requests} AS r SET attempts = r.attempts + 1, last_error = SQLSTATE || ': ' || SQLERRM
    WHERE r.company_id = v_request.company_id AND r.request_id = v_request.request_id;
    RETURN p_failed || v_request.request_id;
  END;
  RETURN p_failed;
END`,
    }),
    managed(management, {
      name: "provision_requested",
      arguments: [{ name: "p_at_most", type: "integer", default: "1000" }],
      commits: true,
      comment:
        "Makes the partitions that new programs and sites ask for, and commits after each few. Many may call it at once.",
      body: `DECLARE
  v_failed uuid[] := '{}';
BEGIN
  SET LOCAL search_path TO '';
${requireAllRowsOf(management, ["provision_requests"])}  FOR v_round IN 1 .. p_at_most LOOP
    v_failed := ${qualified(schema, "provision_next")}(v_failed);
    EXIT WHEN v_failed IS NULL;
    COMMIT;
    SET LOCAL search_path TO '';
  END LOOP;
END`,
    }),
  ];
}

/** What keeps partitions in order: statistics, those that stay empty, and all of it once a day. */
export function maintenance(management: Management, partitions: string) {
  const { schema, domain } = management;
  const programs = qualified(domain, "pilot_programs");
  return [
    managed(management, {
      name: "analyze_all_partitions",
      arguments: [{ name: "p_at_most", type: "integer", default: "200" }],
      returns: "integer",
      security: "definer",
      comment:
        "Analyses partitions whose statistics are missing or out of date, one by one, and returns how many: call it until it returns 0.",
      // ANALYZE of the root locks every partition, and before 18 analyses each again.
      body: `DECLARE
  v_partition regclass;
  v_done integer := 0;
BEGIN
  FOR v_partition IN
    SELECT t.relid::regclass FROM ${partitions} AS t
    JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = t.relid
    WHERE t.is_leaf AND (s.n_mod_since_analyze > 0 OR s.last_analyze IS NULL AND s.last_autoanalyze IS NULL)
    ORDER BY s.n_mod_since_analyze DESC, t.relid
    LIMIT p_at_most
  LOOP
    EXECUTE pg_catalog.format('ANALYZE %s', v_partition);
    v_done := v_done + 1;
  END LOOP;
  RETURN v_done;
END`,
    }),
    managed(management, {
      name: "cleanup_empty_partitions",
      arguments: [{ name: "p_days", type: "integer" }],
      returns: "integer",
      security: "definer",
      settings: { datestyle: "ISO, YMD", timezone: "UTC" },
      comment:
        "Drops partitions that hold nothing and whose month ended more than so many days ago, at most twenty at a time, and returns how many.",
      // Not by counting: row security shows the owner no rows. A file of no bytes holds none, not even one that is being written.
      body: `DECLARE
  v_partition regclass;
  v_dropped integer := 0;
BEGIN
  IF p_days IS NULL OR p_days < 0 THEN
    RAISE EXCEPTION 'the number of days has to be 0 or more' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF pg_catalog.current_setting('lock_timeout') = '0' THEN
    PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
  END IF;
  FOR v_partition IN
    SELECT t.relid::regclass FROM ${partitions} AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
    CROSS JOIN LATERAL (
      SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ${literal("TO \\('([^']*)'\\)$").trim()}) AS m
    ) AS b
    WHERE t.is_leaf AND b.m IS NOT NULL AND b.m[1]::timestamptz < pg_catalog.now() - p_days * interval '1 day'
      AND pg_catalog.pg_relation_size(t.relid) = 0
    ORDER BY b.m[1]::timestamptz, t.relid
    LIMIT 20
  LOOP
    EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', v_partition);
    CONTINUE WHEN pg_catalog.pg_relation_size(v_partition) > 0;
    EXECUTE pg_catalog.format('DROP TABLE %s', v_partition);
    v_dropped := v_dropped + 1;
  END LOOP;
  RETURN v_dropped;
END`,
    }),
    managed(management, {
      name: "schedule_maintenance",
      returns: "table (action text, affected integer)",
      comment:
        "What is due each day: the coming months of programs that have not ended, and statistics. It does a bounded piece: call it again while it affects anything.",
      body: `DECLARE
  v_program text;
BEGIN
${requireAllRowsOf(management, ["pilot_programs", "provision_requests"])}  action := 'partitions made';
  affected := 0;
  FOR v_program IN
    SELECT DISTINCT p.program_id FROM ${programs} AS p
    WHERE p.status IN ('planned', 'active', 'paused') AND coalesce(p.end_date, 'infinity') >= current_date
    ORDER BY 1
  LOOP
    affected := affected + ${qualified(schema, "precreate_program_partitions")}(v_program);
    EXIT WHEN affected >= 20;
  END LOOP;
  RETURN NEXT;
  action := 'requests left';
  SELECT pg_catalog.count(*)::integer INTO affected FROM ${qualified(domain, "provision_requests")} AS r WHERE r.done_at IS NULL;
  RETURN NEXT;
  action := 'partitions analysed';
  affected := ${qualified(schema, "analyze_all_partitions")}();
  RETURN NEXT;
END`,
    }),
    asMigrator(management, {
      name: "maintain_next",
      returns: "boolean",
      security: "definer",
      comment: "Does a bounded piece of what is due each day, and returns whether there is more.",
      body: `BEGIN
  RETURN EXISTS (
    SELECT FROM ${qualified(schema, "schedule_maintenance")}() AS m
    WHERE m.action = 'partitions made' AND m.affected > 0 OR m.action = 'partitions analysed' AND m.affected >= 200
  );
END`,
    }),
  ];
}
