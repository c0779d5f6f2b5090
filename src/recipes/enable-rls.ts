import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { CheckStep, Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { isOf, refuse, tableFactOf } from "./table-facts.ts";

/** A policy to create. */
export interface NewPolicy {
  readonly name: string;
  /** @default "all" */
  readonly command?: "all" | "select" | "insert" | "update" | "delete";
  /** Whom it is for; `public` is everybody. */
  readonly roles: readonly [string, ...string[]];
  /** Which rows are seen, as SQL. */
  readonly using?: string;
  /** Which rows may be written, as SQL. @default `using` */
  readonly check?: string;
  /** Narrows what others permit, instead of permitting. @default false */
  readonly restrictive?: boolean;
}

/** Which table to protect. */
export interface EnableRlsOptions extends TableTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: Pick<Facts, "tables" | "policies">;
  readonly policies: readonly NewPolicy[];
  /** Whether it binds the table's owner too. @default true */
  readonly force?: boolean;
  /** The logins of applications: none of them may be locked out of what its grants let it do. Roles with grants on the table are looked at anyway. */
  readonly logins?: readonly string[];
  /** Roles that are meant to see nothing, whatever their grants. */
  readonly lockedOut?: readonly string[];
  /** Tables that the policies read: CREATE POLICY locks them. */
  readonly reads?: readonly RelationName[];
}

/**
 * Switches row security on, with its policies, in one short transaction: at no moment are rows hidden that a policy shows, or shown
 * that none does.
 *
 * With row security and without a policy every row is hidden, without an error. So the same transaction looks, before it commits,
 * whether every role that may do something by its grants is let through by a policy. Grants are not touched.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { enableRls } from "underpin/migrations";
 *
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = enableRls({
 *   facts,
 *   table: "users",
 *   policies: [{ name: "own", roles: ["public"], using: "email = current_user" }],
 * });
 * plan.name; // "enable-rls-public-users"
 */
export function enableRls(options: EnableRlsOptions): Plan {
  const { facts, policies, force = true } = options;
  const target = targetOf(options);
  const path = qualified(target.schema, target.name);
  const table = tableFactOf(facts, target);
  const there = facts.policies.filter(isOf(target));
  for (const { name, roles } of policies) {
    if (roles.length === 0)
      refuse(`the policy ${name} names no role`, 'Say whom it is for: roles: ["app_user"].');
    if (there.some((each) => each.name === name))
      refuse(`${path} has a policy ${name} already`, "Give it another name, or leave it out.");
  }
  const permits = [
    ...there.map((p) => p.permissive),
    ...policies.map((p) => p.restrictive !== true),
  ];
  if (!permits.includes(true))
    refuse(
      `no policy names a role that may see rows of ${path}: row security would hide them all`,
      'Add one that permits: { name: "own", roles: ["app_user"], using: "…" }.',
    );
  const statements: readonly Step[] = [
    ...policies.map((policy) =>
      change(
        `policy:${policy.name}`,
        `Make the policy ${policy.name}`,
        policySql(policy, path),
        `DROP POLICY ${ident(policy.name)} ON ${path}`,
        target,
        options.reads,
      ),
    ),
    ...(table.rowSecurity
      ? []
      : [alter("enable", "Rows are seen by policies only", target, "ENABLE", "DISABLE")]),
    ...(table.forceRowSecurity || !force
      ? []
      : [alter("force", "The owner is bound too", target, "FORCE", "NO FORCE")]),
  ];
  if (statements.length === 0)
    refuse(`row security is on for ${path}, and no policy was given`, "There is nothing to do.");
  return plan(`enable-rls-${target.schema}-${target.name}`, [
    ...statements,
    noWayAround(path),
    nobodyIsLockedOut(path, options, force || table.forceRowSecurity),
  ]);
}

