import { getTableColumns } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { namedPath } from "../../catalog/path.ts";
import type { AccessData } from "../../definition/access.ts";
import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { targetOf } from "../../plan/target.ts";
import { readerTrigger, readerWrites } from "../../rls/reader-writes.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";

/** What the functions of the domain work on. */
export interface FunctionTables {
  readonly petriObservations: PgTable;
  readonly petriObservationsBySubmission: PgTable;
}

/**
 * The trigger functions. They run as who writes, so that row security holds for what they write too; but for those that keep the locator and the copy,
 * which nobody else may write: they run as the reader.
 */
export function triggerFunctions(access: AccessData, schema: string, tables: FunctionTables) {
  const locator = qualified(schema, "observation_locator");
  const copy = qualified(schema, targetOf({ table: tables.petriObservationsBySubmission }).name);
  const names = Object.values(getTableColumns(tables.petriObservations)).map(({ name }) => name);
  const columns = names.map(ident).join(", ");
  const make = (name: string, comment: string, body: string) =>
    pgFunction({
      schema,
      name,
      returns: "trigger",
      language: "plpgsql",
      volatility: "volatile",
      comment,
      body,
    });
  const keep = (name: string, comment: string, body: string) =>
    readerTrigger(access, {
      schema,
      name,
      language: "plpgsql",
      volatility: "volatile",
      comment,
      body,
    });
  return {
    touch: make(
      "touch_updated_at",
      "Keeps updated_at.",
      "BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END",
    ),
    locate: keep(
      "locate_observation",
      "Keeps observation_locator for one kind of observations, and by it their ids unique.",
      // A row that moves to another partition is deleted there and inserted here: no UPDATE trigger fires.
      `BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM ${locator}
    WHERE company_id = OLD.company_id AND observation_id = OLD.observation_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${locator} (company_id, observation_id, kind, submission_id, program_id, site_id, created_at)
    VALUES (NEW.company_id, NEW.observation_id, TG_ARGV[0], NEW.submission_id, NEW.program_id, NEW.site_id, NEW.created_at);
  END IF;
  RETURN NULL;
END`,
    ),
    copyBySubmission: keep(
      "copy_by_submission",
      "Keeps the copy of petri observations that is partitioned by submission.",
      `BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM ${copy}
    WHERE company_id = OLD.company_id AND submission_id = OLD.submission_id AND observation_id = OLD.observation_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${copy} (${columns}) VALUES (${names.map((name) => `NEW.${ident(name)}`).join(", ")});
  END IF;
  RETURN NULL;
END`,
    ),
    refuseDirectWrite: pgFunction({
      schema,
      name: "refuse_direct_write",
      returns: "trigger",
      language: "plpgsql",
      volatility: "volatile",
      dependsOn: [`role ${ident(access.migratorRole)}`],
      comment:
        "Lets the reader's triggers write what they keep, and the migrator mend it; nobody else.",
      body: `BEGIN
  IF current_user <> ${literal(access.readerRole)} AND NOT pg_catalog.pg_has_role(${literal(access.migratorRole)}, 'USAGE') THEN
    RAISE insufficient_privilege USING
      MESSAGE = pg_catalog.format('%s on %I.%I, which is kept by a trigger', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
      CONSTRAINT = 'kept_by_trigger', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      HINT = 'Write the observation itself.';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END`,
    }),
    refuseTruncate: make(
      "refuse_truncate",
      "Refuses TRUNCATE, of which row triggers hear nothing.",
      `BEGIN
  RAISE feature_not_supported USING
    MESSAGE = pg_catalog.format('TRUNCATE of %I.%I would leave its observations in the locator', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    CONSTRAINT = 'kept_by_trigger', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    HINT = 'DELETE the rows.';
END`,
    ),
    requestPartitions: make(
      "request_partitions",
      "Files a new program or site whose partitions are to be made.",
      `BEGIN
  INSERT INTO ${qualified(schema, "provision_requests")} (company_id, program_id, site_id)
  VALUES (NEW.company_id, NEW.program_id, CASE TG_ARGV[0] WHEN 'site' THEN pg_catalog.to_jsonb(NEW) ->> 'site_id' END);
  RETURN NULL;
END`,
    ),
  };
}

