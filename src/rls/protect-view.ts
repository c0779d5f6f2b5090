import {
  getMaterializedViewConfig,
  getViewConfig,
  type PgMaterializedView,
  type PgView,
} from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm";
import { namedPath } from "../catalog/path.ts";
import type { AccessData, TableRules } from "../definition/access.ts";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { pgFunction } from "../objects/pg-function.ts";
import { pgGrant } from "../objects/pg-grant.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { afterWithdrawal, withdrawal, withdrawalId } from "./protect-table.ts";
import { asReader } from "./reader-ownership.ts";

/** A relation with what it is and, of a view, what it reads. */
export interface KnownRelation extends RelationName {
  readonly kind: "table" | "view" | "materialized view";
  readonly rules: TableRules | null;
  readonly query: SQL | null;
}

/** Name and query of a view. */
export function viewRelation(view: PgView): KnownRelation {
  const { name, schema = "public", query } = getViewConfig(view);
  return { schema, name, kind: "view", rules: null, query: query ?? null };
}

/** Name and query of a materialized view. */
export function materializedViewRelation(view: PgMaterializedView): KnownRelation {
  const { name, schema = "public", query } = getMaterializedViewConfig(view);
  return { schema, name, kind: "materialized view", rules: null, query: query ?? null };
}

/** SELECT on a view, for the personas that may read something of every table below it. */
export function protectView(
  access: AccessData,
  view: KnownRelation,
  below: readonly KnownRelation[],
): readonly DatabaseObject[] {
  const { schema, name } = view;
  const readable = Object.entries(access.roles).filter(([persona]) =>
    below.every(
      ({ kind, rules }) =>
        kind !== "materialized view" &&
        (rules === null || (rules.rules.select[persona]?.kind ?? "none") !== "none"),
    ),
  );
  const roles = [...new Set(readable.map(([, role]) => role)), access.migratorRole];
  return [
    withdrawal(view, "view"),
    ...roles.map((to) =>
      afterWithdrawal(
        pgGrant({ schema, table: name, on: "view", to, privileges: ["select"] }),
        view,
        "view",
      ),
    ),
  ];
}

/**
 * What one materialized view needs: the reader owns it, and nobody else may read it, since it has no row security.
 *
 * REFRESH reads as its owner: owned by who owns the tables, under FORCE, it would store no rows (15 and 18). Only the owner may REFRESH, so
 * a function does it for the migrator and for who installs; the view is filled here, once the reader sees the tables.
 */
export function protectMaterializedView(
  access: AccessData,
  view: KnownRelation,
  readerNeeds: readonly string[],
): readonly DatabaseObject[] {
  const { schema, name } = view;
  const path = namedPath("materialized view", schema, name);
  const relation = qualified(schema, name);
  const reader = ident(access.readerRole);
  const owner = `owner of ${path}`;
  return [
    withdrawal(view, "materialized view"),
    databaseObject({
      kind: "grant",
      id: owner,
      create: asReader(access, schema, [
        `ALTER MATERIALIZED VIEW ${relation} OWNER TO ${reader}`,
        // A run switches it off, which makes an error of what its policies hide from the reader.
        "SET LOCAL row_security TO on",
        `REFRESH MATERIALIZED VIEW ${relation}`,
      ]).join(";\n"),
      // Who is not the owner any more revokes nothing.
      dependsOn: [path, `role ${reader}`, withdrawalId(path), ...readerNeeds],
      within: path,
      locks: [{ schema, name, mode: "accessExclusive" }],
    }),
    refreshFunction(access, view, owner),
  ];
}

/** `refresh_<view>()`: CONCURRENTLY where a unique index over all rows allows it. */
function refreshFunction(
  access: AccessData,
  { schema, name }: KnownRelation,
  owner: string,
): DatabaseObject {
  const relation = qualified(schema, name);
  const made = pgFunction({
    schema,
    name: shorten(`refresh_${name}`),
    returns: "void",
    language: "plpgsql",
    volatility: "volatile",
    security: "definer",
    executeTo: [access.migratorRole],
    dependsOn: [
      owner,
      namedPath("materialized view", schema, name),
      `role ${ident(access.readerRole)}`,
      `role ${ident(access.migratorRole)}`,
    ],
    settings: { row_security: "on" },
    comment: `Refreshes the materialized view ${name} as the role that owns it.`,
    body: `BEGIN
  IF EXISTS (
    SELECT FROM pg_catalog.pg_index
    WHERE indrelid = ${literal(relation).trim()}::pg_catalog.regclass
      AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
  ) THEN
    REFRESH MATERIALIZED VIEW CONCURRENTLY ${relation};
  ELSE
    REFRESH MATERIALIZED VIEW ${relation};
  END IF;
END`,
  });
  const called = `FUNCTION ${qualified(schema, made.name)}()`;
  return {
    ...made,
    create: asReader(access, schema, [
      made.create,
      `ALTER ${called} OWNER TO ${ident(access.readerRole)}`,
      `GRANT EXECUTE ON ${called} TO CURRENT_USER`,
    ]).join(";\n"),
  };
}
