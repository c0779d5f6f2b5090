import type { Severity } from "../../catalog/finding.ts";
import { CHECKS, type CheckId, type Findings } from "./finding.ts";

/** The findings as lines for people, worst first, each with its SQL. */
export function findingsText(findings: Findings): string {
  if (findings.length === 0) return "Nothing found.\n";
  const counts = (["error", "warning", "info"] as const)
    .map((severity) => [findings.filter((each) => each.severity === severity).length, severity])
    .filter(([count]) => count !== 0)
    .map(([count, severity]) => `${count} ${severity}`);
  const parts = findings.map(
    ({ check, severity, object, message, repair }) =>
      `${severity} ${check}: ${object}\n  ${CHECKS[check][1]}. ${message}\n${indented(`${repair};`)}`,
  );
  return `${parts.join("\n")}\n${counts.join(", ")}\n`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}

/** The findings as JSON, for programs. */
export function findingsJson(findings: Findings): string {
  return `${JSON.stringify({ version: 1, findings }, null, 2)}\n`;
}

const LEVEL: Readonly<Record<Severity, string>> = {
  error: "error",
  warning: "warning",
  info: "note",
};

/**
 * The findings as SARIF 2.1.0, which code hosts show beside a change.
 *
 * A database has no file: each result names its object as a logical location, and the place in `artifact` that the
 * host asks for, such as the file of the schema.
 */
export function findingsSarif(
  findings: Findings,
  { artifact = "database" }: { readonly artifact?: string } = {},
): string {
  const ids = [...new Set(findings.map(({ check }) => check))].sort();
  const rules = ids.map((id: CheckId) => ({
    id,
    name: id,
    shortDescription: { text: CHECKS[id][1] },
    defaultConfiguration: { level: LEVEL[CHECKS[id][0]] },
  }));
  const results = findings.map(({ check: id, severity, object, message, repair }) => ({
    ruleId: id,
    ruleIndex: ids.indexOf(id),
    level: LEVEL[severity],
    message: { text: `${object}: ${CHECKS[id][1]}. ${message}\n\n${repair};` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: artifact } },
        logicalLocations: [{ fullyQualifiedName: object, kind: object.split(" ")[0] ?? "object" }],
      },
    ],
    partialFingerprints: { object: `${id}: ${object}` },
    properties: { repair },
  }));
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [{ tool: { driver: { name: "underpin", rules } }, results }],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
