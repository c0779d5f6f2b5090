import { COMMANDS, type AccessData } from "../../definition/access.ts";
import { lookupFunction } from "../../definition/lookup-function.ts";
import { ident, literal } from "../../sql/quote.ts";
import type { PlannedCell } from "./cell.ts";
import { isGranted } from "./expected.ts";
import { declaredShapes, type PolicyShape } from "./declared-policies.ts";
import type { ProofModel, ProvenTable } from "./model.ts";

/** What the catalog itself has to say: cells for what no row shows, or not to every persona. */

/** The place of who runs the proof. */
export const OWNER = 0;

const text = (query: string) => literal(query).trim();

/** A table's row security, policies and privileges, as they are declared and nothing more. */
export function tablePosture(model: ProofModel, table: ProvenTable, declared: string): PlannedCell {
  const { accesses, staff } = partiesOf(model);
  const policies = declaredShapes(table, declared);
  const expected = expectedPrivileges(table, accesses);
  return {
    persona: "catalog",
    object: table.path,
    command: "row security, policies and privileges",
    context: "any",
    denies: false,
    expected: "as declared",
    question: {
      as: OWNER,
      kind: "rows",
      sql: `SELECT pg_temp.underpin_posture(${text(table.sql)}::pg_catalog.regclass)`,
    },
    judge(answer) {
      if (!answer.startsWith("ok ")) return answer;
      if (policies === undefined) return `what is declared cannot be written: ${declared}`;
      const found = JSON.parse(answer.slice(3)) as {
        on: boolean;
        forced: boolean;
        policies: PolicyShape[] | null;
        privileges: string[] | null;
      };
      const there = new Map((found.policies ?? []).map((each) => [each.name, each]));
      const faults = [
        ...(found.on ? [] : ["row security is off"]),
        ...(found.forced ? [] : ["row security is not forced"]),
        ...[...policies].flatMap(([name, shape]) => {
          const each = there.get(name);
          if (each === undefined) return [`the policy ${name} is missing`];
          return JSON.stringify(each) === JSON.stringify(shape)
            ? []
            : [`the policy ${name} is not as declared`];
        }),
        ...[...there.values()]
          .filter(
            ({ name, roles }) => !policies.has(name) && !roles.every((role) => staff.has(role)),
          )
          .map(({ name }) => `the policy ${name} is not declared`),
        ...(found.privileges ?? [])
          .filter((each) => !expected.has(each) && !isOfStaff(each, staff))
          .map((each) => `${each} is not declared`),
        ...[...expected]
          .filter((each) => !(found.privileges ?? []).includes(each))
          .map((each) => `${each} is missing`),
      ];
      return faults.length === 0 ? null : faults.join("; ");
    },
    told: () => "as declared",
  };
}

/** The reader and the migrator reach more than personas, and no more than the four commands. */
function isOfStaff(entry: string, staff: ReadonlySet<string>): boolean {
  const [privilege = "", ...role] = entry.split(" ").reverse();
  return (
    staff.has(role.reverse().join(" ")) &&
    (COMMANDS as readonly string[]).includes(privilege.toLowerCase())
  );
}

function partiesOf({ definition }: ProofModel) {
  const accesses = definition.access;
  return {
    accesses,
    staff: new Set(accesses.flatMap(({ readerRole, migratorRole }) => [readerRole, migratorRole])),
  };
}

function expectedPrivileges(
  table: ProvenTable,
  accesses: readonly AccessData[],
): ReadonlySet<string> {
  return new Set(
    accesses.flatMap((access) =>
      Object.entries(access.roles).flatMap(([persona, role]) =>
        COMMANDS.filter((command) => isGranted(table, access, persona, command)).map(
          (command) => `${role} ${command.toUpperCase()}`,
        ),
      ),
    ),
  );
}

