import { getTableColumns } from "drizzle-orm";
import type { AnyPgColumn, AnyPgTable, PgColumn } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { pgFunction } from "../objects/pg-function.ts";
import { pgTrigger } from "../objects/pg-trigger.ts";
import { targetOf } from "../plan/target.ts";
import { DEFAULT_RUN_OPTIONS } from "../run/options.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import type { SchemeValues } from "./partition-types.ts";
import { namesOf } from "./provision-names.ts";

/** Where values come from. */
export interface ProvisionRequestsOptions<S extends Scheme, T extends AnyPgTable> {
  /** The table of which each new row is a set of values: `sites`. */
  readonly from: T;
  /** The column of it that holds the value of each list dimension. */
  readonly values: {
    readonly [K in keyof SchemeValues<S>]: AnyPgColumn<{ tableName: T["_"]["name"] }>;
  };
  /** Schema of the run's own tables, as in the options of a run. @default "underpin" */
  readonly runSchema?: string;
}

/**
 * Files a request for partitions with each new row of a table: for `objects` of a definition. `provisionRequested` or `maintain` makes them.
 *
 * The trigger makes none itself: in the transaction of the application ATTACH waits for other writers of the same tables, and they deadlock (40P01).
 * It runs with the rights of who installed it, so that who writes the row needs none on the run schema.
 *
 * @example
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 * import { list, partitionBy, provisionRequests, range } from "underpin/partitioning";
 *
 * const sites = pgTable("sites", { id: text().primaryKey() });
 * const readings = pgTable(
 *   "readings",
 *   { siteId: text("site_id").notNull(), at: timestamp({ withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at] })],
 * );
 * const scheme = partitionBy(
 *   readings,
 *   list(readings.siteId),
 *   range(readings.at, { every: "1 month" }),
 * );
 * const objects = provisionRequests(scheme, { from: sites, values: { siteId: sites.id } });
 * objects.length; // 2
 */
export function provisionRequests<S extends Scheme, T extends AnyPgTable>(
  scheme: S,
  { from, values, runSchema = DEFAULT_RUN_OPTIONS.runSchema }: ProvisionRequestsOptions<S, T>,
): readonly DatabaseObject[] {
  const { schema, table } = namesOf(scheme);
  const source = targetOf({ table: from });
  const columns = valueColumns(scheme, values);
  const pairs = columns.map(([column, own]) => `${literal(column)}, NEW.${ident(own)}::text`);
  const isFilled = columns.map(([, own]) => `NEW.${ident(own)} IS NOT NULL`).join(" AND ");
  const fileRequest = pgFunction({
    schema: source.schema,
    name: shorten(`request_${table}_of_${source.name}`),
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    security: "definer",
    comment: `Files a request for the partitions of ${table} that a new row needs.`,
    body: `BEGIN
  INSERT INTO ${qualified(runSchema, "provision_requests")} (table_schema, table_name, list_values)
  VALUES (${literal(schema)}, ${literal(table)}, pg_catalog.jsonb_build_object(${pairs.join(", ")}));
  RETURN NULL;
END`,
  });
  return [
    fileRequest,
    pgTrigger({
      ...source,
      table: source.name,
      name: shorten(`request_${table}`),
      timing: "after",
      events: ["insert", { updateOf: columns.map(([, own]) => own) }],
      when: isFilled,
      execute: fileRequest,
    }),
  ];
}

/** Each list dimension's column with the column that has its values. */
function valueColumns(scheme: Scheme, values: object): readonly (readonly [string, string])[] {
  const columns = Object.entries<PgColumn>(getTableColumns(scheme.table));
  const given = new Map<string, unknown>(Object.entries(values));
  const { schema, table } = namesOf(scheme);
  const found = scheme.dimensions.flatMap(({ strategy, column }) => {
    if (strategy !== "list") return [];
    const [key = column] = columns.find(([, { name }]) => name === column) ?? [];
    const from = given.get(key);
    if (
      typeof from === "object" &&
      from !== null &&
      "name" in from &&
      typeof from.name === "string"
    )
      return [[column, from.name] as const];
    throw new UnderpinError({
      code: "invalidInput",
      message: `requests for partitions of ${qualified(schema, table)} say not where ${key} comes from`,
      hint: `Name the column that holds it: values: { ${key}: sites.${key} }.`,
    });
  });
  if (found.length > 0) return found;
  throw new UnderpinError({
    code: "invalidInput",
    message: `${qualified(schema, table)} has no dimension with a partition for each value: no row asks for one`,
    hint: "Its first partitions come with it, and maintain makes the next.",
  });
}
