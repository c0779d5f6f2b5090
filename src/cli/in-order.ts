import type { Plan } from "../plan/step.ts";
import type { Observer } from "../run/events.ts";
import type { Report } from "../run/report.ts";
import type { Call } from "./call.ts";
import { EXIT, OUTCOME_EXIT, type ExitCode } from "./exit-code.ts";
import { fail } from "./fail.ts";
import { progressTeller } from "./progress.ts";
import { reportText } from "./report-text.ts";

/**
 * Runs `work` for each plan until one does not come to its end, and tells each report. What comes after a plan may build on
 * it. With `--json` the reports are one document at the end, also where a later plan is refused.
 */
export async function inOrder<P extends Plan | string>(
  call: Call,
  file: string | undefined,
  begins: "begins" | "is taken back",
  plans: readonly P[],
  work: (plan: P, onEvent: Observer) => Promise<Report>,
): Promise<ExitCode> {
  const { terminal } = call;
  const json = call.options.json === true;
  const reports: Report[] = [];
  const notBegun = () => plans.slice(reports.length).map(nameOf);
  let exit: ExitCode = EXIT.done;
  for (const plan of plans) {
    let report: Report;
    try {
      report = await work(plan, json ? () => {} : progressTeller(terminal, begins));
    } catch (error) {
      return fail(error, terminal, json, { plan: nameOf(plan), reports, notBegun: notBegun() });
    }
    reports.push(report);
    if (!json) terminal.out(reportText(report, terminal, file));
    exit = OUTCOME_EXIT[report.outcome];
    if (report.outcome !== "applied" && report.outcome !== "undone") break;
  }
  if (json) terminal.out(JSON.stringify({ reports, notBegun: notBegun() }, null, 2));
  else if (notBegun().length > 0) terminal.out(`not begun: ${notBegun().join(", ")}`);
  return exit;
}

function nameOf(plan: Plan | string): string {
  return typeof plan === "string" ? plan : plan.name;
}
