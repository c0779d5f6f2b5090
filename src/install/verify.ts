import type { Canonical } from "../catalog/canonical.ts";
import type { Finding, Findings } from "../catalog/finding.ts";
import { readFacts, type Facts } from "../catalog/read-facts.ts";
import { words } from "../catalog/words.ts";
import type { Definition } from "../definition/definition.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { declaredCatalog } from "./declared-catalog.ts";
import { differences, mayRefuse, type CatalogDifference } from "./differences.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";
import { repairOf, type RepairContext } from "./repair.ts";
import { snapshot, type Snapshot } from "./snapshot.ts";
import { partitionFindings } from "./verify-partitions.ts";
import { roleFindings } from "./verify-roles.ts";
import { rowFindings } from "./verify-rows.ts";
import { viewDefinitions } from "./view-definitions.ts";

/** How a database is verified. */
export interface VerifyOptions {
  /** What `snapshot(definition)` returned before: it takes a second, most of it to start an embedded database. */
  readonly expected?: Snapshot;
}

/**
 * Whether all that is declared is there and healthy: columns, valid indexes, validated constraints, functions, triggers that fire, views, row
 * security, privileges, partitions, seed rows, roles.
 *
 * It compares with what PostgreSQL itself makes of the definition (see `snapshot`), so that an expression is equal however it was
 * written. What the host has added beside is not its business, except where it changes what a declared object does. It changes nothing.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { apply, defineDatabase, planInstall, verify } from "underpin";
 *
 * const marks = pgTable("marks", { id: uuid("id").primaryKey() });
 * const definition = defineDatabase({ name: "marks", tables: { marks } });
 * await apply(db, planInstall(definition));
 * for (const { object, message, repair } of await verify(db, definition))
 *   console.log(object, message, repair);
 */
export async function verify(
  db: DatabaseLike,
  definition: Definition,
  { expected: given }: VerifyOptions = {},
): Promise<Findings> {
  const executor = toExecutor(db);
  const [facts, expected] = await Promise.all([readFacts(executor), given ?? snapshot(definition)]);
  return verifyFacts(executor, definition, { facts, expected });
}

/** As {@link verify}, of a catalog that was read. */
export async function verifyFacts(
  executor: Executor,
  definition: Definition,
  { facts, expected }: { readonly facts: Facts; readonly expected: Snapshot },
): Promise<Findings> {
  const objects = objectsOf(definition);
  const found = declaredCatalog(facts, objects);
  const settings = settingsFor(objects);
  const context: RepairContext = {
    expected: expected.catalog,
    found,
    objects: new Map(objects.map((object) => [object.id, object])),
    settings,
  };
  const differing = await settled(executor, facts, expected.server, context);
  return [
    ...differing.map((difference) => findingOf(difference, context)),
    ...roleFindings(facts, objects, definition),
    ...partitionFindings(facts, definition),
    ...(await rowFindings(executor, definition, found)),
  ].sort((a, b) => (a.object < b.object ? -1 : 1));
}

/** The differences, without those that are only another version's way to print a view. */
async function settled(
  db: Executor,
  facts: Facts,
  printedBy: number,
  context: RepairContext,
): Promise<readonly CatalogDifference[]> {
  const all = differences(context.expected, context.found);
  if (facts.server.major === printedBy) return all;
  const isView = ({ path, aspect }: CatalogDifference) =>
    aspect === "definition" && /^(?:view|materialized view) /.test(path);
  const views = all
    .filter(isView)
    .map(({ path }) => context.objects.get(path))
    .filter((object): object is DatabaseObject => object !== undefined);
  if (views.length === 0) return all;
  const printed = await viewDefinitions(db, views, context.settings);
  return all.filter(
    (difference) => !isView(difference) || printed.get(difference.path) !== difference.found,
  );
}

function findingOf(difference: CatalogDifference, context: RepairContext): Finding {
  const { path, aspect, expected } = difference;
  const kind = /^[a-z ]+?(?= ")/.exec(path)?.[0] ?? "object";
  return {
    check: `${kind.replaceAll(" ", "-")}-${aspect === null ? (expected === null ? "undeclared" : "missing") : words(aspect).replaceAll(" ", "-")}`,
    severity: severityOf(difference, context.found),
    object: path,
    message: messageOf(difference, context.found),
    repair: repairOf(difference, context),
  };
}

/** What the host added may be meant so. */
function severityOf(
  { path, aspect, expected }: CatalogDifference,
  found: Canonical,
): Finding["severity"] {
  const isAdded = aspect === null && expected === null && mayRefuse(path, found);
  return isAdded || aspect === "comment" || aspect === "position" ? "warning" : "error";
}

function messageOf({ path, aspect, expected, found }: CatalogDifference, there: Canonical): string {
  if (aspect !== null)
    return `its ${words(aspect)} should be ${expected ?? "nothing"} and is ${found ?? "nothing"}`;
  if (expected !== null) return "it is not there";
  return `it is not declared: ${there[path]?.aspects.definition ?? there[path]?.aspects.privileges ?? "there"}`;
}
