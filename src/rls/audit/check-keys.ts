import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import { namedPath, partPath } from "../../catalog/path.ts";
import { shorten } from "../../sql/shorten.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { groupBy, tablePath, type Audited } from "./audited.ts";
import { finding, type Findings } from "./finding.ts";
import { ACTIONS } from "./actions.ts";

type Table = Audited["tables"][number];

/** Whether keys tell a tenant what others have, or reach it: unique keys and foreign keys do not ask row security. */
export function checkKeys(database: Audited): Findings {
  const constraints = groupBy(database.facts.constraints, ({ schema, table }) =>
    qualified(schema, table),
  );
  const indexes = groupBy(database.facts.indexes, ({ schema, table }) => qualified(schema, table));
  return database.tables
    .filter((table) => !database.isPartition(table))
    .flatMap((table) => {
      const key = qualified(table.schema, table.name);
      const own = indexes.get(key) ?? [];
      return [
        ...(table.rowSecurity ? checkTenant(database, table, own) : []),
        ...(constraints.get(key) ?? []).flatMap((constraint) =>
          checkForeignKey(database, table, constraint),
        ),
        ...checkAuthKeys(database, constraints.get(key) ?? []),
      ];
    });
}

function checkTenant(database: Audited, table: Table, indexes: readonly IndexFact[]): Findings {
  const tenant = database.tenantColumnOf(table);
  if (tenant === undefined) return [];
  const name = qualified(table.schema, table.name);
  const column = database.facts.columns.find(
    (each) => each.schema === table.schema && each.table === table.name && each.name === tenant,
  );
  const isLed = indexes.some(
    ({ keys, predicate }) => keys[0]?.column === tenant && predicate === null,
  );
  return [
    ...(column === undefined || column.notNull
      ? []
      : [
          finding(
            "tenant_nullable",
            partPath("column", tenant, tablePath(table)),
            "A row whose tenant is NULL is seen by nobody, deleted by nobody, and no key holds it.",
            `ALTER TABLE ${name} ALTER COLUMN ${ident(tenant)} SET NOT NULL`,
          ),
        ]),
    ...(isLed
      ? []
      : [
          finding(
            "tenant_not_indexed",
            tablePath(table),
            `Every query of a tenant reads the rows of all: the policies filter by ${tenant}.`,
            `CREATE INDEX ${ident(shorten(`${table.name}_${tenant}_idx`))} ON ${name} (${ident(tenant)})`,
          ),
        ]),
    ...indexes
      .filter(({ unique, exclusion }) => unique || exclusion)
      .filter(({ keys }) => !keys.some(({ column: key }) => key === tenant))
      .filter((index) => canBeWritten(database, table, index))
      .map((index) => uniqueOracle(database, table, tenant, index)),
  ];
}

/** Who can write no column of a key can try no value. */
function canBeWritten(database: Audited, table: Table, index: IndexFact): boolean {
  const roles = [...database.granted(table)];
  return (
    index.keys.length > 0 &&
    roles.some(([, privileges]) => privileges.has("INSERT") || privileges.has("UPDATE"))
  );
}

function uniqueOracle(database: Audited, table: Table, tenant: string, index: IndexFact) {
  const name = qualified(table.schema, table.name);
  const columns = index.keys.map(({ definition, column }) =>
    column === null ? definition : ident(column),
  );
  const wide = `${ident(tenant)}, ${columns.join(", ")}`;
  const why = `A duplicate key (${columns.join(", ")}) fails, is passed over by DO NOTHING or fails in DO UPDATE: each tells that another tenant has it.`;
  const path = namedPath("index", index.schema, index.name);
  if (index.constraint === null) {
    const where = index.predicate === null ? "" : ` WHERE ${index.predicate}`;
    return finding("unique_oracle", path, why, [
      `DROP INDEX ${qualified(index.schema, index.name)}`,
      `CREATE UNIQUE INDEX ${ident(index.name)} ON ${name} USING ${ident(index.method)} (${wide})${where}`,
    ]);
  }
  // Foreign keys rely on the key, and can rely on the wider one with the tenant only.
  const relying = database.facts.constraints.filter(
    ({ kind, parent, index: by }) =>
      kind === "foreignKey" &&
      parent === null &&
      by?.schema === index.schema &&
      by.name === index.name,
  );
  if (index.exclusion)
    return finding("unique_oracle", path, why, excluding(database, table, tenant, index));
  const word = index.primary ? "PRIMARY KEY" : "UNIQUE";
  return finding("unique_oracle", path, why, [
    ...relying.map(
      ({ schema, table: child, name: key }) =>
        `ALTER TABLE ${qualified(schema, child)} DROP CONSTRAINT ${ident(key)}`,
    ),
    `ALTER TABLE ${name} DROP CONSTRAINT ${ident(index.constraint)}`,
    `ALTER TABLE ${name} ADD CONSTRAINT ${ident(index.constraint)} ${word} (${wide})`,
    ...relying.flatMap((constraint) => {
      const from = database.tenantColumnOf({ schema: constraint.schema, name: constraint.table });
      return from === undefined ? [] : [composite(constraint, from, tenant)];
    }),
  ]);
}

