import { getTableConfig } from "drizzle-orm/pg-core";
import type { RelationName } from "../../plan/step.ts";
import { keyOf } from "../../recipes/backfill-key.ts";
import { qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { outgoingKeys } from "../reshape-of.ts";
import { namesOf } from "../provision-names.ts";
import { conversionNames, type Conversion } from "./conversion.ts";
import type { ConvertFacts, PlainTable } from "./copy-options.ts";
import { dependentsOf } from "./dependents-of.ts";
import { incomingKeys } from "./incoming-keys.ts";
import { carriedMaterializedView } from "./materialized-views.ts";
import { primaryKeyOf, shapesOf } from "./key-shapes.ts";
import { refuseOddTable, refuser } from "./refusals.ts";
import { schemeOf } from "./scheme-aside.ts";

/** Reads what is to be carried over; refuses by name what cannot be. */
export function conversionOf(options: PlainTable): Conversion {
  const { facts, scheme } = options;
  const { schema, table: name } = namesOf(scheme);
  const path = qualified(schema, name);
  const refuse = refuser(path);
  const isOwn = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === schema && each.table === name;
  const table = facts.tables.find((each) => each.schema === schema && each.name === name);
  if (table === undefined)
    throw refuse(
      "is no table of the facts",
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  if (table.kind !== "table")
    throw refuse("is partitioned already", "Change its partitions with changeGranularity.");
  const names = conversionNames(name);
  const columns = facts.columns.filter(isOwn);
  refuseOddTable(facts, { scheme, table, columns, names });
  const primary = facts.constraints.find((each) => isOwn(each) && each.kind === "primaryKey");
  if (primary === undefined)
    throw refuse(
      "has no primary key: without one its rows cannot be copied while they change",
      "Add a primary key: createIndex({ …, unique: true }), then ALTER TABLE … ADD PRIMARY KEY USING INDEX.",
    );
  const wanted = primaryKeyOf(options, primary, getTableConfig(scheme.table));
  const { shapes, loosened } = shapesOf(options, { primary, wanted, columns });
  const own = { schema, name };
  const { views, lookers, materialized } = dependentsOf(facts, own, { materialized: true });
  return {
    schema,
    table,
    names,
    columns,
    writable: columns.filter(({ generated }) => generated === null).map((column) => column.name),
    key: wanted.map((column) => ({
      name: column,
      type: columns.find((each) => each.name === column)?.type ?? "text",
    })),
    indexes: shapes.map(({ index }) => index),
    triggers: facts.triggers.filter(isOwn),
    policies: facts.policies.filter(isOwn),
    grants: facts.grants.filter(
      (each) =>
        each.schema === schema &&
        each.name === name &&
        (each.on === "relation" || each.on === "column"),
    ),
    sequences: facts.sequences.filter(({ ownedBy }) => ownedBy !== null && isOwn(ownedBy)),
    scheme,
    aside: schemeOf(scheme, names.beside),
    copyKey: keyOf(facts, own),
    shapes,
    outgoing: outgoingKeys(facts, own).map((key) => ({
      ...key,
      comment:
        facts.constraints.find((each) => isOwn(each) && each.name === key.name)?.comment ?? null,
    })),
    incoming: incomingKeys(options, { own, primary: primary.columns, wanted, shapes }),
    keyComments: facts.constraints.flatMap((each) =>
      isOwn(each) &&
      each.comment !== null &&
      shapes.some(
        ({ index, becomes }) =>
          index.constraint === each.name &&
          (becomes === "same" || (becomes.unique && becomes.constraint)),
      )
        ? [{ name: each.name, text: each.comment }]
        : [],
    ),
    views,
    lookers,
    materialized: materialized.map((view) => carriedMaterializedView(facts, view)),
    consulted: consultedBy(facts, own),
    options: table.options,
    wideKey:
      options.overlap === true &&
      shapes.some(({ index, becomes }) => index.primary && becomes !== "same")
        ? shorten(`${name}_wide_key`)
        : null,
    loosened,
  };
}

function consultedBy({ dependencies }: ConvertFacts, own: RelationName): readonly RelationName[] {
  const found = dependencies.flatMap(({ dependent, on }) =>
    dependent.kind === "policy" &&
    dependent.schema === own.schema &&
    dependent.name === own.name &&
    (on.kind === "relation" || on.kind === "column") &&
    !(on.schema === own.schema && on.name === own.name)
      ? [[qualified(on.schema, on.name), { schema: on.schema, name: on.name }] as const]
      : [],
  );
  return [...new Map(found).values()];
}
