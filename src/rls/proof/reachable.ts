import { literal, qualified } from "../../sql/quote.ts";
import type { PlannedCell } from "./cell.ts";
import type { ProofModel } from "./model.ts";
import { OWNER } from "./posture.ts";

/**
 * What the personas can reach at all, by the catalog and not by the declaration: a relation that nobody declared, and a security definer
 * function that nobody declared, are failures.
 */
export function reachableCell(model: ProofModel): PlannedCell {
  const roles = [
    ...new Set(model.definition.access.flatMap((access) => Object.values(access.roles))),
  ];
  const declared = new Set([
    ...model.tables.map(({ sql }) => sql),
    ...model.views.filter(({ kind }) => kind === "view").map(({ sql }) => sql),
  ]);
  const views = new Set(model.views.map(({ sql }) => sql));
  const functions = new Set(
    model.definition.objects.flatMap((object) =>
      object.kind === "function" ? [object.id.replace(/^function /, "").replace(/\(.*$/s, "")] : [],
    ),
  );
  const ofAccess = (schema: string, name: string) =>
    model.definition.access.some(
      (access) => access.schema === schema && /(?:_ids|^current_\w+)$/.test(name),
    );
  const list = roles.map((role) => literal(role).trim()).join(", ");
  return {
    persona: "catalog",
    object: "everything",
    command: "reachable",
    context: "any",
    denies: false,
    expected: "declared",
    question: {
      as: OWNER,
      kind: "rows",
      sql: `SELECT pg_catalog.json_agg(x)::text FROM (
        SELECT r.rolname AS role, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
          array(SELECT p FROM pg_catalog.unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
            WHERE pg_catalog.has_table_privilege(r.oid, c.oid, p)) AS privileges
        FROM pg_catalog.pg_roles AS r CROSS JOIN pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE r.rolname IN (${list}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid >= 16384
          AND n.nspname !~ '^pg_(toast|temp)' AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
          AND (pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT r.rolname, n.nspname, p.proname, 'definer', array['EXECUTE']
        FROM pg_catalog.pg_roles AS r CROSS JOIN pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE r.rolname IN (${list}) AND p.prosecdef AND p.oid >= 16384
          AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
          AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')
      ) AS x`,
    },
    judge(answer) {
      if (!answer.startsWith("ok")) return answer;
      const found = JSON.parse(answer.slice(3) || "[]") as {
        role: string;
        schema: string;
        name: string;
        kind: string;
        privileges: string[];
      }[];
      const faults = found.flatMap(({ role, schema, name, kind, privileges }) => {
        const sql = qualified(schema, name);
        if (kind === "definer")
          return functions.has(sql) || ofAccess(schema, name)
            ? []
            : [`${role} may call ${sql}, which is not declared`];
        if (!declared.has(sql)) return [`${role} reaches ${sql}, which is not declared`];
        const more = privileges.filter((each) => views.has(sql) && each !== "SELECT");
        return more.length === 0 ? [] : [`${role} has ${more.join(", ")} on the view ${sql}`];
      });
      return faults.length === 0 ? null : faults.join("; ");
    },
    told: () => "all declared",
  };
}