function policySql(policy: NewPolicy, path: string): string {
  const { name, command = "all", roles, using, check, restrictive = false } = policy;
  return [
    `CREATE POLICY ${ident(name)} ON ${path} AS ${restrictive ? "RESTRICTIVE" : "PERMISSIVE"} FOR ${command.toUpperCase()}`,
    `TO ${roles.map((role) => (role === "public" ? "PUBLIC" : ident(role))).join(", ")}`,
    ...(using === undefined ? [] : [`USING (${using})`]),
    ...(check === undefined ? [] : [`WITH CHECK (${check})`]),
  ].join(" ");
}

function alter(id: string, title: string, target: RelationName, on: string, off: string): Step {
  const sql = (way: string) =>
    `ALTER TABLE ${qualified(target.schema, target.name)} ${way} ROW LEVEL SECURITY`;
  return change(id, title, sql(on), sql(off), target);
}

function change(
  id: string,
  title: string,
  sql: string,
  back: string,
  { schema, name }: RelationName,
  reads: readonly RelationName[] = [],
): Step {
  const lock: Lock = { schema, name, mode: "accessExclusive" };
  return {
    kind: "sql",
    id,
    title,
    sql,
    locks: [
      lock,
      ...reads.map(
        (read): Lock => ({
          schema: read.schema,
          name: read.name,
          mode: "accessShare",
          indexes: false,
        }),
      ),
    ],
    transaction: "inside",
    undo: { kind: "statement", sql: back, locks: [lock], transaction: "inside" },
  };
}

/** Who holds a privilege on the relation `c`, or on some of its columns only. */
const granteesSql = `SELECT x.grantee FROM pg_catalog.aclexplode(c.relacl) x
  UNION SELECT x.grantee FROM pg_catalog.pg_attribute y
  CROSS JOIN LATERAL pg_catalog.aclexplode(y.attacl) x WHERE y.attrelid = c.oid AND NOT y.attisdropped`;

/** A partition is protected by the policies of the table it is reached through: who may read it by its own name goes around them. */
function noWayAround(path: string): CheckStep {
  return {
    kind: "check",
    id: "no-way-around",
    title: "Nobody but its owner reaches a partition or child by its own name",
    sql: `WITH RECURSIVE tree AS (
  SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = ${literal(path)}::regclass
  UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.inhrelid)
SELECT c.oid::regclass::text AS relation, coalesce(r.rolname, 'public') AS role,
  'reaches its rows around the policies: revoke that, or protect it too' AS reason
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.inhrelid
CROSS JOIN LATERAL (${granteesSql}) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE NOT c.relrowsecurity AND a.grantee <> c.relowner`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}

function nobodyIsLockedOut(
  path: string,
  { logins = [], lockedOut = [] }: EnableRlsOptions,
  force: boolean,
): CheckStep {
  const names = (list: readonly string[]) => `ARRAY[${list.map(literal).join(", ")}]::text[]`;
  return {
    kind: "check",
    id: "nobody-is-locked-out",
    title: "Who may do something by a grant is let through by a policy",
    sql: `SELECT r.rolname AS role, w.privilege AS may, 'and no policy lets it reach a row' AS reason
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_roles r ON NOT r.rolsuper AND NOT r.rolbypassrls AND r.rolname <> ALL (${names(lockedOut)})
CROSS JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS w (privilege, command)
WHERE c.oid = ${literal(path)}::regclass
  AND (r.oid = c.relowner OR r.rolname = ANY (${names(logins)})
    OR r.oid IN (${granteesSql}))
  AND (${force} OR NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE'))
  AND CASE w.privilege WHEN 'DELETE' THEN pg_catalog.has_table_privilege(r.oid, c.oid, w.privilege)
    ELSE pg_catalog.has_any_column_privilege(r.oid, c.oid, w.privilege) END
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', w.command)
    AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS m (oid)
      WHERE m.oid = 0 OR pg_catalog.pg_has_role(r.oid, m.oid, 'USAGE')))`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
