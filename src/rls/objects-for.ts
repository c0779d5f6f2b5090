import { is } from "drizzle-orm";
import { PgMaterializedView, PgSchema, PgTable, PgView } from "drizzle-orm/pg-core";
import type { AccessData, Lookup } from "../definition/access.ts";
import type { DrizzleEntity } from "../definition/definition.ts";
import { schemaObject } from "../definition/emit/emit.ts";
import { tableRules } from "../definition/table-rules.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { pgGrant, pgSchemaGrant } from "../objects/pg-grant.ts";
import { pgGroupRole } from "../objects/pg-group-role.ts";
import type { RelationName } from "../plan/step.ts";
import { targetOf } from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { appendOnlyFunction, appendOnlyTriggers } from "./append-only.ts";
import { contextFunctions } from "./context-functions.ts";
import { lookupFunctions } from "./lookup-functions.ts";
import { afterWithdrawal, protectTable, rolePolicy } from "./protect-table.ts";
import {
  materializedViewRelation,
  protectMaterializedView,
  protectView,
  viewRelation,
  type KnownRelation,
} from "./protect-view.ts";
import { relationsAmong } from "./relations-read.ts";

/**
 * Everything that an access needs beside the policies in the tables: roles, context functions, lookups, grants, FORCE,
 * append-only triggers, and the indexes that the policies need.
 *
 * Of the entities it protects the tables whose rules this access made, and the views that read them. Pass all that the definition has: what a lookup or a
 * materialized view reads is looked for among them.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { defineAccess, objectsFor, tenant } from "underpin/rls";
 *
 * const access = defineAccess({ schema: "shop", tenantColumn: "tenantId", personas: ["clerk"] });
 * const orders = pgTable("orders", { tenantId: uuid("tenant_id").notNull() }, (t) =>
 *   access.rules(t, { select: { clerk: tenant } }),
 * );
 * objectsFor(access, [orders]).find(({ kind }) => kind === "role")?.id; // 'role "shop_clerk"'
 */
export function objectsFor(
  access: AccessData,
  entities: readonly DrizzleEntity[],
): readonly DatabaseObject[] {
  const protectedTables = entities
    .filter((entity) => is(entity, PgTable))
    .map((table) => ({ table, relation: targetOf({ table }), rules: tableRules(table) }));
  const own = protectedTables.flatMap(({ table, relation, rules }) =>
    rules?.access === access.schema ? [{ table, relation, rules }] : [],
  );
  const known = knownRelations(entities, protectedTables);
  const below = (relation: KnownRelation) => relationsBelow(relation, known);
  const isOwn = (relation: KnownRelation) =>
    below(relation).some(({ rules }) => rules?.access === access.schema);
  const views = known.filter((each) => each.kind === "view" && isOwn(each));
  const materialized = known.filter((each) => each.kind === "materialized view" && isOwn(each));

  const lookups = access.lookups.flatMap(({ reads }) => reads);
  const read = [
    ...lookups.map((name) => find(known, name) ?? unknownTable(name)),
    ...materialized.flatMap(below),
  ];
  const readByReader = distinct([...read, ...read.flatMap(below)]);
  const reader = readByReader.flatMap((relation) => readerRights(access, relation));
  const kindOf = (name: Lookup["reads"][number]) => (find(known, name) ?? unknownTable(name)).kind;

  const refuse = appendOnlyFunction(access);
  const appendOnly = own.filter(({ rules }) => rules.appendOnly);
  const schemas = [
    access.schema,
    ...own.map(({ relation }) => relation.schema),
    ...[...views, ...materialized].map(({ schema }) => schema),
  ];
  return [
    ...rolesOf(access),
    ...ownSchema(access, entities),
    ...schemaGrants(
      access,
      schemas,
      readByReader.map(({ schema }) => schema),
    ),
    ...contextFunctions(access),
    ...lookupFunctions(access, kindOf),
    ...own.flatMap(({ table, rules }) => protectTable(access, table, rules)),
    ...(appendOnly.length === 0 ? [] : [refuse]),
    ...appendOnly.flatMap(({ relation }) => appendOnlyTriggers(relation, refuse)),
    ...reader,
    ...views.flatMap((view) => protectView(access, view, below(view))),
    ...materialized.flatMap((view) =>
      protectMaterializedView(
        access,
        view,
        reader.map(({ id }) => id),
      ),
    ),
  ];
}

