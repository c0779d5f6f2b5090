import { namedPath, schemaPath } from "../../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../../objects/object.ts";
import { pgFunction } from "../../../objects/pg-function.ts";
import { ident, literal, qualified } from "../../../sql/quote.ts";
import { managed, PROGRESS, type Management, type Observed } from "./management.ts";
import { monitorMigration, postMigrationValidation } from "./watch-migration.ts";

const KEY = ["company_id", "program_id", "site_id", "created_at", "observation_id"];

/**
 * From a table that is not partitioned, renamed to `…_old`, into the partitioned one, as the procedure of an operator in psql. It
 * copies online; `convertToPartitioned` is the full form, with proof before the swap and a way back.
 */
export function migration(management: Management): readonly DatabaseObject[] {
  return [
    progressTable(management),
    ...management.observed.map((table) => syncFunction(management, table)),
    preparePartitions(management),
    beginSync(management),
    safeMigrateTable(management),
    migrateToPartitioned(management),
    monitorMigration(management),
    postMigrationValidation(management),
  ];
}

/** How far each copy is. It belongs to no company, and no persona may read it. */
function progressTable({ schema, access }: Management): DatabaseObject {
  const table = qualified(schema, PROGRESS);
  const migrator = ident(access.migratorRole);
  return databaseObject({
    kind: "table",
    id: namedPath("table", schema, PROGRESS),
    create: `CREATE TABLE ${table} (
  table_name text NOT NULL,
  program_id text NOT NULL DEFAULT '',
  last_key uuid,
  rows_copied bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CONSTRAINT migration_progress_pkey PRIMARY KEY (table_name, program_id)
);
COMMENT ON TABLE ${table} IS 'How far migrate_to_partitioned() is; program_id is empty for all programs.';
ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY migrator_all ON ${table} TO ${migrator} USING (true) WITH CHECK (true);
REVOKE ALL ON TABLE ${table} FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE ${table} TO ${migrator}`,
    drop: `DROP TABLE IF EXISTS ${table}`,
    dependsOn: [schemaPath(schema), `role ${migrator}`],
    dropLocks: [{ schema, name: PROGRESS, mode: "accessExclusive" }],
    creates: 4,
  });
}

/**
 * What the old table's trigger does for each row that changes while it is copied.
 *
 * Rows are met by the whole key: `ON CONFLICT (observation_id)` finds none on a partitioned table (42P10). A deleted row is
 * deleted, and one whose key changes moves.
 */
function syncFunction({ schema }: Management, { name, table, columns }: Observed) {
  const list = columns.map(ident).join(", ");
  const changed = columns.filter((column) => !KEY.includes(column));
  const same = (row: string) => KEY.map((column) => `t.${ident(column)} = ${row}.${ident(column)}`);
  return pgFunction({
    schema,
    name: `sync_${name}`,
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: `Writes to ${name} what is written to the table that it is copied from.`,
    body: `BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE feature_not_supported USING MESSAGE = pg_catalog.format('TRUNCATE of %I.%I while it is copied', TG_TABLE_SCHEMA, TG_TABLE_NAME),
      CONSTRAINT = 'kept_by_trigger', HINT = 'DELETE the rows.';
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (${KEY.map((column) => `OLD.${ident(column)}`).join(", ")}) IS DISTINCT FROM (${KEY.map((column) => `NEW.${ident(column)}`).join(", ")}) THEN
    DELETE FROM ${table} AS t WHERE ${same("OLD").join(" AND ")};
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${table} (${list}) VALUES (${columns.map((column) => `NEW.${ident(column)}`).join(", ")})
    ON CONFLICT (${KEY.map(ident).join(", ")}) DO UPDATE SET ${changed.map((column) => `${ident(column)} = EXCLUDED.${ident(column)}`).join(", ")};
  END IF;
  RETURN NULL;
END`,
  });
}

/** The table that is meant, its source and its columns, as variables of PL/pgSQL. */
const chosen = ({ observed }: Management) => `  CASE p_table
${observed
  .map(
    ({ name, table, source, columns, provision }) => `    WHEN ${literal(name)} THEN
      v_target := ${literal(table)};
      v_source := ${literal(source)};
      v_provision := ${literal(provision)};
      v_columns := ${literal(columns.map(ident).join(", "))};
