import { getTableConfig } from "drizzle-orm/pg-core";
import type { Finding } from "../catalog/finding.ts";
import type { PartitionFact } from "../catalog/partitions.ts";
import { namedPath, partPath } from "../catalog/path.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import type { Scheme } from "../definition/scheme.ts";
import { namesOf } from "../partitioning/provision-names.ts";
import {
  stateFindings,
  type PartitionState,
  type RootState,
} from "../partitioning/state-findings.ts";
import { targetOf } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";

/** What is wrong with the partitions of declared schemes. Their rows and bounds are `validatePartitions`' business. */
export function partitionFindings(
  facts: Facts,
  { partitions }: Definition,
  now: Date = new Date(),
): readonly Finding[] {
  if (partitions.length === 0) return [];
  const index = indexOf(facts);
  return partitions.flatMap((scheme) => {
    const { schema, name } = targetOf(scheme);
    const below = facts.partitions.filter(
      ({ root, parent }) => parent !== null && root.schema === schema && root.name === name,
    );
    const root = rootState(index, scheme);
    return [
      ...missingPresent(scheme, below, now),
      ...below.flatMap((partition) => {
        const state = partitionState(index, partition);
        if (state === undefined || root === undefined) return [];
        return [...stateFindings(root, state), ...ownFindings(index, scheme, partition)];
      }),
    ];
  });
}

/** Where time is the first dimension, the present has to have its partition: without it every INSERT fails (23514). */
function missingPresent(
  scheme: Scheme,
  below: readonly PartitionFact[],
  now: Date,
): readonly Finding[] {
  if (scheme.dimensions[0].strategy !== "range") return [];
  const holdsNow = below.some(({ level, bound }) => {
    const [, from, to] = /FROM \('([^']+)'\) TO \('([^']+)'\)/.exec(bound ?? "") ?? [];
    if (level !== 1 || from === undefined || to === undefined) return false;
    return timeOf(from) <= now && now < timeOf(to);
  });
  if (holdsNow) return [];
  const { schema, table, provision } = namesOf(scheme);
  return [
    {
      check: "partition-missing",
      severity: "error",
      object: namedPath("table", schema, table),
      message: "it has no partition for the present: a row of today is refused",
      repair: `SELECT ${qualified(schema, provision)}()`,
    },
  ];
}

/** `2026-11-01 00:00:00+00`, as a catalog that is read in UTC prints it. */
function timeOf(text: string): Date {
  return new Date(text.replace(" ", "T").replace(/\+00$/, "Z"));
}

/** Not declared: by underpin, for as long as rows are moved. */
const OF_A_MOVE = /^zz_underpin_/;

/** What a partition has that its root has not, or the other way round: PostgreSQL clones triggers of rows and constraints only. */
function ownFindings(
  index: FactIndex,
  scheme: Scheme,
  { schema, name }: PartitionFact,
): readonly Finding[] {
  const relation = qualified(schema, name);
  const object = namedPath("table", schema, name);
  const root = targetOf(scheme);
  const ofRoot = (index.triggers.get(qualified(root.schema, root.name)) ?? []).filter(
    ({ level, events }) => level === "statement" && events.includes("truncate"),
  );
  const own = (index.triggers.get(relation) ?? []).filter(({ parent }) => parent === null);
  const missing = ofRoot.filter((trigger) => !own.some((each) => each.name === trigger.name));
  const added = own.filter(
    (trigger) =>
      !OF_A_MOVE.test(trigger.name) && !ofRoot.some((each) => each.name === trigger.name),
  );
  return [
    ...missing.map(
      (trigger): Finding => ({
        check: "partition-trigger-missing",
        severity: "error",
        object: partPath("trigger", trigger.name, object),
        message: "its root has it, and a TRUNCATE of the partition by its name passes it",
        repair: `CREATE TRIGGER ${ident(trigger.name)} ${trigger.timing} TRUNCATE ON ${relation} FOR EACH STATEMENT EXECUTE FUNCTION ${qualified(trigger.function.schema, trigger.function.name)}()`,
      }),
    ),
    ...added.map(
      (trigger): Finding => ({
        check: "partition-trigger-undeclared",
        severity: "error",
        object: partPath("trigger", trigger.name, object),
        message: `it is not declared: ${trigger.definition}`,
        repair: `DROP TRIGGER ${ident(trigger.name)} ON ${relation}`,
      }),
    ),
    ...(index.constraints.get(relation) ?? [])
      .filter(
        ({ parent, inheritCount, kind }) =>
          parent === null && inheritCount === 0 && kind !== "notNull" && kind !== "trigger",
      )
      .map(
        (constraint): Finding => ({
          check: "partition-constraint-undeclared",
          severity: "warning",
          object: partPath("constraint", constraint.name, object),
          message: `its root does not have it: ${constraint.definition}`,
          repair: null,
        }),
      ),
  ];
}