/** On Supabase the persona roles are there already. */
function rolesOf(access: AccessData): readonly DatabaseObject[] {
  const personas = access.target === "supabase" ? [] : Object.values(access.roles);
  return [...new Set([...personas, access.readerRole, access.migratorRole])].map(pgGroupRole);
}

/** The schema of the context functions, where no table brings it. */
function ownSchema(
  { schema }: AccessData,
  entities: readonly DrizzleEntity[],
): readonly DatabaseObject[] {
  const brought = entities.some((entity) => is(entity, PgSchema) && entity.schemaName === schema);
  return brought || schema === "public" ? [] : [schemaObject(schema)];
}

function schemaGrants(
  access: AccessData,
  schemas: readonly string[],
  readerSchemas: readonly string[],
): readonly DatabaseObject[] {
  const users = [...new Set([...Object.values(access.roles), access.migratorRole])];
  return [
    ...[...new Set(schemas)].flatMap((schema) => users.map((to) => pgSchemaGrant({ schema, to }))),
    ...[...new Set([...schemas, ...readerSchemas])].map((schema) =>
      pgSchemaGrant({ schema, to: access.readerRole }),
    ),
  ];
}

/** SELECT for the reader, and where the relation is a protected table a policy that shows it every row. */
function readerRights(access: AccessData, relation: KnownRelation): readonly DatabaseObject[] {
  const { schema, name, kind, rules } = relation;
  if (kind === "materialized view") return [];
  const grant = pgGrant({
    schema,
    table: name,
    on: kind,
    to: access.readerRole,
    privileges: ["select"],
  });
  if (rules === null) return [grant];
  const policy =
    rules.access === access.schema ? "reader_select" : shorten(`${access.readerRole}_select`);
  return [
    afterWithdrawal(grant, relation, kind),
    rolePolicy(relation, policy, "select", access.readerRole),
  ];
}

function knownRelations(
  entities: readonly DrizzleEntity[],
  tables: readonly { readonly relation: RelationName; readonly rules: KnownRelation["rules"] }[],
): readonly KnownRelation[] {
  return [
    ...tables.map(
      ({ relation, rules }): KnownRelation => ({ ...relation, kind: "table", rules, query: null }),
    ),
    ...entities.filter((entity) => is(entity, PgView)).map(viewRelation),
    ...entities.filter((entity) => is(entity, PgMaterializedView)).map(materializedViewRelation),
  ];
}

/** What a view reads, and what the views among that read. */
function relationsBelow(
  { query, ...self }: KnownRelation,
  known: readonly KnownRelation[],
): readonly KnownRelation[] {
  if (query === null) return [];
  const others = known.filter((each) => !(each.schema === self.schema && each.name === self.name));
  const direct = relationsAmong(query, others);
  return distinct([...direct, ...direct.flatMap((relation) => relationsBelow(relation, others))]);
}

function find(
  known: readonly KnownRelation[],
  { schema, name }: RelationName,
): KnownRelation | undefined {
  return known.find((each) => each.schema === schema && each.name === name);
}

/** A table of the host, which is not among the entities. */
function unknownTable({ schema, name }: RelationName): KnownRelation {
  return { schema, name, kind: "table", rules: null, query: null };
}

function distinct(relations: readonly KnownRelation[]): readonly KnownRelation[] {
  return [...new Map(relations.map((each) => [qualified(each.schema, each.name), each])).values()];
}
