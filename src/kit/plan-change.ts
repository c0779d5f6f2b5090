import { createHash } from "node:crypto";
import type { Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import { UnderpinError } from "../errors.ts";
import { declaredCatalog } from "../install/declared-catalog.ts";
import { differences } from "../install/differences.ts";
import { snapshotWithFacts, type Snapshot } from "../install/snapshot.ts";
import { plan } from "../plan/plan.ts";
import type { Plan } from "../plan/step.ts";
import { renameColumn } from "../recipes/rename-column.ts";
import { refuse } from "../recipes/table-facts.ts";
import { addedColumn, changedColumn, columnChanges, type Part } from "./change/columns.ts";
import { contractSteps, relationOf } from "./change/contract.ts";
import { deltaOf } from "./change/delta.ts";
import { indexParts } from "./change/indexes.ts";
import { constraintParts } from "./change/keys.ts";
import {
  baseParts,
  dependentParts,
  goneTables,
  keptTables,
  objectsOfChange,
  remadeParts,
  removedBase,
  type Objects,
} from "./change/objects.ts";
import { proveChange } from "./change/prove.ts";
import { refusals } from "./change/refusals.ts";
import { applyUpTo, bootMade, factsIn, refuseFailed } from "./change/scratch.ts";
import { typeParts } from "./change/types.ts";

/** A column that keeps its rows under another name, which no two catalogs tell from one that goes and one that comes. */
export interface ColumnRename {
  readonly schema: string;
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

/** How a change is planned. */
export interface PlanChangeOptions {
  /** The plan's name. @default `change <definition>` and a hash of both ends */
  readonly name?: string;
  /** Columns that are renamed. @default none: a name that is gone is dropped, and one that is new is added */
  readonly renames?: readonly ColumnRename[];
}

/**
 * The way from an old snapshot to a definition, as a plan of online steps that is proven before it is returned.
 *
 * Tables, columns, constraints and indexes change by the recipes of `underpin/migrations`: CHECKs and foreign keys NOT VALID and then validated, indexes concurrently,
 * types beside the old column. Policies, triggers and privileges of one table change in one transaction. What holds rows and goes
 * is parked under another name behind one gate, and dropped behind a second. What no recipe makes safe stands behind a gate that says what it costs,
 * or is refused with all else that is refused.
 *
 * The proof runs in an embedded PostgreSQL that the old snapshot was made in, with rows: up, down, up. After each the catalogs are compared,
 * and after the way back the rows.
 *
 * @example
 * import { pgTable, text, uuid } from "drizzle-orm/pg-core";
 * import { defineDatabase, snapshot } from "underpin";
 * import { planChange } from "underpin/kit";
 *
 * const before = pgTable("rooms", { id: uuid("id").primaryKey() });
 * const after = pgTable("rooms", { id: uuid("id").primaryKey(), name: text("name") });
 * const old = await snapshot(defineDatabase({ name: "rooms", tables: { before } }));
 * const plan = await planChange(old, defineDatabase({ name: "rooms", tables: { after } }));
 * plan.steps.map(({ title }) => title); // ["Add name to rooms"]
 */
export async function planChange(
  before: Snapshot,
  definition: Definition,
  options: PlanChangeOptions = {},
): Promise<Plan> {
  refuseOldFormat(before);
  return planBetween(before, await snapshotWithFacts(definition), options);
}

/** As {@link planChange}, to a definition that was made already. */
export async function planBetween(
  before: Snapshot,
  after: Made,
  options: PlanChangeOptions = {},
): Promise<Plan> {
  const name = options.name ?? nameOf(before, after.snapshot);
  const { parts, left } = await partsOf(before, after, options.renames ?? [], name);
  if (left.length > 0)
    throw new UnderpinError({
      code: "checkFailed",
      message: `the change of "${name}" would not end where the definition is:\n  ${left.join("\n  ")}`,
      hint: "Write that part by hand: plan(name, [ … ]) with the recipes of underpin/migrations, and take the snapshot again afterwards.",
    });
  const made = plan(name, parts.length === 0 ? [NOTHING] : parts);
  await proveChange(before, after.snapshot, made);
  return made;
}

const NOTHING: Part = {
  kind: "check",
  id: "nothing",
  title: "Nothing is to be changed",
  sql: "SELECT WHERE false",
  expect: "noRows",
  transaction: "commitAfter",
  undo: { kind: "nothing" },
};

function refuseOldFormat({ format, made }: Snapshot): void {
  const given: unknown = made;
  if ((format as unknown) === 1 && typeof given === "object" && given !== null) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: "this is not a snapshot from which the database can be made again",
    hint: "Take one of the definition as it was: await snapshot(definition).",
  });
}

function nameOf(before: Snapshot, after: Snapshot): string {
  const ends = JSON.stringify([before.objects, after.objects]);
  const hash = createHash("sha256").update(ends).digest("hex").slice(0, 8);
  return `change ${after.name} ${hash}`;
}

