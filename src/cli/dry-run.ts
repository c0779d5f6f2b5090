import { hashPlan } from "../plan/hash.ts";
import type { Plan } from "../plan/step.ts";
import { describeChange } from "../run/difference.ts";
import { isForServer, readLiveRun, type RunRecord } from "../run/journal.ts";
import { statesOf } from "../run/unit.ts";
import type { Call } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { withDatabase } from "./open-database.ts";
import { hasRunSchema, runSchemaName } from "./run-schema-guard.ts";
import { formatOption, printed } from "./verb-plan.ts";

/** What the journal says of one plan. */
interface Remaining {
  readonly plan: string;
  readonly hash: string;
  readonly state: RunRecord["state"] | "new" | "changed";
  readonly wouldRun: readonly string[];
  /** How the plan differs from the one of the run, where it does. */
  readonly difference?: string;
}

/** Prints the plans, and which of their steps would still run on this database. Changes nothing there. */
export async function dryRun(call: Call, plans: readonly Plan[]): Promise<ExitCode> {
  const format = formatOption(call);
  const schema = runSchemaName(call);
  const remaining = await withDatabase(call, async ({ executor }) => {
    const known = await hasRunSchema(executor, schema);
    const [server] = await executor.query<{ num: string }>(
      "SELECT pg_catalog.current_setting('server_version_num') AS num",
    );
    const found: Remaining[] = [];
    for (const plan of plans) {
      const run = known ? await readLiveRun(executor, schema, plan.name) : undefined;
      found.push(remainingOf(plan, run, Number(server?.num)));
    }
    return found;
  });
  const { terminal } = call;
  if (format === "json") terminal.out(JSON.stringify({ plans, remaining }, null, 2));
  else {
    terminal.out(printed(plans, format));
    for (const one of remaining) terminal.out(`\n${remainingText(one)}`);
  }
  return remaining.some(({ state }) => state === "changed") ? EXIT.misuse : EXIT.done;
}

function remainingOf(plan: Plan, run: RunRecord | undefined, versionNum: number): Remaining {
  const hash = hashPlan(plan);
  const forServer = plan.steps.filter((step) => isForServer(step, versionNum));
  if (run === undefined)
    return { plan: plan.name, hash, state: "new", wouldRun: forServer.map(({ id }) => id) };
  if (run.hash !== hash) {
    const difference = describeChange(run.plan, plan);
    return { plan: plan.name, hash, state: "changed", wouldRun: [], difference };
  }
  const stateOf = statesOf(run);
  const wouldRun = plan.steps
    .map(({ id }) => id)
    .filter((id) => !["applied", "skipped"].includes(stateOf(id)));
  return { plan: plan.name, hash, state: run.state, wouldRun };
}

function remainingText({ plan, state, wouldRun, difference }: Remaining): string {
  if (state === "changed")
    return `${plan}: apply would refuse, its run was begun with other content:\n${difference}\nGive the changed plan a new name, or take the old one back first: underpin undo NAME`;
  if (wouldRun.length === 0) return `${plan}: ${state}, nothing would run`;
  const begun = state === "new" ? "not begun" : state;
  return `${plan}: ${begun}, would run:\n${wouldRun.map((id) => `  ${id}`).join("\n")}`;
}
