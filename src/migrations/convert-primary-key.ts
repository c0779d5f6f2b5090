import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { columnName, targetOf } from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";
import { contractSteps } from "../recipes/keys/contract.ts";
import { conversionOf, placeOf, tablesOf, type Conversion } from "../recipes/keys/conversion.ts";
import { cutoverSteps } from "../recipes/keys/cutover.ts";
import { beginSteps, fillSteps, proofStep } from "../recipes/keys/fill.ts";
import {
  defaultPhases,
  integerKeyed,
  keyClasses,
  type KeyClass,
  type KeyFacts,
  type Phase,
} from "../recipes/keys/graph.ts";
import { jsonReferencesOf, jsonSteps } from "../recipes/keys/json-references.ts";
import { mappingSteps } from "../recipes/keys/mapping.ts";
import type { ConvertPrimaryKeyOptions, KeyTable } from "../recipes/keys/options.ts";
import { renamed, renameSteps } from "../recipes/keys/rename.ts";
import { canBeConverted, refuseUnconverted } from "../recipes/keys/refusals.ts";
import { surrogatesOf, surrogateSteps } from "../recipes/keys/surrogates.ts";
import { twinCheckSteps } from "../recipes/keys/twin-checks.ts";
import { twinForeignKeySteps } from "../recipes/keys/twin-foreign-keys.ts";
import { twinIndexes, twinIndexSteps } from "../recipes/keys/twin-indexes.ts";
import { watchedSteps } from "../recipes/keys/watched.ts";
import { isSame, refuse } from "../recipes/own-column.ts";
import type { BackfillPace } from "../recipes/shadow-column.ts";

/**
 * Changes integer keys to UUIDs in every table that holds them, while old and new versions of the application read and write.
 *
 * Beside each integer comes a UUID that a trigger keeps alike in both directions. Once all indexes and foreign keys are there for both,
 * and proved, the plan waits for the deployment; then the primary keys become UUIDs, each in one transaction of moments, and the
 * integers go on being assigned: all of it can be taken back without a row being lost, until a person says that the integers may go.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { convertPrimaryKey } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: `CREATE TABLE users (user_id serial PRIMARY KEY);
 *     CREATE TABLE posts (id serial PRIMARY KEY, user_id int REFERENCES users)`,
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = convertPrimaryKey({ facts, tables: ["users"], to: "uuid" });
 * plan.name; // "convert-primary-key-public-users-to-uuid"
 * await close();
 */
export function convertPrimaryKey(options: ConvertPrimaryKeyOptions): Plan {
  const { facts, strategy = "derived", namespace = "", names = {}, leave = [] } = options;
  if ((options.to as string) !== "uuid")
    refuse(
      `keys are converted to uuid, and not yet to ${String(options.to)}`,
      'For a wider integer use changeColumnType({ type: "bigint" }) where nothing refers to the key.',
    );
  const schema = schemaOf(options);
  const tableOf = (table: KeyTable) => tableNamed(facts, schema, table);
  const wanted = options.tables === "all" ? integerKeyed(facts) : options.tables.map(tableOf);
  if (wanted.length === 0)
    refuse("no table has a key to convert", "Name tables whose primary key is one integer.");
  const surrogates = options.surrogates ?? {};
  const classes = keyClasses(facts, refuseKeyless(facts, wanted, surrogates));
  const phases = phasesOf(classes, options.phases, tableOf);
  const named = (options.references ?? []).map(({ table, column, path, to, when = "true" }) => ({
    table: tableOf(table),
    column: columnName(column),
    path: path ?? [],
    to: tableOf(to),
    when,
  }));
  const references = named.filter(({ path }) => path.length === 0);
  const keyed = conversionOf(facts, phases, {
    schema,
    strategy,
    namespace,
    names,
    leave,
    references,
  });
  refuseUnconverted(keyed);
  refuseUnmeant(options, keyed);
  const conversion: Conversion = {
    ...keyed,
    surrogates: surrogatesOf(keyed, twinIndexes(keyed), surrogates),
    json: jsonReferencesOf(
      keyed,
      named.filter(({ path }) => path.length > 0),
    ),
  };
  const tables = distinct(conversion.twins.map(({ table }) => table));
  const of = options.tables === "all" ? ["all"] : wanted.map(({ name }) => name);
  return plan(`convert-primary-key-${schema}-${of.join("-")}-to-uuid`, [
    canBeConverted(conversion, tables),
    ...mappingSteps(conversion, namespace, options.resolvers ?? []),
    ...phases.flatMap(({ name }, phase) => under(name, phaseSteps(options, conversion, phase))),
    ...(options.rename === true
      ? under("rename", renameSteps(conversion, tables, options.replace ?? []))
      : (options.replace ?? [])),
    ...under(
      "contract",
      contractSteps(
        conversion,
        options.rename === true ? renamed(conversion) : conversion,
        paceOf(options),
      ),
    ),
  ]);
}