`,
  )
  .join("")}    ELSE
      RAISE EXCEPTION 'no table of observations is called %', p_table USING ERRCODE = 'undefined_table', HINT = ${literal(`One of ${observed.map(({ name }) => name).join(", ")}.`)};
  END CASE;
  IF pg_catalog.to_regclass(v_source) IS NULL THEN
    RAISE EXCEPTION 'there is no % to migrate from', v_source USING ERRCODE = 'undefined_table',
      HINT = 'Rename the table that is not partitioned, and install the domain beside it.';
  END IF;
`;

const CHOSEN_VARIABLES = `  v_target text;
  v_source text;
  v_provision text;
  v_columns text;
`;

/** The sites of the old table with the months that they need, those of today and after included. `$1` is one program or NULL. */
const SITES = `SELECT s.program_id, s.site_id, pg_catalog.min(s.created_at) AS first, greatest(pg_catalog.max(s.created_at), pg_catalog.now() + interval '1 month') AS last
FROM %s AS s WHERE $1 IS NULL OR s.program_id = $1 GROUP BY 1, 2 ORDER BY 1, 2`;

function preparePartitions(management: Management) {
  return managed(management, {
    name: "prepare_partitions",
    arguments: [
      { name: "p_table", type: "text" },
      { name: "p_program_id", type: "text", default: "NULL" },
    ],
    commits: true,
    comment:
      "Makes the partitions that the rows of the old table need, and commits after each few.",
    body: `DECLARE
${CHOSEN_VARIABLES}  v_site record;
  v_made integer;
BEGIN
  SET LOCAL search_path TO '';
${chosen(management)}  PERFORM ${qualified(management.schema, "require_all_rows")}(v_source::regclass);
  FOR v_site IN EXECUTE pg_catalog.format(${literal(SITES)}, v_source) USING p_program_id LOOP
    LOOP
      EXECUTE pg_catalog.format('SELECT %s($1, $2, $3, $4)', v_provision) INTO v_made USING v_site.program_id, v_site.site_id, v_site.first, v_site.last;
      COMMIT;
      SET LOCAL search_path TO '';
      EXIT WHEN v_made = 0;
    END LOOP;
  END LOOP;
END`,
  });
}

function beginSync(management: Management) {
  return managed(management, {
    name: "begin_sync",
    arguments: [{ name: "p_table", type: "text" }],
    returns: "void",
    comment:
      "Puts the triggers on the old table that keep the partitioned one as it is. The caller owns the old table.",
    // A row without a partition would fail the application that writes to the old table.
    body: `DECLARE
${CHOSEN_VARIABLES}  v_site record;
  v_missing integer;
BEGIN
${chosen(management)}  PERFORM ${qualified(management.schema, "require_all_rows")}(v_source::regclass);
  FOR v_site IN EXECUTE pg_catalog.format(${literal(SITES)}, v_source) USING NULL::text LOOP
    EXECUTE pg_catalog.format('SELECT %s($1, $2, $3, $4)', v_provision) INTO v_missing USING v_site.program_id, v_site.site_id, v_site.first, v_site.last;
    IF v_missing > 0 THEN
      RAISE EXCEPTION 'rows of program %, site % have no partition yet', v_site.program_id, v_site.site_id
        USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = pg_catalog.format('CALL %s(%L)', ${literal(qualified(management.schema, "prepare_partitions"))}, p_table);
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = v_source::regclass AND tgname = 'sync_to_partitioned') THEN
    EXECUTE pg_catalog.format('CREATE TRIGGER sync_to_partitioned AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %I.%I()',
      v_source, ${literal(management.schema)}, 'sync_' || p_table);
    EXECUTE pg_catalog.format('CREATE TRIGGER sync_to_partitioned_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %I.%I()',
      v_source, ${literal(management.schema)}, 'sync_' || p_table);
  END IF;
END`,
  });
}

