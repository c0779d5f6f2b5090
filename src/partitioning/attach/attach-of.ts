import { getTableColumns } from "drizzle-orm";
import { getTableConfig, type PgColumn } from "drizzle-orm/pg-core";
import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { GrantFact } from "../../catalog/grants.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import type { PublicationFact } from "../../catalog/publications.ts";
import type { SequenceFact } from "../../catalog/sequences.ts";
import type { TableFact } from "../../catalog/tables.ts";
import type { TriggerFact } from "../../catalog/triggers.ts";
import type { ListDimension, RangeDimension, Scheme } from "../../definition/scheme.ts";
import type { RelationName } from "../../plan/step.ts";
import type { ViewFact } from "../../catalog/views.ts";
import type { ConvertFacts } from "../convert/copy-options.ts";
import { dependentsOf } from "../convert/dependents-of.ts";
import {
  carriedMaterializedView,
  type CarriedMaterializedView,
} from "../convert/materialized-views.ts";
import { listValues } from "../dimension-values.ts";
import type { SchemeValues } from "../partition-types.ts";
import { namesOf } from "../provision-names.ts";
import { outgoingKeys, type OutgoingKey } from "../reshape-of.ts";
import { attachNames, type AttachNames } from "./attach-names.ts";
import { refuserOf, refuseWhatCannotBe, type Refuse } from "./attach-refusals.ts";

/** Which plain table becomes a partition of its own new root. */
export interface AttachOptions<S extends Scheme = Scheme> {
  /** Readings of the catalog, of all schemas that may refer to the table: `await readFacts(db)`. */
  readonly facts: ConvertFacts;
  /** How it is to be partitioned. Its table is the plain one, by its name. */
  readonly scheme: S;
  /** Values whose rows stay with the old ones although there is none yet; of these that of the first list counts. @default none */
  readonly values?: readonly SchemeValues<S>[];
  /** Up to where rows stay with the old ones, where the first dimension is a range. @default the end of the present interval */
  readonly until?: Date | number | bigint;
  /** @default that of the scheme's table, where it holds every partition column; else the present one and those columns */
  readonly primaryKey?: readonly string[];
  /**
   * What becomes of a unique constraint or index, by name, that lacks partition columns: they are added to it (`widen`), so that it no longer
   * keeps two partitions from holding the same value, or it becomes an index that is not unique (`index`). The old rows keep it as it is until
   * `settleAttached`.
   *
   * @default it is refused
   */
  readonly uniques?: Readonly<Record<string, "widen" | "index">>;
}

/** A unique constraint or index that the root cannot have as it is. */
export interface NarrowUnique {
  readonly index: IndexFact;
  /** The columns of the wider one; null where it becomes one that is not unique. */
  readonly widened: readonly string[] | null;
}

/** A plain table that becomes a partition. */
export interface Attach {
  readonly schema: string;
  readonly table: TableFact;
  readonly scheme: Scheme;
  readonly dimension: ListDimension | RangeDimension;
  readonly names: AttachNames;
  readonly column: ColumnFact;
  readonly columns: readonly ColumnFact[];
  /** Columns that can be written. */
  readonly writable: readonly string[];
  readonly primary: ConstraintFact;
  /** The columns of the primary key of the root. */
  readonly key: readonly string[];
  /** The present primary key has them all. */
  readonly keepsKey: boolean;
  /** The table is marked to be clustered on its primary key. */
  readonly clusteredKey: boolean;
  /** Comments of the constraints that have an index. */
  readonly comments: readonly { readonly name: string; readonly comment: string }[];
  /** Columns of the key and of the partitions that may be NULL. */
  readonly nullable: readonly string[];
  /** Indexes that the root gets alike. */
  readonly indexes: readonly IndexFact[];
  readonly narrow: readonly NarrowUnique[];
  readonly keys: readonly OutgoingKey[];
  readonly triggers: readonly TriggerFact[];
  readonly policies: readonly PolicyFact[];
  /** The tables that policies look into. */
  readonly consulted: readonly RelationName[];
  readonly grants: readonly GrantFact[];
  readonly sequences: readonly SequenceFact[];
  readonly publications: readonly PublicationFact[];
  /** Views that read the table. */
  readonly views: readonly ViewFact[];
  /** Materialized views that read it: made anew after the swap. */
  readonly materialized: readonly CarriedMaterializedView[];
  /** Policies of other tables that look into this one. */
  readonly lookers: readonly PolicyFact[];
  /** What views and policies of others read beside it. */
  readonly readBeside: readonly RelationName[];
  readonly values: readonly string[];
  readonly until: string | null;
}