/** What the reader's triggers may do to what they keep. */
export function keeperRights(
  access: AccessData,
  tables: readonly PgTable[],
): readonly DatabaseObject[] {
  return tables.flatMap((table) =>
    readerWrites(access, targetOf({ table }), ["select", "insert", "delete"]),
  );
}

/** The functions of the domain's triggers. */
export type TriggerFunctions = ReturnType<typeof triggerFunctions>;

/** The functions that an application calls. They run as the caller: a company finds its own observations and no others. */
export function queryFunctions(access: AccessData, schema: string) {
  const roles = [...new Set([...Object.values(access.roles), access.migratorRole])];
  const dependsOn = [
    ...roles.map((role) => `role ${ident(role)}`),
    ...["petri_observations", "gasifier_observations", "observation_locator"].map((table) =>
      namedPath("table", schema, table),
    ),
  ];
  const petri = qualified(schema, "petri_observations");
  // In two steps: a join of the locator with the root plans for, and locks, every partition, and may look into several.
  const byId = (kind: "petri" | "gasifier") => {
    const table = qualified(schema, `${kind}_observations`);
    const one = `SELECT * FROM ${table} WHERE company_id = $1 AND program_id = $2 AND site_id = $3 AND created_at = $4 AND observation_id = $5`;
    return pgFunction({
      schema,
      name: `${kind}_observation_by_id`,
      arguments: [{ name: "p_observation_id", type: "uuid" }],
      returns: `setof ${table}`,
      language: "plpgsql",
      volatility: "stable",
      executeTo: roles,
      dependsOn,
      comment: "One observation by its id, from the one partition that holds it.",
      body: `DECLARE
  v_place record;
BEGIN
  FOR v_place IN
    SELECT l.* FROM ${qualified(schema, "observation_locator")} AS l WHERE l.observation_id = p_observation_id
  LOOP
    RETURN QUERY EXECUTE ${literal(one)}
    USING v_place.company_id, v_place.program_id, v_place.site_id, v_place.created_at, v_place.observation_id;
  END LOOP;
END`,
    });
  };
  return [
    pgFunction({
      schema,
      name: "get_observations_optimized",
      arguments: [
        { name: "p_company_id", type: "uuid" },
        { name: "p_program_id", type: "text" },
        { name: "p_start_date", type: "timestamptz", default: "NULL" },
        { name: "p_end_date", type: "timestamptz", default: "NULL" },
        { name: "p_site_id", type: "text", default: "NULL" },
        { name: "p_limit", type: "integer", default: "1000" },
      ],
      returns: `setof ${petri}`,
      language: "plpgsql",
      volatility: "stable",
      executeTo: roles,
      dependsOn,
      comment:
        "Petri observations of a program, newest first, from the partitions of its program, site and months alone.",
      // Only conditions that are asked for are written: `site_id = $1 OR $1 IS NULL` keeps the planner from leaving partitions out.
      body: `BEGIN
  IF p_company_id IS NULL OR p_program_id IS NULL THEN
    RAISE EXCEPTION 'a company and a program are needed: without them every partition would be read'
      USING ERRCODE = 'null_value_not_allowed';
  END IF;
  RETURN QUERY EXECUTE ${literal(`SELECT * FROM ${petri} WHERE company_id = $1 AND program_id = $2`)}
    || CASE WHEN p_start_date IS NULL THEN '' ELSE ' AND created_at >= $3' END
    || CASE WHEN p_end_date IS NULL THEN '' ELSE ' AND created_at < $4' END
    || CASE WHEN p_site_id IS NULL THEN '' ELSE ' AND site_id = $5' END
    || ' ORDER BY created_at DESC, observation_id DESC LIMIT $6'
    USING p_company_id, p_program_id, p_start_date, p_end_date, p_site_id, p_limit;
END`,
    }),
    byId("petri"),
    byId("gasifier"),
  ];
}
