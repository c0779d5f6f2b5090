import { readFacts, type Facts } from "../catalog/read-facts.ts";
import type { PartitionFact } from "../catalog/partitions.ts";
import type { RangeDimension, Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { hashPlan } from "../plan/hash.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, SqlStep } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { parseBound } from "./bound.ts";
import { listValues } from "./dimension-values.ts";
import { groupsOf, type OldPiece } from "./granularity-groups.ts";
import { pieceOf, readNames, readPieces, type Run } from "./granularity-pieces.ts";
import { cadenceOf } from "./maintenance/calendar.ts";
import type { SchemeValues } from "./partition-types.ts";
import { namesOf } from "./provision-names.ts";
import type { Leaf } from "./reshape-sql.ts";
import { replaceLeaves } from "./reshape.ts";
import { firstRange, schemeArguments } from "./scheme-columns.ts";
import { provisionFunction, surveyFunction } from "./scheme-objects.ts";

/** From which cadence to which. */
export interface ChangeGranularityOptions<S extends Scheme> {
  /** The scheme as it is. */
  readonly from: S;
  /** The scheme as it will be: the same dimensions with another interval, or with other overrides. */
  readonly to: Scheme;
  /** Only the leaves of these values. @default those of all values whose interval is another in `to` */
  readonly values?: SchemeValues<S>;
}

/**
 * Cuts leaves into other intervals, month into week or week into month, while reads and writes go on, each run of leaves as
 * `splitPartition` and `mergePartitions` do it. From its first step on new partitions are made in the new intervals.
 *
 * At most 20 leaves, old and new, are replaced in one transaction, or 32 where that leaves no interval in two pieces. A group ends where old
 * and new intervals end together. Weeks and months rarely do: there the outermost intervals get no more than the old leaves had, as provisioning
 * fills a gap. `validatePartitions` names them, and the same change once more, after `dropReplaced`, makes one of two pieces.
 *
 * @example
 * import { integer, pgTable, primaryKey, timestamp } from "drizzle-orm/pg-core";
 * import { apply, defineDatabase, planInstall } from "underpin";
 * import { changeGranularity, partitionBy, range } from "underpin/partitioning";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const logs = pgTable(
 *   "logs",
 *   { id: integer("id").notNull(), at: timestamp("at", { withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ name: "logs_pkey", columns: [t.id, t.at] })],
 * );
 * const from = partitionBy(logs, range(logs.at, { every: "1 month" }));
 * const to = partitionBy(logs, range(logs.at, { every: "1 day" }));
 * const { db, client, close } = await createTestDatabase();
 * await apply(db, planInstall(defineDatabase({ name: "logs", tables: { logs }, partitions: [from] })));
 * await client.query("SELECT provision_logs('2026-01-01', '2026-01-01')");
 * const plan = await changeGranularity(db, { from, to });
 * (await apply(db, plan)).outcome; // "applied"
 * await close();
 */
export async function changeGranularity<S extends Scheme>(
  db: DatabaseLike,
  { from, to, values }: ChangeGranularityOptions<S>,
): Promise<Plan> {
  const dimension = changedDimension(from, to);
  const { schema, table } = namesOf(from);
  const executor = toExecutor(db);
  const facts = await readFacts(executor, { schemas: [schema] });
  const only = values === undefined ? undefined : Object.values(listValues(from, values));
  const runs = runsOf(facts, to, dimension, only);
  const pieces = await readPieces(executor, to, dimension, runs);
  const groups = runs.flatMap((run, at) =>
    parted(run, pieces[at] ?? []).flatMap(({ old, new: made }) =>
      groupsOf(old, made).map((group) => ({ ...group, run })),
    ),
  );
  const names = await readNames(executor, to, groups);
  const replaced = groups.flatMap((group, at) => {
    const old = group.old.map((each): Leaf => leafOf(each.name, each));
    const made = group.new.map((each, n): Leaf => leafOf(names[at]?.[n] ?? "", each));
    const [[firstOld, ...moreOld], [firstNew, ...moreNew]] = [old, made];
    if (firstOld === undefined || firstNew === undefined) return [];
    return [
      replaceLeaves(firstOld.name, {
        facts,
        scheme: to,
        parent: group.run.parent,
        old: [firstOld, ...moreOld],
        new: [firstNew, ...moreNew],
      }),
    ];
  });
  const functions = functionSteps(facts, to);
  if (runs.length === 0 && only !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, table)} has no partitions for ${JSON.stringify(values)}`,
      hint: "Give values that inspectPartitions(db, scheme) shows.",
    });
  const asked = JSON.stringify([only ?? null, functions.map(({ sql }) => sql)]);
  const hash = hashPlan({ format: 1, name: asked, steps: [] }).slice(0, 8);
  return plan(`change-granularity-${schema}-${table}-${hash}`, [...functions, ...replaced]);
}

function leafOf(name: string, { lower, upper }: { lower: string; upper: string }): Leaf {
  return { name, bound: `FOR VALUES FROM (${literal(lower)}) TO (${literal(upper)})` };
}

/** The range whose intervals change; refuses schemes that differ in more than that. */
function changedDimension(from: Scheme, to: Scheme): RangeDimension {
  const [own, other] = [namesOf(from), namesOf(to)];
  const refuse = (why: string) =>
    new UnderpinError({
      code: "invalidInput",
      message: `the intervals of ${qualified(own.schema, own.table)} cannot be changed so: ${why}`,
      hint: "Give the same table with the same dimensions, and one range as the last of them, with another `every` or other overrides.",
    });
  const shape = (scheme: Scheme) =>
    JSON.stringify([
      scheme.dimensions.map(({ strategy, column }) => [strategy, column]),
      schemeArguments(scheme),
      scheme.timeZone,
    ]);
  if (own.schema !== other.schema || own.table !== other.table)
    throw refuse("the schemes are of two tables");
  if (shape(from) !== shape(to)) throw refuse("the dimensions or the time zone differ");
  const dimension = firstRange(to);
  const ranges = to.dimensions.filter(({ strategy }) => strategy === "range");
  if (dimension === undefined || ranges.length > 1 || to.dimensions.at(-1) !== dimension)
    throw refuse("its only range has to be its last dimension");
  return dimension;
}

/** The new functions first: whatever is made meanwhile is cut as it is to be, and fills gaps only. */
function functionSteps(facts: Facts, to: Scheme): readonly SqlStep[] {
  return [provisionFunction(to), surveyFunction(to)].flatMap((made): SqlStep[] => {
    const now = facts.functions.find((f) => f.schema === made.schema && f.name === made.name);
    if (now?.definition == null)
      throw new UnderpinError({
        code: "inDoubt",
        message: `there is no function ${qualified(made.schema, made.name)}`,
        hint: "Install the definition that the scheme belongs to: apply(db, planInstall(definition)).",
      });
    return [
      {
        kind: "sql",
        id: `function/${made.name}`,
        title: `Let ${made.name} work in the new intervals`,
        sql: made.create,
        locks: [],
        transaction: "inside",
        undo: { kind: "statement", sql: now.definition, locks: [], transaction: "inside" },
      },
    ];
  });
}

/** Leaves without a gap between them, by parent. */
function runsOf(
  facts: Facts,
  to: Scheme,
  dimension: RangeDimension,
  only: readonly string[] | undefined,
): readonly Run[] {
  const { schema, table } = namesOf(to);
  const own = facts.partitions.filter((p) => p.root.schema === schema && p.root.name === table);
  const byName = new Map(own.map((each) => [each.name, each]));
  const parents = own.filter(
    ({ key }) => key?.strategy === "range" && key.columns.join() === dimension.column,
  );
  return parents.flatMap((parent): readonly Run[] => {
    const values = valuesOf(parent, byName);
    if (values === undefined || (only !== undefined && values.join("\0") !== only.join("\0")))
      return [];
    const every = cadenceOf(to, values)?.every ?? dimension.every;
    const stem = parent.level === 0 ? to.prefix : parent.name;
    return piecesBelow(own, parent).map((old) => ({ parent: parent.name, stem, every, old }));
  });
}

/** The values of the lists above; none below a default partition or one of several values. */
function valuesOf(
  node: PartitionFact,
  byName: ReadonlyMap<string, PartitionFact>,
): readonly string[] | undefined {
  if (node.parent === null || node.bound === null) return [];
  const up = byName.get(node.parent.name);
  const above = up === undefined ? undefined : valuesOf(up, byName);
  const bound = parseBound(node.bound);
  if (above === undefined || bound.strategy === "default") return undefined;
  if (bound.strategy !== "list") return above;
  const [value] = bound.values;
  return bound.values.length === 1 && typeof value === "string" ? [...above, value] : undefined;
}

function piecesBelow(
  own: readonly PartitionFact[],
  parent: PartitionFact,
): readonly (readonly [OldPiece, ...OldPiece[]])[] {
  const pieces = own.flatMap((leaf): OldPiece[] => {
    if (leaf.parent?.name !== parent.name || leaf.bound === null || leaf.key !== null) return [];
    const bound = parseBound(leaf.bound);
    const [lower, upper] = bound.strategy === "range" ? [bound.lower[0], bound.upper[0]] : [];
    return typeof lower === "object" && typeof upper === "object"
      ? [{ name: leaf.name, ...pieceOf(lower.value, upper.value) }]
      : [];
  });
  const runs: [OldPiece, ...OldPiece[]][] = [];
  for (const piece of pieces.sort((a, b) => a.from - b.from)) {
    const run = runs.at(-1);
    if (run?.at(-1)?.until === piece.from) run.push(piece);
    else runs.push([piece]);
  }
  return runs;
}

/** Leaves that are one of the intervals already stay, and part what is before them from what is after. */
function parted(
  { old }: Run,
  pieces: Parameters<typeof groupsOf>[1],
): readonly { readonly old: readonly OldPiece[]; readonly new: typeof pieces }[] {
  const stays = (piece: OldPiece) =>
    pieces.some(({ from, until }) => from === piece.from && until === piece.until);
  const parts: OldPiece[][] = [[]];
  for (const piece of old) {
    if (stays(piece)) parts.push([]);
    else parts.at(-1)?.push(piece);
  }
  return parts.filter((part) => part.length > 0).map((part) => ({ old: part, new: pieces }));
}
