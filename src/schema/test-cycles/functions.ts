import { pgFunction } from "../../objects/pg-function.ts";
import { readerTrigger } from "../../rls/reader-writes.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { AccessData } from "../../definition/access.ts";
import type { KeyKind } from "./keys.ts";

/** The functions of the domain. Those that take or return a key exist for its type: another key is another function. */
export function functionsOf(schema: string, kind: KeyKind, access: AccessData) {
  const table = (name: string) => qualified(schema, name);
  const everybody = [...new Set(Object.values(access.roles))];
  const trigger = {
    schema,
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
  } as const;

  const touchUpdatedAt = pgFunction({
    ...trigger,
    name: "touch_updated_at",
    comment: "Sets updated_at when a row has changed.",
    body: `BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END`,
  });

  const enforceTransition = pgFunction({
    ...trigger,
    name: "enforce_transition",
    comment:
      "Refuses a change of status that is not among its arguments: the first status, then each legal step as from>to.",
    body: `BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status::text IS DISTINCT FROM TG_ARGV[0] THEN
      RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
        MESSAGE = format('a row of %s begins as %s, not as %s', TG_TABLE_NAME, TG_ARGV[0], NEW.status);
    END IF;
  ELSIF NEW.status IS DISTINCT FROM OLD.status AND NOT format('%s>%s', OLD.status, NEW.status) = ANY (TG_ARGV[1:]) THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('a row of %s cannot go from %s to %s', TG_TABLE_NAME, OLD.status, NEW.status);
  END IF;
  RETURN NEW;
END`,
  });

  const keepPhaseOrder = pgFunction({
    ...trigger,
    name: "keep_phase_order",
    comment: "Lets a phase begin only when those before it are completed or skipped.",
    body: `DECLARE
  waits_for text;
BEGIN
  SELECT p.phase_name::text INTO waits_for FROM ${table("workflow_phases")} AS p
    WHERE p.lob_id = NEW.lob_id AND p.cycle_id = NEW.cycle_id AND p.report_id = NEW.report_id
      AND p.phase_name < NEW.phase_name AND p.status NOT IN ('completed', 'skipped')
    ORDER BY p.phase_name LIMIT 1;
  IF waits_for IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s cannot begin before %s is completed or skipped', NEW.phase_name, waits_for);
  END IF;
  RETURN NEW;
END`,
  });

  const stampProgress = pgFunction({
    ...trigger,
    name: "stamp_progress",
    comment: "Sets started_at and completed_at by the status.",
    body: `BEGIN
  IF NEW.status IS DISTINCT FROM OLD.status THEN
    IF NEW.status = 'in_progress' THEN
      NEW.started_at := coalesce(NEW.started_at, now());
    END IF;
    NEW.completed_at := CASE WHEN NEW.status = 'completed' THEN coalesce(NEW.completed_at, now()) END;
  END IF;
  RETURN NEW;
END`,
  });

  const keepIdentity = pgFunction({
    ...trigger,
    name: "keep_identity",
    comment:
      "Refuses personas to make a row another: who is asked about a phase could ask themselves into each.",
    body: `BEGIN
  IF current_user::text = ANY (ARRAY[${everybody.map(literal).join(", ")}]) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', CONSTRAINT = TG_NAME, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s of a row of %s never change', array_to_string(TG_ARGV, ', '), TG_TABLE_NAME),
      HINT = 'Write a new row.';
  END IF;
  RETURN NEW;
END`,
  });

  // As the reader: who could write the log could forge it.
  const recordChange = readerTrigger(access, {
    schema,
    language: "plpgsql",
    volatility: "volatile",
    name: "record_change",
    comment:
      "Writes the change of a row into audit_logs, in the name of who makes it; its arguments are the entity type and the column of its id.",
    body: `DECLARE
  before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  entity jsonb := coalesce(after, before);
BEGIN
  IF before - 'updated_at' IS DISTINCT FROM after - 'updated_at' THEN
    INSERT INTO ${table("audit_logs")} (lob_id, user_id, action, entity_type, entity_id, old_values, new_values)
    VALUES ((entity ->> 'lob_id')::${kind}, nullif(current_setting(${literal(access.user.setting)}, true), '')::${kind},
      lower(TG_OP)::${table("audit_action")}, TG_ARGV[0], (entity ->> TG_ARGV[1])::${kind}, before, after);
  END IF;
  RETURN NULL;
END`,
  });

  const effectivePermissions = pgFunction({
    schema,
    name: "effective_permissions",
    arguments: [{ name: "of_user", type: kind }],
    returns: "TABLE (resource text, action text)",
    language: "sql",
    volatility: "stable",
    parallel: "safe",
    executeTo: everybody,
    comment:
      "What a user may do: the permissions of the user's roles, overruled by permissions that the user is given or denied.",
    body: `SELECT p.resource::text, p.action::text
  FROM ${table("permissions")} AS p
  WHERE coalesce(
    (SELECT u.is_granted FROM ${table("user_permissions")} AS u
      WHERE u.user_id = of_user AND u.permission_id = p.permission_id
        AND (u.expires_at IS NULL OR u.expires_at > now())),
    EXISTS (SELECT FROM ${table("user_roles")} AS held
      JOIN ${table("roles")} AS r ON r.role_id = held.role_id AND r.is_active
      JOIN ${table("role_permissions")} AS rp ON rp.role_id = held.role_id AND rp.permission_id = p.permission_id
      WHERE held.user_id = of_user AND (held.expires_at IS NULL OR held.expires_at > now())))
  ORDER BY p.resource, p.action`,
  });

  const reportingLine = pgFunction({
    schema,
    name: "reporting_line",
    arguments: [{ name: "of_manager", type: kind }],
    returns: `TABLE (user_id ${kind}, depth integer)`,
    language: "sql",
    volatility: "stable",
    parallel: "safe",
    executeTo: everybody,
    comment:
      "Who reports to a manager, directly and through others. Who is reached twice counts once.",
    body: `WITH RECURSIVE line AS (
    SELECT u.lob_id, u.user_id, 1 AS depth FROM ${table("users")} AS u WHERE u.manager_id = of_manager
    UNION ALL
    SELECT u.lob_id, u.user_id, line.depth + 1 FROM ${table("users")} AS u
      JOIN line ON u.lob_id = line.lob_id AND u.manager_id = line.user_id
  ) CYCLE user_id SET returns USING path
  SELECT line.user_id, min(line.depth) FROM line GROUP BY line.user_id ORDER BY 2, 1`,
  });

  return {
    touchUpdatedAt,
    enforceTransition,
    keepPhaseOrder,
    stampProgress,
    keepIdentity,
    recordChange,
    effectivePermissions,
    reportingLine,
  };
}