function phaseSteps(
  options: ConvertPrimaryKeyOptions,
  conversion: Conversion,
  phase: number,
): readonly Step[] {
  const tables = tablesOf(conversion, phase);
  const name = conversion.phases[phase] ?? "";
  const pace = paceOf(options);
  const each = (steps: (table: RelationName) => readonly Step[]) =>
    tables.flatMap((table) => under(placeOf(conversion, table), steps(table)));
  const watched = watchedSteps(conversion.schema, tables, options.watch ?? []);
  const cutover = [...cutoverSteps(conversion, phase), ...watched.after];
  return [
    ...(options.checks ?? [])
      .filter((check) => (check.phase ?? conversion.phases[0]) === name)
      .map(
        ({ title, sql, expect = "noRows" }, at): Step => ({
          kind: "check",
          id: `ready-${at + 1}`,
          title,
          sql,
          expect,
          transaction: "commitAfter",
          undo: { kind: "nothing" },
        }),
      ),
    ...each((table) => beginSteps(conversion, table, phase)),
    ...each((table) => fillSteps(conversion, table, phase, pace)),
    ...jsonSteps(conversion, phase, pace),
    ...conversion.surrogates
      .filter((each) => each.phase === phase)
      .flatMap((surrogate) =>
        under(
          `${placeOf(conversion, surrogate.table)}/own`,
          surrogateSteps(conversion, surrogate, pace),
        ),
      ),
    ...twinIndexSteps(conversion, phase),
    ...twinCheckSteps(conversion, phase),
    ...twinForeignKeySteps(conversion, phase),
    ...each((table) => [proofStep(conversion, table, phase)]).map((step, at) =>
      at === tables.length - 1 ? { ...step, phase: `${name}:bothKeys` } : step,
    ),
    {
      kind: "gate",
      id: "deploy",
      title: `Both keys live: integers and UUIDs of ${tables.map((table) => table.name).join(", ")}`,
      question: `Is the version of the application deployed that reads and writes by UUID, or the older one ready for UUIDs as primary keys? Old versions go on with integers beside it. From the cutover on an error of a foreign key names its like over UUIDs (…_uuid), statements prepared for SELECT * fail once, and who lists columns is not concerned.`,
      undo: { kind: "nothing" },
    },
    ...(phase === 0 ? watched.before : []),
    ...cutover.map((step, at) =>
      at === cutover.length - 1 ? { ...step, phase: `${name}:uuid` } : step,
    ),
  ];
}

function phasesOf(
  classes: readonly KeyClass[],
  said: ConvertPrimaryKeyOptions["phases"],
  tableOf: (table: KeyTable) => RelationName,
): readonly Phase[] {
  if (said === undefined) return defaultPhases(classes);
  const phases = said.map(({ name, tables }) => ({
    name,
    classes: tables.map(tableOf).flatMap((table) => {
      const found = classes.find(({ root }) => isSame(root, table));
      return found ?? [];
    }),
  }));
  const missing = classes.find(
    (each) => phases.filter((phase) => phase.classes.includes(each)).length !== 1,
  );
  if (missing !== undefined)
    refuse(
      `${qualified(missing.root.schema, missing.root.name)} is not in exactly one phase`,
      "Name each table whose key changes in one of phases.",
    );
  return phases.filter((phase) => phase.classes.length > 0);
}

/** A name in the options that means nothing would be passed over without a word. */
function refuseUnmeant(
  { names = {}, checks = [], leave = [], facts }: ConvertPrimaryKeyOptions,
  { phases, twins }: Conversion,
): void {
  for (const [table, columns] of Object.entries(names))
    for (const column of Object.keys(columns))
      if (!twins.some((twin) => twin.table.name === table && twin.called === column))
        refuse(
          `names says how ${table}.${column} is called, which is not converted`,
          "Mend the name, or leave it out.",
        );
  const lost = checks.find(({ phase }) => phase !== undefined && !phases.includes(phase));
  if (lost !== undefined)
    refuse(
      `the check "${lost.title}" is of the phase ${lost.phase ?? ""}, and there is none`,
      `The phases are ${phases.join(", ")}.`,
    );
  const known = [...facts.indexes, ...facts.constraints, ...facts.functions].map(
    ({ name }) => name,
  );
  const unknown = leave.find((name) => !known.includes(name));
  if (unknown !== undefined)
    refuse(
      `leave names ${unknown}, which is neither an index nor a constraint nor a function`,
      "Mend the name, or read the facts of its schema too.",
    );
}

/** Tables whose key is one column; what has several is named for its own key, or follows the keys that it is made of. */
function refuseKeyless(
  facts: KeyFacts,
  wanted: readonly RelationName[],
  surrogates: Readonly<Record<string, string>>,
): readonly RelationName[] {
  const keyed = integerKeyed(facts);
  return wanted.filter((table) => {
    if (keyed.some((each) => isSame(each, table))) return true;
    if (surrogates[table.name] !== undefined) return false;
    return refuse(
      `the primary key of ${qualified(table.schema, table.name)} is not one integer`,
      `Leave it out: what it refers to takes it along. For a key of its own: surrogates: { ${JSON.stringify(table.name)}: "id" }.`,
    );
  });
}

function tableNamed(facts: KeyFacts, schema: string, table: KeyTable): RelationName {
  const target = targetOf(typeof table === "string" ? { schema, table } : { table });
  const found =
    facts.tables.find((each) => isSame(each, target)) ??
    facts.tables.find(
      (each) => typeof table === "string" && `${each.schema}.${each.name}` === table,
    );
  if (found === undefined)
    return refuse(
      `the facts hold no table ${qualified(target.schema, target.name)}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  return { schema: found.schema, name: found.name };
}

function schemaOf({ schema, tables, facts }: ConvertPrimaryKeyOptions): string {
  if (schema !== undefined) return schema;
  if (tables === "all") return integerKeyed(facts)[0]?.schema ?? "public";
  const [first] = tables;
  return first === undefined || typeof first === "string"
    ? "public"
    : targetOf({ table: first }).schema;
}

function paceOf({ batchSize, pauseMs }: BackfillPace): BackfillPace {
  return {
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(pauseMs === undefined ? {} : { pauseMs }),
  };
}

function under(prefix: string, steps: readonly Step[]): readonly Step[] {
  return steps.map((step) => ({ ...step, id: `${prefix}/${step.id}` }));
}

function distinct(tables: readonly RelationName[]): readonly RelationName[] {
  return tables.filter((each, at) => tables.findIndex((other) => isSame(other, each)) === at);
}
