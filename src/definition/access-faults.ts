import { is } from "drizzle-orm";
import {
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  PgMaterializedView,
  PgTable,
  PgView,
} from "drizzle-orm/pg-core";
import { ident, qualified } from "../sql/quote.ts";
import { sqlText } from "../sql/sql-text.ts";
import { COMMANDS, type AccessData, type RowClass, type TableRules } from "./access.ts";
import type { Definition } from "./definition.ts";
import type { DefinitionFault } from "./fault.ts";
import { keyFaults } from "./key-faults.ts";
import { lookupFaults } from "./lookup-faults.ts";
import type { RuledTable } from "./ruled-table.ts";
import { tableRules } from "./table-rules.ts";

/**
 * What is wrong with the access of one definition: a table left out, a tenant that may be NULL, a key without the tenant.
 *
 * It is for a definition as one team declares it. In a combined one a host without access may stand beside a domain that has one: there each
 * part was looked at by itself.
 */
export function accessFaults(definition: Definition): readonly DefinitionFault[] {
  const { access } = definition;
  if (access.length === 0) return [];
  const entities = Object.values(definition.tables);
  const tables = entities.filter((entity) => is(entity, PgTable)).map(ruledTable);
  return [
    ...access.flatMap((each) => withoutBody(each, tables)),
    ...tables.flatMap((table) =>
      table.rules === null
        ? [leftOut(table)]
        : [
            ...strangers(table, table.rules, access),
            ...tenantFaults(table, table.rules),
            ...classFaults(table, table.rules),
            ...keyFaults(table, table.rules, tables, definition.objects),
            ...reasonFaults(table, table.rules),
            ...lookupFaults(table, tables, access),
          ],
    ),
    ...entities
      .filter((entity) => is(entity, PgView))
      .flatMap((view) =>
        viewFaults(
          view,
          entities.filter((entity) => is(entity, PgMaterializedView)),
        ),
      ),
  ];
}

function ruledTable(table: PgTable): RuledTable {
  const config = getTableConfig(table);
  return {
    table,
    config,
    name: `${config.schema ?? "public"}.${config.name}`,
    rules: tableRules(table),
  };
}

function leftOut({ name }: RuledTable): DefinitionFault {
  return {
    table: name,
    what: "is left out of the access: nobody said who may do what to its rows",
    fix: "Put access.rules(t, { select: { … } }) into its third argument; for data that belongs to nobody say tenantColumn: null.",
  };
}

function strangers(
  { name }: RuledTable,
  rules: TableRules,
  access: readonly AccessData[],
): readonly DefinitionFault[] {
  if (access.some(({ schema }) => schema === rules.access)) return [];
  return [
    {
      table: name,
      what: `has rules of the access "${rules.access}", which the definition does not have`,
      fix: "Hand that access to defineDatabase, with the bodies of its lookups: access.with({ … }).",
    },
  ];
}

/** A row without tenant is seen by nobody and checked by nothing: NULL is not equal to anything. */
function tenantFaults(
  { name, config }: RuledTable,
  { tenantColumn }: TableRules,
): readonly DefinitionFault[] {
  if (tenantColumn === null) return [];
  const column = config.columns.find((each) => each.name === tenantColumn);
  const fix = "Write .notNull(), or say tenantColumn: null for data that belongs to nobody.";
  if (column === undefined)
    return [
      { table: name, column: tenantColumn, what: "is to be the tenant and is no column", fix },
    ];
  const inKey = config.primaryKeys.some((key) =>
    key.columns.some((each) => each.name === tenantColumn),
  );
  if (column.notNull || column.primary || inKey) return [];
  return [{ table: name, column: tenantColumn, what: "is the tenant and may be NULL", fix }];
}

function classFaults({ name }: RuledTable, rules: TableRules): readonly DefinitionFault[] {
  return COMMANDS.flatMap((command) =>
    Object.entries(rules.rules[command]).flatMap(([persona, rowClass]) =>
      classFault(rowClass, rules.tenantColumn).map(
        ({ what, fix }): DefinitionFault => ({
          table: name,
          what: `lets ${persona} ${command} ${what}`,
          fix,
        }),
      ),
    ),
  );
}

function classFault(
  rowClass: RowClass,
  tenantColumn: string | null,
): readonly { readonly what: string; readonly fix: string }[] {
  switch (rowClass.kind) {
    case "anyOf":
      return rowClass.classes.flatMap((part) => classFault(part, tenantColumn));
    case "public":
      return tenantColumn === null
        ? []
        : [{ what: "everyone's rows, and its rows have a tenant", fix: "Say tenant." }];
    case "tenant":
      return tenantColumn === null
        ? [{ what: "the tenant's rows, and its rows have no tenant", fix: "Say everyone." }]
        : [];
    case "custom":
      return rowClass.reason.trim() === ""
        ? [{ what: "rows by a predicate without a reason", fix: "Say why it must be by hand." }]
        : [];
    default:
      return [];
  }
}

/** What is said of a column has to name one, and why. */
function reasonFaults(
  { name, config }: RuledTable,
  { unread, lookupColumns }: TableRules,
): readonly DefinitionFault[] {
  return Object.entries({ unread, lookupColumns }).flatMap(([option, reasons]) =>
    Object.entries(reasons).flatMap(([column, reason]): readonly DefinitionFault[] => {
      if (!config.columns.some((each) => each.name === column))
        return [
          { table: name, column, what: `is in ${option} and is no column`, fix: "Name a column." },
        ];
      return reason.trim() === ""
        ? [{ table: name, column, what: `is in ${option} without a reason`, fix: "Say why." }]
        : [];
    }),
  );
}

/** A lookup that some rule asks has to be able to answer. */
function withoutBody(
  access: AccessData,
  tables: readonly RuledTable[],
): readonly DefinitionFault[] {
  return access.lookups
    .filter(({ query }) => query === null)
    .flatMap(({ name }) => {
      const user = tables.find(({ rules }) => rules?.access === access.schema && asks(rules, name));
      if (user === undefined) return [];
      return [
        {
          table: user.name,
          what: `asks the lookup "${name}", which has no body`,
          fix: `Write access.with({ ${name}: (db, me) => db.select({ id: … }).from(…) }) and hand that over.`,
        },
      ];
    });
}

function asks({ rules }: TableRules, lookup: string): boolean {
  const inClass = (rowClass: RowClass): boolean =>
    (rowClass.kind === "among" && rowClass.lookup === lookup) ||
    (rowClass.kind === "anyOf" && rowClass.classes.some(inClass));
  return COMMANDS.some((command) => Object.values(rules[command]).some(inClass));
}

/** A view reads with the rights of who owns it, which under FORCE shows no row, and without it every tenant's. */
function viewFaults(
  view: PgView,
  materialized: readonly PgMaterializedView[],
): readonly DefinitionFault[] {
  const { schema, name, isExisting, query, with: options } = getViewConfig(view);
  if (isExisting || options?.securityInvoker === true) return [];
  // Nobody may read a materialized view, which has no row security: the view that guards one reads it for them.
  const text = query === undefined ? "" : sqlText(query);
  const guards = materialized.map(getMaterializedViewConfig).some((each) =>
    // Drizzle writes no schema where it is public.
    text.includes(each.schema === undefined ? ident(each.name) : qualified(each.schema, each.name)),
  );
  if (options?.securityBarrier === true && guards) return [];
  return [
    {
      table: `${schema ?? "public"}.${name}`,
      what: "is a view that reads with its owner's rights",
      fix: "Write .with({ securityInvoker: true }).",
    },
  ];
}