/** An exclusion constraint that compares rows of one tenant; a GiST index needs the extension btree_gist for that. */
function excluding(
  { facts }: Audited,
  { schema, name }: Table,
  tenant: string,
  { constraint }: IndexFact,
): readonly string[] {
  const found = facts.constraints.find(
    (each) => each.schema === schema && each.table === name && each.name === constraint,
  );
  if (found === undefined) return [];
  const change = `ALTER TABLE ${qualified(schema, name)}`;
  return [
    `${change} DROP CONSTRAINT ${ident(found.name)}`,
    `${change} ADD CONSTRAINT ${ident(found.name)} ${found.definition.replace("(", () => `(${ident(tenant)} WITH =, `)}`,
  ];
}

/** A foreign key with the tenant on both sides. */
function composite(constraint: ConstraintFact, from: string, to: string): string {
  const { references, columns } = constraint;
  const list = (tenant: string, rest: readonly string[]) =>
    [tenant, ...rest.filter((column) => column !== tenant)].map(ident).join(", ");
  const set =
    references?.onDelete === "setNull" || references?.onDelete === "setDefault"
      ? ` (${columns
          .filter((column) => column !== from)
          .map(ident)
          .join(", ")})`
      : "";
  return (
    `ALTER TABLE ${qualified(constraint.schema, constraint.table)} ADD CONSTRAINT ${ident(constraint.name)} ` +
    `FOREIGN KEY (${list(from, columns)}) REFERENCES ${qualified(references?.schema ?? "", references?.name ?? "")} ` +
    `(${list(to, references?.columns ?? [])}) ON UPDATE ${ACTIONS[references?.onUpdate ?? "noAction"]} ` +
    `ON DELETE ${ACTIONS[references?.onDelete ?? "noAction"]}${set}`
  );
}

/** A foreign key between two tables of tenants that does not hold them together. */
function checkForeignKey(database: Audited, table: Table, constraint: ConstraintFact): Findings {
  const { references, kind, parent, columns } = constraint;
  if (kind !== "foreignKey" || references === null || parent !== null) return [];
  const from = database.tenantColumnOf(table);
  const to = database.tenantColumnOf(references);
  if (from === undefined || to === undefined) return [];
  if (!table.rowSecurity || !database.isProtected(references)) return [];
  const isHeld = columns.some(
    (column, index) => column === from && references.columns[index] === to,
  );
  if (isHeld) return [];
  const target = qualified(references.schema, references.name);
  const wide = [to, ...references.columns.filter((column) => column !== to)];
  const isThere = database.facts.indexes.some(
    ({ schema, table: of, unique, predicate, keys }) =>
      schema === references.schema &&
      of === references.name &&
      unique &&
      predicate === null &&
      keys.length === wide.length &&
      keys.every(({ column }) => column !== null && wide.includes(column)),
  );
  return [
    finding(
      "foreign_key_oracle",
      partPath("constraint", constraint.name, tablePath(table)),
      `A row of one tenant may point at a row of another in ${target}: whether it fails tells what is there, and a cascade of the other reaches this one's rows.`,
      [
        ...(isThere
          ? []
          : [
              `ALTER TABLE ${target} ADD CONSTRAINT ${ident(shorten(`${references.name}_${wide.join("_")}_key`))} UNIQUE (${wide.map(ident).join(", ")})`,
            ]),
        `ALTER TABLE ${qualified(table.schema, table.name)} DROP CONSTRAINT ${ident(constraint.name)}`,
        composite(constraint, from, to),
      ],
    ),
  ];
}

/** The authentication service changes its tables by itself, its primary keys excepted. */
function checkAuthKeys(database: Audited, constraints: readonly ConstraintFact[]): Findings {
  return constraints
    .filter(({ kind, references }) => kind === "foreignKey" && references?.schema === "auth")
    .filter(({ schema }) => schema !== "auth")
    .filter(({ index }) =>
      database.facts.indexes.some(
        ({ schema, name, primary }) => !primary && schema === index?.schema && name === index.name,
      ),
    )
    .map(({ schema, table, name, references }) =>
      finding(
        "foreign_key_to_auth",
        partPath("constraint", name, namedPath("table", schema, table)),
        `It relies on a unique key of auth.${references?.name ?? ""} that an update of the service may drop, and would then stop it.`,
        `ALTER TABLE ${qualified(schema, table)} DROP CONSTRAINT ${ident(name)}`,
      ),
    );
}
