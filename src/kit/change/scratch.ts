import { readFacts, type Facts } from "../../catalog/read-facts.ts";
import { UnderpinError } from "../../errors.ts";
import { makingScript } from "../../install/install-script.ts";
import { extensionsOf } from "../../install/requirements.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import type { Plan } from "../../plan/step.ts";
import { apply } from "../../run/apply.ts";
import { confirm } from "../../run/control.ts";
import type { Report } from "../../run/report.ts";
import { bootSandbox, type Sandbox } from "../../sandbox/boot.ts";
import { loadExtensions } from "../../sandbox/load-extensions.ts";

/** An embedded database in which a snapshot was made again, with the extensions that the next one needs too. */
export async function bootMade(before: Snapshot, after: Snapshot): Promise<Sandbox> {
  const { host, objects } = before.made;
  const names = new Set([...extensionsOf(objects), ...extensionsOf(after.made.objects)]);
  const sandbox = await bootSandbox({ extensions: await loadExtensions([...names]) });
  try {
    await sandbox.executor.transaction(async (transaction) => {
      for (const text of makingScript(objects, host)) await transaction.query(text);
      // What stands in for tables of the host that only the next one points to.
      const there = new Set(statementsOf(host));
      for (const text of statementsOf(after.made.host))
        if (!there.has(text)) await transaction.query(text);
    });
    return sandbox;
  } catch (error) {
    await sandbox.close();
    throw error;
  }
}

/** The stand-ins are one statement a line. */
function statementsOf(host: string): readonly string[] {
  return host.split(";\n").filter((text) => text !== "");
}

/** The catalog of a scratch database, without the schema of the runs. */
export async function factsIn({ executor }: Sandbox): Promise<Facts> {
  return readFacts(executor);
}

/** Applies a plan through its gates, up to one that is named: nobody is to be asked here. */
export async function applyUpTo(
  { executor }: Pick<Sandbox, "executor">,
  plan: Plan,
  stopAt?: string,
): Promise<Report> {
  let report = await apply(executor, plan);
  for (const { id, kind } of plan.steps) {
    if (kind !== "gate") continue;
    if (report.outcome !== "waiting" || id === stopAt) break;
    await confirm(executor, plan.name, id);
    report = await apply(executor, plan);
  }
  return report;
}

/** Throws what a run on a scratch database failed by. */
export function refuseFailed(what: string, { failure }: Report): never {
  throw new UnderpinError({
    code: "checkFailed",
    message: `${what}: ${failure?.message ?? "it stopped"}${failure?.sql === undefined ? "" : `\n${failure.sql}`}`,
    hint: "Nothing was touched but a scratch database. Write this change by hand: plan(name, [ … ]) with the recipes of underpin/migrations, and generate the rest.",
  });
}
