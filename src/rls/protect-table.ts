import { getTableConfig, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import { namedPath, partPath } from "../catalog/path.ts";
import { COMMANDS, type AccessData, type TableRules } from "../definition/access.ts";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { pgForceRowSecurity } from "../objects/pg-force-row-security.ts";
import { pgGrant, type TablePrivilege } from "../objects/pg-grant.ts";
import { withdrawAll } from "../objects/withdraw-all.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";

type TableConfig = ReturnType<typeof getTableConfig>;

/** What one table needs beside its policies: FORCE, privileges, the migrator's policy, and an index led by the tenant. */
export function protectTable(
  access: AccessData,
  table: PgTable,
  rules: TableRules,
): readonly DatabaseObject[] {
  const config = getTableConfig(table);
  const relation = { schema: config.schema ?? "public", name: config.name };
  const target = { schema: relation.schema, table: relation.name };
  return [
    pgForceRowSecurity(target),
    withdrawal(relation),
    ...privilegesByRole(access, rules).flatMap(([to, privileges]) => [
      ...personaGrants(config, relation, rules, to, privileges),
      ...sequenceGrants(config, relation, to, privileges),
    ]),
    rolePolicy(relation, "migrator_all", "all", access.migratorRole),
    afterWithdrawal(
      pgGrant({ ...target, to: access.migratorRole, privileges: [...COMMANDS] }),
      relation,
    ),
    ...sequenceGrants(config, relation, access.migratorRole, ["insert"]),
    ...tenantIndex(config, relation, rules),
  ];
}

/** A policy that shows one role every row, or lets it write any. */
export function rolePolicy(
  relation: RelationName,
  name: string,
  command: "all" | "select" | "insert",
  role: string,
): DatabaseObject {
  const path = namedPath("table", relation.schema, relation.name);
  const on = `${ident(name)} ON ${qualified(relation.schema, relation.name)}`;
  const locks = [{ ...relation, mode: "accessExclusive" as const }];
  return databaseObject({
    kind: "policy",
    id: partPath("policy", name, path),
    create: `CREATE POLICY ${on} AS PERMISSIVE FOR ${command.toUpperCase()} TO ${ident(role)}${
      command === "insert" ? "" : " USING (true)"
    }${command === "select" ? "" : " WITH CHECK (true)"}`,
    drop: `DROP POLICY IF EXISTS ${on}`,
    dependsOn: [path, `role ${ident(role)}`],
    within: path,
    locks,
    dropLocks: locks,
  });
}

/**
 * Takes from everybody but the owner what default privileges gave away when the relation was made. On Supabase those are all privileges,
 * TRUNCATE among them, which row security does not stop; a materialized view has no row security at all.
 */
export function withdrawal({ schema, name }: RelationName, kind = "table"): DatabaseObject {
  const path = namedPath(kind, schema, name);
  return databaseObject({
    kind: "grant",
    id: withdrawalId(path),
    create: withdrawAll("TABLE", qualified(schema, name)),
    dependsOn: [path],
    within: path,
  });
}

/** The id of the withdrawal of what has a path. */
export function withdrawalId(path: string): string {
  return `withdrawn privileges on ${path}`;
}

/** A grant that the withdrawal of its relation does not take back. */
export function afterWithdrawal(
  grant: DatabaseObject,
  { schema, name }: RelationName,
  kind = "table",
): DatabaseObject {
  const first = withdrawalId(namedPath(kind, schema, name));
  return { ...grant, dependsOn: [...grant.dependsOn, first] };
}

/**
 * What one role may do: on the table, and to read where a column is withheld on the other columns, since a privilege on the table is one on all of them and
 * takes no exception.
 */
function personaGrants(
  { columns }: TableConfig,
  relation: RelationName,
  { unread }: TableRules,
  to: string,
  privileges: readonly TablePrivilege[],
): readonly DatabaseObject[] {
  const target = { schema: relation.schema, table: relation.name, to };
  const isPart = privileges.includes("select") && Object.keys(unread).length > 0;
  const [first, ...rest] = isPart ? privileges.filter((each) => each !== "select") : privileges;
  const readable = columns.map(({ name }) => name).filter((name) => unread[name] === undefined);
  const grants = [
    ...(first === undefined ? [] : [pgGrant({ ...target, privileges: [first, ...rest] })]),
    ...(isPart ? [pgGrant({ ...target, privileges: ["select"], columns: readable })] : []),
  ];
  return grants.map((grant) => afterWithdrawal(grant, relation));
}

/** For each role the commands that one of its personas has a row for. */
function privilegesByRole(
  access: AccessData,
  { rules }: TableRules,
): readonly (readonly [string, readonly TablePrivilege[]])[] {
  const roles = [...new Set(Object.values(access.roles))];
  return roles.map((role) => [
    role,
    COMMANDS.filter((command) =>
      Object.entries(access.roles).some(
        ([persona, its]) => its === role && (rules[command][persona]?.kind ?? "none") !== "none",
      ),
    ),
  ]);
}

/** The sequence of a serial column belongs to nobody who inserts. That of an identity column needs no grant. */
function sequenceGrants(
  { columns }: TableConfig,
  { schema, name }: RelationName,
  to: string,
  privileges: readonly TablePrivilege[],
): readonly DatabaseObject[] {
  if (!privileges.includes("insert")) return [];
  return columns
    .filter((column) => column.getSQLType().endsWith("serial"))
    .map((column) => {
      const path = namedPath("table", schema, name);
      const sequence = `${name}_${column.name}_seq`;
      const grant = pgGrant({
        schema,
        table: sequence,
        to,
        on: "sequence",
        privileges: ["select"],
      });
      return { ...grant, dependsOn: [path, `role ${ident(to)}`], within: path };
    });
}

/**
 * An index led by the tenant, which every policy compares, where no index, unique constraint or primary key of the table is
 * led by it.
 */
function tenantIndex(
  config: TableConfig,
  relation: RelationName,
  { tenantColumn }: TableRules,
): readonly DatabaseObject[] {
  if (tenantColumn === null || isLedBy(config, tenantColumn)) return [];
  const path = namedPath("table", relation.schema, relation.name);
  const name = shorten(`${relation.name}_${tenantColumn}_of_policies`);
  return [
    databaseObject({
      kind: "index",
      id: partPath("index", name, path),
      create: `CREATE INDEX ${ident(name)} ON ${qualified(relation.schema, relation.name)} USING btree (${ident(tenantColumn)})`,
      drop: `DROP INDEX IF EXISTS ${qualified(relation.schema, name)}`,
      dependsOn: [path],
      within: path,
      locks: [{ ...relation, mode: "share" }],
      dropLocks: [
        { ...relation, mode: "accessExclusive" },
        { schema: relation.schema, name, mode: "accessExclusive" },
      ],
      creates: 1,
    }),
  ];
}

/** Whether some index without a condition begins with a column. */
function isLedBy(config: TableConfig, column: string): boolean {
  const leads = (columns: readonly { readonly name?: string }[]) => columns[0]?.name === column;
  const inline = (each: PgColumn) => each.name === column && (each.primary || each.isUnique);
  return (
    config.columns.some(inline) ||
    config.primaryKeys.some((key) => leads(key.columns)) ||
    config.uniqueConstraints.some((key) => leads(key.columns)) ||
    config.indexes.some(
      ({ config: index }) =>
        index.where === undefined &&
        (index.method ?? "btree") === "btree" &&
        leads(index.columns as readonly { readonly name?: string }[]),
    )
  );
}
