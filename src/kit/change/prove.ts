import type { Facts } from "../../catalog/read-facts.ts";
import { UnderpinError } from "../../errors.ts";
import { declaredCatalog } from "../../install/declared-catalog.ts";
import { differences } from "../../install/differences.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import type { Plan } from "../../plan/step.ts";
import { lostData, readData } from "../../migrations/rehearsal/data.ts";
import { fillTables, userSchemas } from "../../migrations/rehearsal/fill.ts";
import { undo } from "../../run/undo.ts";
import { CONTRACT_GATE, PARKED } from "./contract.ts";
import { applyUpTo, bootMade, factsIn, refuseFailed } from "./scratch.ts";

/**
 * Runs a change in a scratch database that the old snapshot was made in, with rows in its tables: up to the gate behind which nothing comes back, down,
 * and up to the end. Each time the catalog is compared, after the way back the rows too.
 */
export async function proveChange(before: Snapshot, after: Snapshot, plan: Plan): Promise<void> {
  try {
    await prove(before, after, plan, true);
  } catch (error) {
    // Rows that are made up may break a key or a check that is to come, as those of the application must not.
    if (!isRowFault(error)) throw error;
    await prove(before, after, plan, false);
  }
}

const ROW_FAULT = Symbol("rows");

function isRowFault(error: unknown): boolean {
  return typeof error === "object" && error !== null && ROW_FAULT in error;
}

async function prove(
  before: Snapshot,
  after: Snapshot,
  plan: Plan,
  withRows: boolean,
): Promise<void> {
  await using scratch = await bootMade(before, after);
  const { executor } = scratch;
  if (withRows) await fillTables(executor, FILL);
  const schemas = await userSchemas(executor, FILL.runSchema);
  const rows = await readData(executor, schemas);
  const look = async (when: string, expected: Snapshot): Promise<void> =>
    refuseDifferent(plan, when, expected, await factsIn(scratch));
  const way = async (when: string, stopAt?: string): Promise<void> => {
    const report = await applyUpTo(scratch, plan, stopAt);
    const { outcome, failure } = report;
    if (outcome === "applied" || (stopAt !== undefined && outcome === "waiting")) return;
    const isOfRows =
      withRows && (/^23/.test(failure?.sqlState ?? "") || failure?.code === "checkFailed");
    if (isOfRows) throw Object.assign(new Error(failure?.message), { [ROW_FAULT]: true });
    refuseFailed(`"${plan.name}" fails ${when}`, report);
  };
  const contract = plan.steps.findIndex(({ id }) => id === CONTRACT_GATE);
  const reversible = contract === -1 ? plan.steps : plan.steps.slice(0, contract);
  await way("on the way up", contract === -1 ? undefined : CONTRACT_GATE);
  if (contract === -1) await look("on the way up", after);
  if (reversible.some(({ undo: { kind } }) => kind === "irreversible")) return;
  const back = await undo(executor, plan);
  if (back.outcome !== "undone") refuseFailed(`"${plan.name}" cannot be taken back`, back);
  await look("after the way back", before);
  const lost = lostData(rows, await readData(executor, schemas));
  if (lost.length > 0)
    throw failed(
      plan,
      `after the way back the rows are others: ${lost.map(({ table, what }) => `${table}: ${what}`).join("; ")}`,
    );
  await way("when it is applied again");
  await look("when it is applied again", after);
}

const FILL = {
  definition: undefined,
  generate: undefined,
  rows: 2,
  runSchema: "underpin",
} as const;

/** What PostgreSQL keeps from an undo is no difference: labels of enums. */
function refuseDifferent(plan: Plan, when: string, expected: Snapshot, facts: Facts): void {
  const found = differences(expected.catalog, declaredCatalog(facts, expected.made.objects)).filter(
    ({ path, aspect }) => aspect !== "labels" && !path.includes(PARKED),
  );
  if (found.length === 0) return;
  const lines = found
    .slice(0, 10)
    .map(
      ({ path, aspect, expected: should, found: is }) =>
        `${path}${aspect === null ? "" : `: ${aspect}`} should be ${should ?? "gone"} and is ${is ?? "not there"}`,
    );
  throw failed(plan, `${when} the catalog is another:\n  ${lines.join("\n  ")}`);
}

function failed({ name }: Plan, what: string): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `the proof of "${name}" failed: ${what}`,
    hint: "Nothing was touched but a scratch database. Write that part by hand: plan(name, [ … ]) with the recipes of underpin/migrations.",
  });
}
