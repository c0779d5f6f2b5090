import { is } from "drizzle-orm";
import {
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  PgMaterializedView,
  PgTable,
  PgView,
  type PgPolicy,
  type PgRole,
} from "drizzle-orm/pg-core";
import { namedPath } from "../../catalog/path.ts";
import type { AccessData, RowClass, TableRules } from "../../definition/access.ts";
import type { Definition } from "../../definition/definition.ts";
import { tableRules } from "../../definition/table-rules.ts";
import { UnderpinError } from "../../errors.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { groupBy } from "../audit/audited.ts";
import type { ProofCatalog, ProofColumn, ProofConstraint, UniqueFact } from "./catalog.ts";
import { typeNames, type TypeNames } from "./samples.ts";

/** A table with what is declared of it and what the catalog says. */
export interface ProvenTable {
  /** Schema and name as SQL, by which it is known. */
  readonly sql: string;
  readonly schema: string;
  readonly name: string;
  readonly path: string;
  /** Its policies, made once: Drizzle makes all of a table each time that it is asked. */
  readonly policies: readonly PgPolicy[];
  /** Null where no rule was declared: closed to everybody. */
  readonly rules: TableRules | null;
  readonly access: AccessData | null;
  readonly tenantColumn: string | null;
  readonly columns: readonly ProofColumn[];
  readonly constraints: readonly ProofConstraint[];
  /** Its own foreign keys, the widest first. */
  readonly foreignKeys: readonly ForeignKey[];
  /** Columns that hold a user's id without a foreign key. */
  readonly userColumns: readonly string[];
  readonly uniques: readonly UniqueFact[];
  /** SQL of a text that tells one row from the others, and is not changed by an update of {@link ProvenTable.touch}. */
  readonly key: string;
  readonly keyColumns: readonly string[];
  /** A column that no key, check, partition or rule looks at; null where there is none. */
  readonly touch: string | null;
  readonly isPartitioned: boolean;
}

