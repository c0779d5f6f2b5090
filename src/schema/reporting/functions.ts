import type { AccessData } from "../../definition/access.ts";
import { pgFunction, type FunctionObject } from "../../objects/pg-function.ts";
import { contextFunctionId } from "../../rls/context-functions.ts";
import { asReader } from "../../rls/reader-ownership.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";

/** The functions behind the domain's triggers. They run as whoever writes: row security holds for what they do, too. */
export interface TriggerFunctions {
  readonly touch: FunctionObject;
  readonly keepAuthor: FunctionObject;
  readonly guardOrganization: FunctionObject;
  readonly guardUser: FunctionObject;
  readonly countExecution: FunctionObject;
}

/** The trigger functions of the domain in a schema. */
export function triggerFunctions(access: AccessData): TriggerFunctions {
  const { schema } = access;
  const common = {
    schema,
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
  } as const;
  const context =
    access.target === "supabase" ? [contextFunctionId(access, "current_persona")] : [];
  return {
    touch: pgFunction({
      ...common,
      name: "update_updated_at_column",
      comment: "Sets updated_at to the time of the transaction.",
      body: "BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END",
    }),
    keepAuthor: pgFunction({
      ...common,
      name: "keep_created_by",
      comment:
        "Refuses another author: who may edit a row could make it theirs, and then delete it.",
      body: `BEGIN
  ${refuse("created_by_is_kept", "who created a row never changes")}
END`,
    }),
    guardOrganization: pgFunction({
      ...common,
      name: "guard_organization",
      dependsOn: context,
      comment: "Refuses personas what the provider and the organization have agreed on.",
      body: `BEGIN
  IF ${isAnyPersona(access)} THEN
    ${refuse("organization_terms", "name, slug and subscription of an organization are the provider's")}
  END IF;
  RETURN NEW;
END`,
    }),
    guardUser: pgFunction({
      ...common,
      name: "guard_user",
      dependsOn: context,
      comment:
        "Lets only an administrator change what a user may do, and nobody make a super_admin.",
      body: `BEGIN
  IF NOT (${isAnyPersona(access)}) THEN RETURN NEW; END IF;
  IF NEW.role = 'super_admin' AND (TG_OP = 'INSERT' OR OLD.role <> 'super_admin') THEN
    ${refuse("super_admin_is_the_providers", "an organization makes no super_admin")}
  END IF;
  IF TG_OP = 'UPDATE' AND NOT (${isPersona(access, "org_admin")}) THEN
    IF (NEW.role, NEW.is_active, NEW.email_verified) IS DISTINCT FROM (OLD.role, OLD.is_active, OLD.email_verified) THEN
      ${refuse("role_is_given", "role and standing of a user are set by an org_admin")}
    END IF;
  END IF;
  RETURN NEW;
END`,
    }),
    countExecution: pgFunction({
      ...common,
      name: "count_execution",
      comment: "Keeps execution_count and last_executed of the report.",
      body: `BEGIN
  UPDATE ${qualified(schema, "reports")}
  SET execution_count = execution_count + 1,
      last_executed = greatest(last_executed, NEW.started_at)
  WHERE organization_id = NEW.organization_id AND id = NEW.report_id;
  RETURN NULL;
END`,
    }),
  };
}

/**
 * `find_report_ids(wanted jsonb)`: the reports of the organization whose parameters contain what is wanted.
 *
 * `@>` is not LEAKPROOF, so that under a policy it is computed after it and the GIN index is not used (15 and 18). The function runs as
 * the reader, which sees every row and looks at the organization itself; hence it is for the personas that see all reports of theirs.
 * On Supabase one role serves all personas, and there is none.
 */
export function searchFunctions(access: AccessData): readonly FunctionObject[] {
  if (access.target !== "postgres") return [];
  const { schema, readerRole } = access;
  const callers = ["org_admin", "report_manager"].map(
    (persona) => access.roles[persona] ?? persona,
  );
  const made = pgFunction({
    schema,
    name: "find_report_ids",
    arguments: [{ name: "wanted", type: "jsonb" }],
    returns: "uuid[]",
    language: "sql",
    volatility: "stable",
    parallel: "safe",
    security: "definer",
    executeTo: callers,
    comment: "The reports of the organization whose parameters contain what is wanted.",
    dependsOn: [
      contextFunctionId(access, "current_tenant_id"),
      ...[...callers, readerRole].map((role) => `role ${ident(role)}`),
    ],
    body: `SELECT ARRAY(
  SELECT id FROM ${qualified(schema, "reports")}
  WHERE organization_id = (SELECT ${qualified(schema, "current_tenant_id")}()) AND parameters @> wanted
)`,
  });
  const owner = `ALTER FUNCTION ${qualified(schema, made.name)}(jsonb) OWNER TO ${ident(readerRole)}`;
  return [{ ...made, create: asReader(access, schema, [made.create, owner]).join(";\n") }];
}

function refuse(constraint: string, message: string): string {
  return `RAISE insufficient_privilege USING MESSAGE = ${literal(message)}, CONSTRAINT = ${literal(constraint)}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;`;
}

/** Whether a persona writes, and not the host past them. */
function isAnyPersona({ roles }: AccessData): string {
  const names = [...new Set(Object.values(roles))].map(literal).join(", ");
  return `current_user::text = ANY (ARRAY[${names}])`;
}

function isPersona(access: AccessData, persona: string): string {
  const role = `current_user::text = ${literal(access.roles[persona] ?? persona)}`;
  return access.target === "supabase"
    ? `${role} AND ${qualified(access.schema, "current_persona")}() = ${literal(persona)}`
    : role;
}
