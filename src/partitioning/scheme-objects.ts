import { getTableConfig } from "drizzle-orm/pg-core";
import { namedPath, partPath } from "../catalog/path.ts";
import type { Scheme } from "../definition/scheme.ts";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { pgFunction, type FunctionObject } from "../objects/pg-function.ts";
import { ident, qualified } from "../sql/quote.ts";
import { makePartition, namePartition } from "./make-partition.ts";
import { LEAVES_PER_COMMIT, provisionBody, SURVEY_COLUMNS, surveyBody } from "./provision-body.ts";
import { namesOf } from "./provision-names.ts";
import { schemeArguments } from "./scheme-columns.ts";

/**
 * What a scheme needs in the database: the functions that make its partitions, and where no value has to be known, the first partitions
 * themselves.
 *
 * Names and bounds of partitions are worked out there and nowhere else, so that an application, an operator in psql and this
 * library never disagree.
 */
export function schemeObjects(scheme: Scheme): readonly DatabaseObject[] {
  const provision = provisionFunction(scheme);
  const objects = [namePartition(scheme), makePartition(scheme), provision, surveyFunction(scheme)];
  return scheme.dimensions.some(({ strategy }) => strategy === "list")
    ? objects
    : [...objects, firstPartitions(scheme, provision)];
}

/**
 * `provision_<table>(value, …, p_from, p_until)`: makes what is missing, for one value of each list dimension and each interval from that of
 * `p_from` to that of `p_until`, and returns how many partitions it made.
 *
 * It makes at most 20 intervals' partitions in one call and begins with the earliest: call it again until it returns 0, each time in a
 * transaction of its own. Many may call it at once. Not for a transaction that wrote to a table to which the partitioned one has
 * a foreign key: ATTACH waits for the other writers of that table, and two such transactions deadlock (40P01).
 */
export function provisionFunction(scheme: Scheme): FunctionObject {
  const { schema, table, provision } = namesOf(scheme);
  const common = forCallers(scheme);
  return pgFunction({
    ...common,
    // ATTACH proves foreign keys by a query of the new table, which is empty: row security hides nothing there, and where an
    // owner is under FORCE it would refuse the query while row_security is off.
    settings: { ...common.settings, row_security: "on" },
    schema,
    name: provision,
    returns: "integer",
    volatility: "volatile",
    comment: `Makes the partitions of ${table} that are missing, those of at most ${LEAVES_PER_COMMIT} intervals, and returns how many it made.`,
    body: provisionBody(scheme),
  });
}

/**
 * `survey_<table>(value, …, p_from, p_until)`: what of the same is there and what is missing, from the root down; a missing partition with the
 * name that it would get now. It makes nothing and locks nothing.
 */
export function surveyFunction(scheme: Scheme): FunctionObject {
  const { schema, table, survey } = namesOf(scheme);
  return pgFunction({
    ...forCallers(scheme),
    schema,
    name: survey,
    returns: SURVEY_COLUMNS,
    volatility: "stable",
    comment: `Says which partitions of ${table} are there and which are missing, and makes none.`,
    body: surveyBody(scheme),
  });
}

/** What the two functions have in common. */
function forCallers(scheme: Scheme) {
  const { executeTo = [] } = scheme;
  return {
    ...(executeTo.length === 0 ? {} : { security: "definer" as const, executeTo }),
    dependsOn: executeTo.map((role) => `role ${ident(role)}`),
    arguments: schemeArguments(scheme),
    language: "plpgsql",
    // Bounds are printed and read again in them.
    settings: { datestyle: "ISO, YMD", timezone: "UTC" },
  } as const;
}

function firstPartitions(scheme: Scheme, provision: FunctionObject): DatabaseObject {
  const { schema, table } = namesOf(scheme);
  const { primaryKeys, uniqueConstraints } = getTableConfig(scheme.table);
  const path = namedPath("table", schema, table);
  const leaves = scheme.dimensions.reduce((count, dimension) => {
    if (dimension.strategy === "hash") return count * dimension.modulus;
    return dimension.strategy === "range" ? count * (dimension.premake + 1) : count;
  }, 1);
  const calls = Math.ceil(leaves / LEAVES_PER_COMMIT);
  const call = `SELECT ${qualified(provision.schema, provision.name)}()`;
  return databaseObject({
    kind: "partition",
    id: partPath("first partitions", scheme.prefix, path),
    create: Array.from({ length: calls }, () => call).join(";\n"),
    dependsOn: [path, provision.id],
    within: path,
    locks: [{ schema, name: table, mode: "shareUpdateExclusive" }],
    // Each with its TOAST table and that one's index.
    creates: leaves * (3 + primaryKeys.length + uniqueConstraints.length),
  });
}