/** A foreign key, with what it points at as SQL. */
export interface ForeignKey {
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** A view or materialized view. */
export interface ProvenView {
  readonly sql: string;
  readonly path: string;
  readonly kind: "view" | "materialized view";
  /** It reads with its caller's rights. */
  readonly invoker: boolean;
  /** It reads a table that is declared, itself or through another view. */
  readonly readsTables: boolean;
  /** It reads a materialized view: a guard. */
  readonly isGuard: boolean;
  /** It shows sizes or statistics, which differ from one moment to the next. */
  readonly isStatistics: boolean;
}

/** What is to be proven. */
export interface ProofModel {
  readonly definition: Definition;
  readonly schemas: readonly string[];
  readonly tables: readonly ProvenTable[];
  readonly views: readonly ProvenView[];
  readonly types: TypeNames;
  readonly catalog: ProofCatalog;
}

const SCHEMA = Symbol.for("drizzle:Schema");

/** The schemas of a definition's tables, views and functions. */
export function schemasOf(definition: Definition): readonly string[] {
  const relations = Object.values(definition.tables).flatMap((entity) => {
    // Not by getTableConfig, which makes all policies of the table.
    if (is(entity, PgTable))
      return [(entity as unknown as { readonly [SCHEMA]?: string })[SCHEMA] ?? "public"];
    if (is(entity, PgView)) return [getViewConfig(entity).schema ?? "public"];
    if (is(entity, PgMaterializedView))
      return [getMaterializedViewConfig(entity).schema ?? "public"];
    return [];
  });
  return [...new Set([...relations, ...definition.access.map(({ schema }) => schema)])];
}

/** What is declared of a table. */
type Declared = Pick<ProvenTable, "policies" | "rules" | "access">;

/** Reads tables of the catalog, which is grouped once; undefined where there is no such table. */
export function tablesOfCatalog(
  catalog: ProofCatalog,
): (schema: string, name: string, declared: Declared) => ProvenTable | undefined {
  const keyOf = (each: { readonly schema: string; readonly table: string }) =>
    qualified(each.schema, each.table);
  const columns = groupBy(catalog.columns, keyOf);
  const constraints = groupBy(catalog.constraints, keyOf);
  const uniques = groupBy(catalog.uniques, keyOf);
  const partitionColumns = new Map<string, Set<string>>();
  for (const { root, key } of catalog.partitions) {
    const found = partitionColumns.get(qualified(root.schema, root.name)) ?? new Set();
    for (const column of key?.columns ?? []) if (column !== null) found.add(column);
    partitionColumns.set(qualified(root.schema, root.name), found);
  }
  return (schema, name, { policies, rules, access }) => {
    const sql = qualified(schema, name);
    const own = columns.get(sql) ?? [];
    if (own.length === 0) return undefined;
    const unique = uniques.get(sql) ?? [];
    const primary = unique.find((each) => each.primary)?.columns.filter((each) => each !== null);
    const touch = touchOf(
      own,
      constraints.get(sql) ?? [],
      unique,
      rules,
      partitionColumns.get(sql),
    );
    const names = own.map(({ name }) => name);
    const untouched = names.filter((column) => column !== touch);
    const keyColumns = primary ?? (untouched.length > 0 ? untouched : names);
    const foreignKeys = foreignKeysOf(constraints.get(sql) ?? []);
    const pointing = new Set([...foreignKeys.flatMap((key) => key.columns), ...keyColumns]);
    return {
      sql,
      schema,
      name,
      path: namedPath("table", schema, name),
      policies,
      rules,
      access,
      tenantColumn: rules?.tenantColumn ?? null,
      columns: own,
      constraints: constraints.get(sql) ?? [],
      foreignKeys,
      userColumns: ownColumns(rules).filter((column) => !pointing.has(column)),
      uniques: unique,
      keyColumns,
      touch,
      key: `pg_catalog.concat_ws('|', ${keyColumns.map((column) => `coalesce(${ident(column)}::text, '-')`).join(", ")})`,
      isPartitioned: partitionColumns.has(sql),
    };
  };
}

/** The tables and views of a definition as they are in the database. */
export function modelOf(definition: Definition, catalog: ProofCatalog): ProofModel {
  const tableOf = tablesOfCatalog(catalog);
  const tables = Object.values(definition.tables).flatMap((entity): ProvenTable[] => {
    if (!is(entity, PgTable)) return [];
    const { schema = "public", name, policies } = getTableConfig(entity);
    const rules = tableRules(entity);
    const access = definition.access.find((each) => each.schema === rules?.access) ?? null;
    const table = tableOf(schema, name, { policies, rules, access });
    if (table === undefined) throw notInstalled(definition, qualified(schema, name));
    return [table];
  });
  const views = Object.values(definition.tables).flatMap((entity): ProvenView[] => {
    const kind = is(entity, PgView)
      ? "view"
      : is(entity, PgMaterializedView)
        ? "materialized view"
        : null;
    if (kind === null) return [];
    const { schema = "public", name } = is(entity, PgView)
      ? getViewConfig(entity)
      : getMaterializedViewConfig(entity as PgMaterializedView);
    const reads = catalog.views.find((each) => each.schema === schema && each.name === name);
    const declared = new Set(tables.map(({ sql }) => sql));
    return [
      {
        sql: qualified(schema, name),
        path: namedPath(kind, schema, name),
        kind,
        invoker: reads?.invoker === true,
        readsTables: (reads?.tables ?? []).some((each) =>
          declared.has(qualified(each.schema, each.name)),
        ),
        isGuard: kind === "view" && reads?.materialized === true,
        isStatistics: reads?.statistics === true,
      },
    ];
  });
  const types = typeNames(catalog.types);
  return { definition, schemas: schemasOf(definition), tables, views, types, catalog };
}

function foreignKeysOf(constraints: readonly ProofConstraint[]): readonly ForeignKey[] {
  return constraints
    .filter(({ kind, isInherited }) => kind === "foreignKey" && !isInherited)
    .sort((a, b) => b.columns.length - a.columns.length || (a.name < b.name ? -1 : 1))
    .map(({ columns, references }) => ({
      columns,
      target: qualified(references?.schema ?? "", references?.name ?? ""),
      targetColumns: references?.columns ?? [],
    }));
}

/** The columns by which rows are somebody's own. */
function ownColumns(rules: TableRules | null): readonly string[] {
  const own = Object.values(rules?.rules ?? {})
    .flatMap((byPersona) => Object.values(byPersona))
    .flatMap(partsOf)
    .flatMap((part) => (part.kind === "own" ? [part.column] : []));
  return [...new Set(own)];
}

function touchOf(
  columns: readonly ProofColumn[],
  constraints: readonly ProofConstraint[],
  uniques: readonly UniqueFact[],
  rules: TableRules | null,
  partition: ReadonlySet<string> = new Set(),
): string | null {
  const taken = new Set([
    ...constraints.flatMap((each) => each.columns),
    ...uniques.flatMap((each) => each.columns),
    ...partition,
    rules?.tenantColumn,
    ...Object.keys(rules?.unread ?? {}),
  ]);
  const said = JSON.stringify(rules?.rules ?? {});
  const free = columns.filter(
    ({ name, generated, identity }) =>
      !taken.has(name) && generated === null && identity === null && !said.includes(name),
  );
  return (free.find(({ type }) => SIMPLE.test(type)) ?? free[0])?.name ?? null;
}

const SIMPLE = /^(?:text|boolean|timestamp|date|integer|bigint)/;

/** The classes that a rule is made of, one by one. */
export function partsOf(rowClass: RowClass): readonly RowClass[] {
  return rowClass.kind === "anyOf" ? rowClass.classes.flatMap(partsOf) : [rowClass];
}

/** The names of the roles that a policy is for. */
export function rolesOf({ to = "public" }: PgPolicy): string[] {
  const list = [to].flat() as readonly (string | PgRole)[];
  return list.map((role) => (typeof role === "string" ? role : role.name));
}

function notInstalled(definition: Definition, table: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the table ${table} of "${definition.name}" is not in the database`,
    hint: "Install the definition first: await apply(db, planInstall(definition)).",
  });
}

/** A value as a literal of no type yet; null is NULL. */
export function value(text: string | null): string {
  return text === null ? "NULL" : literal(text).trim();
}