interface Made {
  readonly snapshot: Snapshot;
  readonly facts: Facts;
}

/** Puts the parts together stage by stage, each applied to a scratch database, so that the next finds the catalog as it will be. */
async function partsOf(
  before: Snapshot,
  after: Made,
  renames: readonly ColumnRename[],
  name: string,
): Promise<{ readonly parts: readonly Part[]; readonly left: readonly string[] }> {
  const all = objectsOfChange(before, after.snapshot, deltaOf(before, after.snapshot));
  const { attempt, throwAny } = refusals();
  const parts: Part[] = [];
  await using scratch = await bootMade(before, after.snapshot);
  let current = await factsIn(scratch);
  const stage = async (make: (facts: Facts) => readonly Part[]): Promise<void> => {
    const made = attempt(() => make(current));
    throwAny(name);
    if (made.length === 0) return;
    const part = plan(`part ${parts.length} of ${name}`, made);
    const report = await applyUpTo(scratch, part);
    if (report.outcome !== "applied") refuseFailed(`the change of "${name}" fails`, report);
    parts.push(...made);
    current = await factsIn(scratch);
  };
  const first = current;
  const ends = { before: first, after: after.facts };
  for (const rename of renames)
    await stage((facts) => [renameColumn({ ...rename, column: rename.from, facts })]);
  const kept = [...keptTables(all)];
  await stage(() => [
    ...refusedObjects(all),
    ...baseParts(all, ends),
    ...all.delta.changed
      .filter(({ is }) => is.kind === "type" || is.kind === "sequence")
      .flatMap((change) => attempt(() => typeParts(change, ends))),
  ]);
  await stage((facts) => kept.flatMap((table) => columnParts(table, facts, after.facts, attempt)));
  await stage((facts) =>
    kept.flatMap((table) => attempt(() => indexParts(relationOf(table), facts, after.facts))),
  );
  await stage((facts) =>
    kept.flatMap((table) => attempt(() => constraintParts(relationOf(table), facts, after.facts))),
  );
  await stage(() => dependentParts(all));
  await stage((facts) => {
    const gone = goneTables(all);
    return contractSteps({
      columns: kept.flatMap((table) => goneColumns(table, facts, after.facts)),
      tables: before.made.objects.filter(({ id }) => gone.has(id)).toReversed(),
      facts,
      objects: before.made.objects,
    });
  });
  await stage(() => removedBase(all));
  const leftPaths = () => leftOver(current, after.snapshot).map(({ path }) => path);
  await stage(() => remadeParts(new Set(leftPaths()), all));
  return { parts, left: leftOver(current, after.snapshot).map(({ text }) => text) };
}

function columnParts(
  id: string,
  facts: Facts,
  after: Facts,
  attempt: (make: () => readonly Part[]) => readonly Part[],
): readonly Part[] {
  const table = relationOf(id);
  return columnChanges(table, facts, after).flatMap(({ was, is }) =>
    attempt(() => {
      if (is === undefined) return [];
      return was === undefined
        ? addedColumn(table, is, facts)
        : changedColumn(table, was, is, facts);
    }),
  );
}

function goneColumns(id: string, facts: Facts, after: Facts) {
  const table = relationOf(id);
  return columnChanges(table, facts, after).flatMap(({ was, is }) =>
    was !== undefined && is === undefined ? [{ table, name: was.name }] : [],
  );
}

/** Switching row security off would show every row to everybody who may read the table: nobody gets that from a line that was deleted. */
function refusedObjects({ delta, before, after }: Objects): readonly Part[] {
  const kept = new Set(after.made.objects.map(({ id }) => id));
  for (const { id, within } of delta.removed)
    if (id.startsWith("row security of ") && within !== null && kept.has(within))
      refuse(
        `row security of ${within} would be switched off, and every row shown to whoever may read it`,
        "Keep .enableRLS() on the table; if it is meant, ALTER TABLE … DISABLE ROW LEVEL SECURITY by hand.",
      );
  for (const path of Object.keys(after.catalog))
    if (path.startsWith("partitioning of ")) {
      const table = path.slice("partitioning of ".length);
      const isOther = JSON.stringify(before.catalog[path]) !== JSON.stringify(after.catalog[path]);
      if (isOther && table in before.catalog)
        refuse(
          `${table} is to be partitioned otherwise than it is`,
          "Convert it with the conversions of underpin/partitioning, and take the snapshot again afterwards.",
        );
    }
  return [];
}

/** In what a catalog is not yet what it is to be. */
export function leftOver(
  facts: Facts,
  after: Snapshot,
): readonly { readonly path: string; readonly text: string }[] {
  const found = declaredCatalog(facts, after.made.objects);
  return differences(after.catalog, found).map(({ path, aspect, expected, found: is }) => ({
    path,
    text: `${path}${aspect === null ? "" : `: ${aspect}`} should be ${expected ?? "gone"} and is ${is ?? "not there"}`,
  }));
}
