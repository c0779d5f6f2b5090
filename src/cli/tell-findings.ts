import type { Findings } from "../catalog/finding.ts";
import type { Call } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { paint } from "./terminal.ts";

/** Prints findings with what mends each, and says by the exit code whether there are any. */
export function tellFindings({ terminal, options }: Call, findings: Findings): ExitCode {
  if (options.json === true) terminal.out(JSON.stringify(findings, null, 2));
  else if (findings.length === 0) terminal.out(paint(terminal, "green", "no findings"));
  else
    terminal.out(
      findings
        .flatMap(({ severity, check, object, message, repair }) => [
          `${paint(terminal, severity === "error" ? "red" : "yellow", severity)} ${check}: ${object}: ${message}`,
          ...(repair === null ? [] : [paint(terminal, "dim", indented(repair))]),
        ])
        .join("\n"),
    );
  return findings.length > 0 ? EXIT.findings : EXIT.done;
}

function indented(sql: string): string {
  return `${sql};`.replaceAll(/^/gm, "    ");
}