/** Reads what is to be carried over; refuses by name what cannot be. */
export function attachOf<S extends Scheme>({
  facts,
  scheme,
  ...options
}: AttachOptions<S>): Attach {
  const { schema, table: name } = namesOf(scheme);
  const own: RelationName = { schema, name };
  const refuse = refuserOf(own);
  const isOwn = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === schema && each.table === name;
  const [dimension] = scheme.dimensions;
  const table = facts.tables.find((each) => each.schema === schema && each.name === name);
  if (table === undefined)
    throw refuse("is not in the facts", "Read them with its schema: readFacts(db).");
  if (dimension.strategy === "hash")
    throw refuse(
      `is to be partitioned by hash of ${dimension.column} first, and no hash partition takes all the rows that are there`,
      'Take the strategy "copy", or a list or range first.',
    );
  const columns = facts.columns.filter(isOwn);
  const cut = [...new Set(scheme.dimensions.map(({ column }) => column))];
  const absent = cut.find((each) => !columns.some((column) => column.name === each));
  const column = columns.find((each) => each.name === dimension.column);
  if (absent !== undefined || column === undefined)
    throw refuse(`has no column ${absent ?? dimension.column}`, "Add and fill it first.");
  const primary = facts.constraints.find((each) => isOwn(each) && each.kind === "primaryKey");
  if (primary === undefined)
    throw refuse("has no primary key", "Add one first: addPrimaryKey of underpin/migrations.");
  const { materialized, ...dependents } = dependentsOf(facts, own, { materialized: true });
  refuseWhatCannotBe(facts, own, table, scheme);
  const key = options.primaryKey ?? keyOf(scheme, primary.columns, cut);
  const unknown = key.find((each) => !columns.some((c) => c.name === each));
  const missing = cut.find((each) => !key.includes(each));
  if (unknown !== undefined || missing !== undefined)
    throw refuse(
      unknown === undefined
        ? `is to have the primary key (${key.join(", ")}), which lacks ${missing ?? ""}`
        : `has no column ${unknown}, which its primary key is to have`,
      `A primary key of a partitioned table holds every partition column: ${cut.join(", ")}.`,
    );
  const keepsKey = key.join("\n") === primary.columns.join("\n");
  const { carried, narrow } = indexesOf(
    facts.indexes.filter(isOwn),
    cut,
    keepsKey,
    options.uniques ?? {},
    refuse,
  );
  return {
    schema,
    table,
    scheme,
    dimension,
    names: attachNames(name),
    column,
    columns,
    writable: columns.flatMap((each) => (each.generated === null ? [each.name] : [])),
    primary,
    key,
    keepsKey,
    clusteredKey: facts.indexes.some(
      (each) => isOwn(each) && each.name === primary.name && each.clustered,
    ),
    comments: facts.constraints.flatMap((each) =>
      isOwn(each) &&
      each.comment !== null &&
      (each.kind === "primaryKey" || each.kind === "unique" || each.kind === "foreignKey")
        ? [{ name: each.name, comment: each.comment }]
        : [],
    ),
    nullable: columns.flatMap((each) =>
      !each.notNull && [...key, ...cut].includes(each.name) ? [each.name] : [],
    ),
    indexes: carried,
    narrow,
    keys: outgoingKeys(facts, own),
    triggers: facts.triggers.filter(isOwn),
    policies: facts.policies.filter(isOwn),
    consulted: consultedBy(facts, own),
    grants: facts.grants.filter(
      (each) =>
        each.schema === schema &&
        each.name === name &&
        (each.on === "relation" || each.on === "column"),
    ),
    sequences: facts.sequences.filter(({ ownedBy }) => ownedBy !== null && isOwn(ownedBy)),
    publications: facts.publications.filter(({ tables }) =>
      tables.some((each) => each.schema === schema && each.name === name),
    ),
    ...dependents,
    materialized: materialized.map((view) => carriedMaterializedView(facts, view)),
    readBeside: [
      ...dependents.views.flatMap((view) => readBy(facts, own, view, null)),
      ...dependents.lookers.flatMap((each) =>
        readBy(facts, own, { schema: each.schema, name: each.table }, each.name),
      ),
    ],
    values: (options.values ?? []).flatMap(
      (each) => listValues(scheme, each)[dimension.column] ?? [],
    ),
    until: options.until === undefined ? null : placeOf(options.until),
  };
}

