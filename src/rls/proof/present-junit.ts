import type { Proof } from "./proof.ts";

/** A proof as JUnit XML: a test case for each cell and each mutation, so that a build server counts them. */
export function proofJunit(proof: Proof): string {
  const cells = proof.cells.map(({ persona, object, command, context, status, reason }) => ({
    name: `${persona}: ${command} (${context})`,
    group: object,
    fault: status === "held" || status === "accepted" ? null : (reason ?? status),
    skipped: false,
  }));
  const mutations = proof.mutations.map(({ title, object, status, reason }) => ({
    name: title,
    group: object,
    fault: status === "survived" ? `no cell showed it: ${reason}` : null,
    skipped: status === "impossible",
  }));
  const problems = proof.problems.map((problem) => ({
    name: problem,
    group: "rows",
    fault: problem,
    skipped: false,
  }));
  const suites = [
    suite(`${proof.definition}: cells`, cells),
    suite(`${proof.definition}: mutations`, mutations),
    ...(problems.length === 0 ? [] : [suite(`${proof.definition}: rows`, problems)]),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites time="${proof.milliseconds / 1000}">\n${suites.join("\n")}\n</testsuites>\n`;
}

interface Case {
  readonly name: string;
  readonly group: string;
  readonly fault: string | null;
  readonly skipped: boolean;
}

function suite(name: string, cases: readonly Case[]): string {
  const failures = cases.filter(({ fault }) => fault !== null).length;
  const skipped = cases.filter((each) => each.skipped).length;
  const lines = cases.map((each) => {
    const open = `    <testcase classname="${markup(each.group)}" name="${markup(each.name)}"`;
    if (each.fault !== null) return `${open}><failure message="${markup(each.fault)}"/></testcase>`;
    return each.skipped ? `${open}><skipped/></testcase>` : `${open}/>`;
  });
  return `  <testsuite name="${markup(name)}" tests="${cases.length}" failures="${failures}" skipped="${skipped}">\n${lines.join("\n")}\n  </testsuite>`;
}

/** Text for XML and HTML; what XML 1.0 cannot hold is left out. */
export function markup(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