function safeMigrateTable(management: Management) {
  const requireAll = qualified(management.schema, "require_all_rows");
  return managed(management, {
    name: "safe_migrate_table",
    arguments: [
      { name: "p_table", type: "text" },
      { name: "p_dry_run", type: "boolean", default: "true" },
    ],
    returns: "table (step integer, action text, statement text, detail text)",
    comment:
      "Says what a migration does, step by step; without dry run it begins: it puts the sync triggers on. The copy commits, and is a procedure.",
    body: `DECLARE
${CHOSEN_VARIABLES}  v_rows bigint;
  v_sites bigint;
BEGIN
${chosen(management)}  PERFORM ${requireAll}(v_source::regclass);
  EXECUTE pg_catalog.format('SELECT pg_catalog.count(*), pg_catalog.count(DISTINCT (s.program_id, s.site_id)) FROM %s AS s', v_source) INTO v_rows, v_sites;
  RETURN QUERY VALUES
    (1, 'make partitions', pg_catalog.format('CALL %s(%L)', ${literal(qualified(management.schema, "prepare_partitions"))}, p_table),
      pg_catalog.format('for %s sites', v_sites)),
    (2, 'keep in step', pg_catalog.format('SELECT %s(%L)', ${literal(qualified(management.schema, "begin_sync"))}, p_table),
      'a moment of SHARE ROW EXCLUSIVE on ' || v_source),
    (3, 'copy', pg_catalog.format('CALL %s(p_table => %L)', ${literal(qualified(management.schema, "migrate_to_partitioned"))}, p_table),
      pg_catalog.format('%s rows', v_rows)),
    (4, 'compare', pg_catalog.format('SELECT * FROM %s()', ${literal(qualified(management.schema, "post_migration_validation"))}), 'counts and contents by program'),
    (5, 'analyse', pg_catalog.format('SELECT %s()', ${literal(qualified(management.schema, "analyze_all_partitions"))}), 'until it returns 0');
  IF NOT p_dry_run THEN
    PERFORM ${qualified(management.schema, "begin_sync")}(p_table);
  END IF;
END`,
  });
}

function migrateToPartitioned(management: Management) {
  const progress = qualified(management.schema, PROGRESS);
  return managed(management, {
    name: "migrate_to_partitioned",
    arguments: [
      { name: "p_batch_size", type: "integer", default: "10000" },
      { name: "p_program_id", type: "text", default: "NULL" },
      {
        name: "p_table",
        type: "text",
        default: literal(management.observed[0]?.name ?? "").trim(),
      },
    ],
    commits: true,
    comment:
      "Copies the old table's rows, a commit after each batch, and goes on where it stopped. begin_sync() first.",
    // Rows are locked while they are copied: one that is deleted meanwhile would come back, since its deletion found nothing to delete.
    body: `DECLARE
${CHOSEN_VARIABLES}  v_key uuid;
  v_last uuid;
  v_copied bigint;
  v_program text := coalesce(p_program_id, '');
BEGIN
  SET LOCAL search_path TO '';
  IF p_batch_size IS NULL OR p_batch_size < 1 THEN
    RAISE EXCEPTION 'a batch has at least one row' USING ERRCODE = 'invalid_parameter_value';
  END IF;
${chosen(management)}  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = v_source::regclass AND tgname = 'sync_to_partitioned' AND tgenabled <> 'D') THEN
    RAISE EXCEPTION 'what is written to % meanwhile would be lost', v_source USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = pg_catalog.format('SELECT %s(%L)', ${literal(qualified(management.schema, "begin_sync"))}, p_table);
  END IF;
  PERFORM ${qualified(management.schema, "require_all_rows")}(v_source::regclass);
  INSERT INTO ${progress} (table_name, program_id) VALUES (p_table, v_program)
  ON CONFLICT (table_name, program_id) DO UPDATE SET finished_at = NULL
  RETURNING last_key INTO v_last;
  COMMIT;
  SET LOCAL search_path TO '';
  CALL ${qualified(management.schema, "prepare_partitions")}(p_table, p_program_id);
  SET LOCAL search_path TO '';
  LOOP
    EXECUTE pg_catalog.format(
      'WITH batch AS (
         SELECT %1$s FROM %2$s AS s
         WHERE ($1 IS NULL OR s.observation_id > $1) AND ($2 IS NULL OR s.program_id = $2)
         ORDER BY s.observation_id LIMIT $3 FOR SHARE
       ), copied AS (
         INSERT INTO %3$s (%1$s) SELECT %1$s FROM batch ON CONFLICT DO NOTHING RETURNING 1
       )
       SELECT (SELECT b.observation_id FROM batch AS b ORDER BY b.observation_id DESC LIMIT 1), (SELECT pg_catalog.count(*) FROM copied)',
      v_columns, v_source, v_target) INTO v_key, v_copied USING v_last, p_program_id, p_batch_size;
    EXIT WHEN v_key IS NULL;
    v_last := v_key;
    UPDATE ${progress} AS p SET last_key = v_last, rows_copied = p.rows_copied + v_copied, updated_at = pg_catalog.now()
    WHERE p.table_name = p_table AND p.program_id = v_program;
    COMMIT;
    SET LOCAL search_path TO '';
  END LOOP;
  UPDATE ${progress} AS p SET finished_at = pg_catalog.now(), updated_at = pg_catalog.now()
  WHERE p.table_name = p_table AND p.program_id = v_program;
END`,
  });
}