function placeOf(until: Date | number | bigint): string {
  return until instanceof Date ? until.toISOString() : String(until);
}

/** The key that Drizzle's table has, where it is one of the partitioned table; else the present one with what it lacks. */
function keyOf(
  scheme: Scheme,
  present: readonly string[],
  cut: readonly string[],
): readonly string[] {
  const { primaryKeys } = getTableConfig(scheme.table);
  const inline = Object.values<PgColumn>(getTableColumns(scheme.table)).filter((c) => c.primary);
  const said = (primaryKeys[0]?.columns ?? inline).map((each) => each.name);
  return cut.every((each) => said.includes(each))
    ? said
    : [...present, ...cut.filter((each) => !present.includes(each))];
}

function indexesOf(
  own: readonly IndexFact[],
  cut: readonly string[],
  keepsKey: boolean,
  uniques: Readonly<Record<string, "widen" | "index">>,
  refuse: Refuse,
): { readonly carried: readonly IndexFact[]; readonly narrow: readonly NarrowUnique[] } {
  const carried: IndexFact[] = [];
  const narrow: NarrowUnique[] = [];
  for (const index of own) {
    const columns = index.keys.map(({ column }) => column);
    const missing = cut.filter((each) => !columns.includes(each));
    if (!index.valid)
      throw refuse(
        `has the invalid index ${index.name}`,
        "Rebuild or drop it: REINDEX INDEX CONCURRENTLY.",
      );
    if (index.primary) {
      if (keepsKey) carried.push(index);
      continue;
    }
    if (!index.unique || missing.length === 0) {
      carried.push(index);
      continue;
    }
    const said = uniques[index.name];
    const plain = columns.flatMap((each) => (each === null ? [] : [each]));
    const simple =
      plain.length === columns.length &&
      index.predicate === null &&
      index.immediate &&
      !index.nullsNotDistinct;
    if (said === undefined || (said === "widen" && !simple))
      throw refuse(
        `keeps ${columns.map((each) => each ?? "an expression").join(", ")} unique by ${index.name}, and a partitioned table keeps only what holds every partition column unique: it lacks ${missing.join(", ")}`,
        simple
          ? `Say what it becomes: uniques: { ${JSON.stringify(index.name)}: "widen" }, unique together with ${missing.join(", ")}, or "index".`
          : `It is partial, deferrable or of an expression: say uniques: { ${JSON.stringify(index.name)}: "index" }.`,
      );
    narrow.push({ index, widened: said === "widen" ? [...plain, ...missing] : null });
  }
  return { carried, narrow };
}

/** The tables that the table's own policies look into. */
function consultedBy(facts: ConvertFacts, own: RelationName): readonly RelationName[] {
  const found = facts.policies
    .filter((each) => each.schema === own.schema && each.table === own.name)
    .flatMap(({ name }) => readBy(facts, own, own, name));
  return unique(found);
}

/** What a view, or a policy of a table, reads beside the table. */
function readBy(
  { dependencies }: ConvertFacts,
  own: RelationName,
  by: RelationName,
  policy: string | null,
): readonly RelationName[] {
  return unique(
    dependencies.flatMap(({ dependent, on }) =>
      dependent.schema === by.schema &&
      dependent.name === by.name &&
      dependent.detail === policy &&
      (on.kind === "relation" || on.kind === "column") &&
      !(on.schema === own.schema && on.name === own.name)
        ? [{ schema: on.schema, name: on.name }]
        : [],
    ),
  );
}

function unique(relations: readonly RelationName[]): readonly RelationName[] {
  return [...new Map(relations.map((each) => [`${each.schema}\n${each.name}`, each])).values()];
}