/** The facts of each relation, by its quoted name: there may be thousands of them. */
interface FactIndex {
  readonly tables: ReadonlyMap<string, Facts["tables"][number]>;
  readonly grants: ReadonlyMap<string, Facts["grants"]>;
  readonly policies: ReadonlyMap<string, Facts["policies"]>;
  readonly triggers: ReadonlyMap<string, Facts["triggers"]>;
  readonly indexes: ReadonlyMap<string, Facts["indexes"]>;
  readonly constraints: ReadonlyMap<string, Facts["constraints"]>;
}

function indexOf({ tables, grants, policies, triggers, indexes, constraints }: Facts): FactIndex {
  const ofTable = ({ schema, table }: { readonly schema: string; readonly table: string }) =>
    qualified(schema, table);
  return {
    tables: new Map(tables.map((table) => [qualified(table.schema, table.name), table])),
    grants: grouped(
      grants.filter(({ on }) => on === "relation" || on === "column"),
      ({ schema, name }) => qualified(schema, name),
    ),
    policies: grouped(policies, ofTable),
    triggers: grouped(triggers, ofTable),
    indexes: grouped(indexes, ofTable),
    constraints: grouped(constraints, ofTable),
  };
}

function grouped<T>(
  facts: readonly T[],
  keyOf: (fact: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const fact of facts) {
    const group = groups.get(keyOf(fact));
    if (group === undefined) groups.set(keyOf(fact), [fact]);
    else group.push(fact);
  }
  return groups;
}

function rootState(index: FactIndex, scheme: Scheme): RootState | undefined {
  const { schema, name } = targetOf(scheme);
  const { enableRLS, policies } = getTableConfig(scheme.table);
  const table = index.tables.get(qualified(schema, name));
  if (table === undefined) return undefined;
  return {
    owner: table.owner,
    closed: enableRLS || policies.length > 0,
    triggers: (index.triggers.get(qualified(schema, name)) ?? []).filter(
      ({ level }) => level === "row",
    ),
  };
}

function partitionState(index: FactIndex, partition: PartitionFact): PartitionState | undefined {
  const { schema, name, parent, detachPending } = partition;
  const key = qualified(schema, name);
  const table = index.tables.get(key);
  if (table === undefined || parent === null) return undefined;
  const { owner, rowSecurity, forceRowSecurity } = table;
  return {
    ...{ schema, name, parent, owner, rowSecurity, forceRowSecurity, detachPending },
    grants: (index.grants.get(key) ?? []).filter(
      ({ grantee, privileges }) => grantee !== owner && privileges.length > 0,
    ),
    policies: (index.policies.get(key) ?? []).map((policy) => policy.name),
    triggers: index.triggers.get(key) ?? [],
    invalidIndexes: (index.indexes.get(key) ?? [])
      .filter(({ valid }) => !valid)
      .map((each) => each.name),
  };
}