/** The partitions of a table: each under row security that binds its owner, and open to nobody. */
export function partitionPosture(table: ProvenTable): PlannedCell {
  return {
    persona: "catalog",
    object: table.path,
    command: "partitions",
    context: "any",
    denies: false,
    expected: "each closed",
    question: {
      as: OWNER,
      kind: "rows",
      sql: `SELECT pg_catalog.string_agg(t.relid::text, ', ' ORDER BY t.relid::text)
        FROM pg_catalog.pg_partition_tree(${text(table.sql)}::pg_catalog.regclass) AS t
        JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
        WHERE t.level > 0 AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity
          OR EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner))`,
    },
    judge: (answer) => (answer === "ok " ? null : `open: ${answer.slice(3)}`),
    told: () => "each closed",
  };
}

/** A context function or lookup: it changes with its context, and runs for whom it should. */
export function functionPosture(
  access: AccessData,
  name: string,
  owner: string | null,
): PlannedCell {
  const called = `${ident(access.schema)}.${ident(name)}()`;
  return {
    persona: "catalog",
    object: `function ${called}`,
    command: "promises and rights",
    context: "any",
    denies: false,
    expected: "stable, with a path of its own, closed to PUBLIC",
    question: {
      as: OWNER,
      kind: "rows",
      sql: `SELECT pg_catalog.concat_ws(', ',
          CASE WHEN p.provolatile <> 's' THEN 'not STABLE' END,
          CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS s WHERE s LIKE 'search_path=%') THEN 'no search_path' END,
          CASE WHEN p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) AS a WHERE a.grantee = 0) THEN 'open to PUBLIC' END,
          CASE WHEN p.prosecdef <> ${owner === null ? "false" : "true"} THEN 'runs for somebody else' END
          ${owner === null ? "" : `, CASE WHEN pg_catalog.pg_get_userbyid(p.proowner) <> ${text(owner)} THEN 'owned by somebody else' END`})
        FROM pg_catalog.pg_proc AS p WHERE p.oid = ${text(called)}::pg_catalog.regprocedure`,
    },
    judge: (answer) => (answer === "ok " ? null : answer.slice(3)),
    told: () => "as declared",
  };
}

/** The functions of an access, with the role that has to own them where that matters. */
export function accessFunctions(
  access: AccessData,
): readonly { readonly name: string; readonly owner: string | null }[] {
  return [
    { name: "current_tenant_id", owner: null },
    { name: "current_user_id", owner: null },
    ...(access.target === "supabase" ? [{ name: "current_persona", owner: null }] : []),
    ...access.lookups.map(({ name }) => ({ name: lookupFunction(name), owner: access.readerRole })),
  ];
}

/** What the cell of the roles is called. */
export const MEMBERSHIPS = "attributes and memberships";

/** The roles: none logs in past row security, and no persona is a member of any other. */
export function rolePosture(access: AccessData): PlannedCell {
  const personas = [...new Set(Object.values(access.roles))];
  const staff = [access.readerRole, access.migratorRole];
  const list = (names: readonly string[]) => `(${names.map(text).join(", ")})`;
  return {
    persona: "catalog",
    object: `roles of ${ident(access.schema)}`,
    command: MEMBERSHIPS,
    context: "any",
    denies: false,
    expected: "none goes around row security, and no persona is in another role",
    question: {
      as: OWNER,
      kind: "rows",
      sql: `SELECT pg_catalog.concat_ws('; ',
        (SELECT pg_catalog.string_agg(r.rolname || ' goes around row security', ', ') FROM pg_catalog.pg_roles AS r
          WHERE r.rolname IN ${list([...personas, ...staff])} AND (r.rolsuper OR r.rolbypassrls)),
        (SELECT pg_catalog.string_agg(r.rolname || ' logs in', ', ') FROM pg_catalog.pg_roles AS r
          WHERE r.rolname IN ${list(staff)} AND r.rolcanlogin),
        (SELECT pg_catalog.string_agg(m.rolname || ' is a member of ' || r.rolname, ', ') FROM pg_catalog.pg_roles AS m, pg_catalog.pg_roles AS r
          WHERE m.rolname IN ${list(personas)} AND r.oid <> m.oid AND NOT m.rolsuper AND pg_catalog.pg_has_role(m.oid, r.oid, 'MEMBER')))`,
    },
    judge: (answer) => (answer === "ok " ? null : answer.slice(3)),
    told: () => "as declared",
  };
}
