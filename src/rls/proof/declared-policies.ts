import { ident, literal } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import { rolesOf, type ProvenTable } from "./model.ts";
import type { Question } from "./runner.ts";

/** A policy as `pg_policy` has it, with its expressions as PostgreSQL writes them. */
export interface PolicyShape {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: string;
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
}

const PREFIX = "underpin proof ";

/**
 * Functions that read the policies of a table. In functions they are planned once for the session, and not for every table and every mutation:
 * planning costs more than reading.
 */
export const POSTURE_FUNCTIONS: readonly string[] = [
  `CREATE FUNCTION pg_temp.underpin_expressions(relation pg_catalog.oid) RETURNS text LANGUAGE plpgsql AS $posture$
BEGIN
  RETURN (SELECT pg_catalog.json_agg(ARRAY[pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)]
      ORDER BY p.polname)::text
    FROM pg_catalog.pg_policy AS p WHERE p.polrelid = relation AND pg_catalog.starts_with(p.polname::text, ${literal(PREFIX).trim()}));
END $posture$`,
  `CREATE FUNCTION pg_temp.underpin_posture(relation pg_catalog.oid) RETURNS text LANGUAGE plpgsql AS $posture$
BEGIN
  RETURN (SELECT pg_catalog.json_build_object('on', c.relrowsecurity, 'forced', c.relforcerowsecurity,
    'policies', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', p.polname, 'permissive', p.polpermissive, 'command', p.polcmd,
        'roles', array(select case r when 0 then 'public' else pg_catalog.pg_get_userbyid(r) end from pg_catalog.unnest(p.polroles) as r order by 1),
        'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
      FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid),
    'privileges', (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.concat_ws(' ', case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee) end, a.privilege_type))
      FROM (SELECT c.relacl AS acl UNION ALL SELECT x.attacl FROM pg_catalog.pg_attribute AS x WHERE x.attrelid = c.oid AND x.attacl IS NOT NULL) AS l
      CROSS JOIN LATERAL pg_catalog.aclexplode(l.acl) AS a WHERE a.grantee <> c.relowner))::text
    FROM pg_catalog.pg_class AS c WHERE c.oid = relation);
END $posture$`,
];

/** What the policies of a table say, each expression once: how it is written does not depend on the policy that it stands in. */
function expressionsOf({ policies }: ProvenTable): readonly string[] {
  return [
    ...new Set(
      policies.flatMap(({ using, withCheck }) =>
        [using, withCheck].flatMap((each) => (each === undefined ? [] : [sqlText(each)])),
      ),
    ),
  ];
}

/** The question how PostgreSQL would write what the declared policies of a table say: it makes policies beside those that are there. */
export function declaredExpressions(proven: ProvenTable): Question {
  const expressions = expressionsOf(proven);
  const made = expressions.flatMap((using, at) => {
    if (at % 2 === 1) return [];
    const name = ident(`${PREFIX}${String(at).padStart(4, "0")}`);
    return [
      `CREATE POLICY ${name} ON ${proven.sql} USING (${using}) WITH CHECK (${expressions[at + 1] ?? using})`,
    ];
  });
  return {
    as: 0,
    kind: "rows",
    before: made.length === 0 ? "SELECT 1" : made.join(";\n"),
    sql: `SELECT pg_temp.underpin_expressions(${literal(proven.sql).trim()}::pg_catalog.regclass)`,
  };
}

const COMMAND = { all: "*", select: "r", insert: "a", update: "w", delete: "d" } as const;

/** The declared policies of a table by name, from the answer to {@link declaredExpressions}; undefined where that is an error. */
export function declaredShapes(
  proven: ProvenTable,
  answer: string,
): ReadonlyMap<string, PolicyShape> | undefined {
  if (!answer.startsWith("ok ")) return undefined;
  const written = (JSON.parse(answer.slice(3) || "[]") as string[][]).flat();
  const places = new Map(expressionsOf(proven).map((each, at) => [each, written[at] ?? null]));
  return new Map(
    proven.policies.map((policy) => {
      const { name, using, withCheck } = policy;
      const roles = rolesOf(policy);
      const shape: PolicyShape = {
        name,
        permissive: policy.as !== "restrictive",
        command: COMMAND[policy.for ?? "all"],
        roles: roles.includes("public") ? ["public"] : inOrder(roles),
        using: using === undefined ? null : (places.get(sqlText(using)) ?? null),
        check: withCheck === undefined ? null : (places.get(sqlText(withCheck)) ?? null),
      };
      return [name, shape];
    }),
  );
}

/** In the order of their bytes, as PostgreSQL sorts names. */
function inOrder(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
