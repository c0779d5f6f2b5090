import { assessHealth, type Excess } from "../run/health/assess-health.ts";
import type { HealthSample } from "../run/health/health-sample.ts";
import { sampleHealth } from "../run/health/sample-health.ts";
import { DEFAULT_HEALTH_THRESHOLDS } from "../run/health/thresholds.ts";
import { watchHealth, type Alert } from "../run/health/watch-health.ts";
import { textOption, type Call, type Verb } from "./call.ts";
import { everyOption } from "./every-option.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { healthText } from "./health-text.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, type OpenDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";
import { paint, type Terminal } from "./terminal.ts";

/** `underpin watch`: how the database bears it, again and again, or once. */
export const watchVerb: Verb = {
  name: "watch",
  summary: "Watch who waits for whom, connections, replicas, WAL and backfills, and raise alerts",
  operands: [],
  options: ["once", "every", "probe", "pause-run", ...DATABASE],
  notes:
    "Prints a line for each alert that is raised and cleared, until Ctrl-C, with --json one of JSON for each sample too; with --once what there is now. Exit code 3 where there was an alert. It changes nothing, except that --pause-run asks a run to pause.",
  run: (call) => {
    const everyMs = everyOption(call);
    const isOnce = call.options.once === true;
    if (isOnce && (everyMs !== undefined || call.options["pause-run"] !== undefined))
      throw misuse(
        "--once looks once: --every and --pause-run say nothing to it",
        "Leave out --once, or the others.",
      );
    return withDatabase(call, (database) =>
      isOnce ? once(call, database) : on(call, database, everyMs),
    );
  },
};

async function once(call: Call, { executor, shown }: OpenDatabase): Promise<ExitCode> {
  const { terminal, options } = call;
  const sample = await sampleHealth(executor, sampling(call));
  const alerts = assessHealth([sample], DEFAULT_HEALTH_THRESHOLDS);
  terminal.out(
    options.json === true
      ? JSON.stringify({ sample, alerts }, null, 2)
      : [
          paint(terminal, "bold", shown),
          healthText(sample),
          "",
          ...(alerts.length === 0
            ? [paint(terminal, "green", "no alerts")]
            : alerts.map((alert) => excessText(terminal, alert))),
        ].join("\n"),
  );
  return alerts.length === 0 ? EXIT.done : EXIT.findings;
}

/** With `--json` a line for each sample and each alert: a stream has no end to close a document at. */
async function on(
  call: Call,
  { executor, shown }: OpenDatabase,
  everyMs: number | undefined,
): Promise<ExitCode> {
  const { terminal, signal } = call;
  const json = call.options.json === true;
  const pauseRun = textOption(call, "pause-run");
  let raised = 0;
  const tell = (alert: Alert) => {
    if (alert.state === "raised") raised++;
    terminal.out(json ? JSON.stringify({ alert }) : alertText(terminal, alert));
  };
  const show = (sample: HealthSample) => {
    if (json) terminal.out(JSON.stringify({ sample }));
  };
  if (!json) terminal.out(`watching ${shown}`);
  const watch = watchHealth(executor, {}, tell, {
    ...sampling(call),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(pauseRun === undefined ? {} : { pauseRun }),
    onSample: show,
    keepAlive: true,
  });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await watch.stop();
  return raised === 0 ? EXIT.done : EXIT.findings;
}

function sampling(call: Call) {
  const probe = textOption(call, "probe");
  return { ...schemaOption(call), ...(probe === undefined ? {} : { probe }) };
}

function excessText(terminal: Terminal, { name, what }: Excess): string {
  return `${paint(terminal, "yellow", `alert ${name}:`)} ${what}`;
}

function alertText(terminal: Terminal, alert: Alert): string {
  const { state, name, what, since, pausedRun, pauseFailure } = alert;
  if (state === "cleared")
    return `${paint(terminal, "green", `cleared ${name}:`)} was since ${since}: ${what}`;
  return [
    excessText(terminal, alert),
    ...(pausedRun === undefined ? [] : [`  run "${pausedRun}" was asked to pause`]),
    ...(pauseFailure === undefined ? [] : [`  could not pause: ${pauseFailure}`]),
  ].join("\n");
}
