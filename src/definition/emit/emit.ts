import { is } from "drizzle-orm";
import {
  isPgEnum,
  isPgSequence,
  PgMaterializedView,
  PgPolicy,
  PgRole,
  PgSchema,
  PgTable,
  PgView,
  type PgRoleConfig,
} from "drizzle-orm/pg-core";
import { namedPath, schemaPath } from "../../catalog/path.ts";
import { MADE_BY } from "../../objects/made-by.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import { roleObject } from "../../objects/pg-group-role.ts";
import { targetOf } from "../../plan/target.ts";
import { doBlock } from "../../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import type { DrizzleEntity } from "../definition.ts";
import type { Scheme } from "../scheme.ts";
import { sequenceSql } from "./column.ts";
import { policyObject } from "./policy.ts";
import { tableObjects } from "./table.ts";
import { materializedViewObjects, viewObjects } from "./view.ts";

/**
 * What Drizzle's values make in a database, as objects: the same catalog as drizzle-kit 0.31 makes of them, without drizzle-kit.
 *
 * A schema is made for each one that a value names, whether it is among the values or not.
 */
export function emit(
  entities: readonly DrizzleEntity[],
  schemes: readonly Scheme[] = [],
): readonly DatabaseObject[] {
  const objects = entities.flatMap((entity) => objectsOf(entity, schemes));
  const made = new Set(objects.map(({ id }) => id));
  const named = objects
    .flatMap(({ dependsOn }) => dependsOn)
    .filter((id) => id.startsWith("schema "));
  const schemas = [...new Set(named)].filter((id) => !made.has(id) && id !== schemaPath("public"));
  return [...schemas.map(schemaByPath), ...objects];
}

function objectsOf(entity: DrizzleEntity, schemes: readonly Scheme[]): readonly DatabaseObject[] {
  if (is(entity, PgTable))
    return tableObjects(
      entity,
      schemes.find(({ table }) => table === entity),
    );
  if (is(entity, PgView)) return viewObjects(entity);
  if (is(entity, PgMaterializedView)) return materializedViewObjects(entity);
  if (is(entity, PgSchema)) return [schemaObject(entity.schemaName)];
  if (is(entity, PgRole)) return roleObjects(entity);
  if (is(entity, PgPolicy)) return linkedPolicy(entity);
  if (isPgEnum(entity)) {
    const { schema = "public", enumName: name, enumValues } = entity;
    return [
      databaseObject({
        kind: "type",
        id: namedPath("type", schema, name),
        create: `CREATE TYPE ${qualified(schema, name)} AS ENUM (${enumValues.map((value) => literal(value).trim()).join(", ")})`,
        drop: `DROP TYPE IF EXISTS ${qualified(schema, name)}`,
        dependsOn: [schemaPath(schema)],
      }),
    ];
  }
  if (isPgSequence(entity)) {
    const { schema = "public", seqName, seqOptions } = entity;
    const name = seqName ?? "";
    return [
      databaseObject({
        kind: "sequence",
        id: namedPath("sequence", schema, name),
        create: `CREATE SEQUENCE ${qualified(schema, name)} ${sequenceSql(seqOptions ?? {}, "bigint")}`,
        drop: `DROP SEQUENCE IF EXISTS ${qualified(schema, name)}`,
        dependsOn: [schemaPath(schema)],
        dropLocks: [{ schema, name, mode: "accessExclusive" }],
        creates: 1,
      }),
    ];
  }
  return [];
}

/** A schema, used as it is where it is there. One that an install has made goes with the last thing in it. */
export function schemaObject(name: string): DatabaseObject {
  const schema = ident(name);
  const there = `SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${literal(name)}`;
  return databaseObject({
    kind: "schema",
    id: schemaPath(name),
    create: doBlock(`BEGIN
  IF NOT EXISTS (${there}) THEN CREATE SCHEMA ${schema}; COMMENT ON SCHEMA ${schema} IS ${literal(MADE_BY)}; END IF;
END`),
    drop: doBlock(`BEGIN
  IF EXISTS (${there} AND pg_catalog.obj_description(oid, 'pg_namespace') = ${literal(MADE_BY)}) THEN DROP SCHEMA ${schema}; END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN RAISE NOTICE 'the schema is not empty'; END`),
  });
}

function roleObjects(role: PgRole): readonly DatabaseObject[] {
  const {
    _existing: existing,
    createDb,
    createRole,
    inherit,
  } = role as PgRole &
    PgRoleConfig & {
      readonly _existing?: boolean;
    };
  if (existing === true) return [];
  const words = [
    ...(createDb === true ? ["CREATEDB"] : []),
    ...(createRole === true ? ["CREATEROLE"] : []),
    ...(inherit === false ? ["NOINHERIT"] : []),
  ].join(" ");
  return [roleObject(role.name, words)];
}

/** By the path that an object names it with. */
function schemaByPath(path: string): DatabaseObject {
  return schemaObject(path.slice('schema "'.length, -1).replaceAll('""', '"'));
}

/** A policy that stands by itself, for a table that is declared elsewhere. */
function linkedPolicy(policy: PgPolicy): readonly DatabaseObject[] {
  const { _linkedTable: table } = policy as PgPolicy & { readonly _linkedTable?: PgTable };
  return table === undefined ? [] : [policyObject(policy, targetOf({ table }))];
}
