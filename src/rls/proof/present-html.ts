import { markup } from "./present-junit.ts";
import { acceptedOf, faultsOf, matrixOf, verdictOf, wordOf } from "./present.ts";
import type { Cell, Proof } from "./proof.ts";

/** A proof as one HTML page that needs nothing else: the matrix, whatever did not hold, and every mutation. */
export function proofHtml(proof: Proof): string {
  const { personas, rows } = matrixOf(proof);
  const head = ["object", "command", ...personas].map(
    (each) => `<th scope="col">${markup(each)}</th>`,
  );
  const body = rows.map(
    ({ object, command, cells }) =>
      `<tr><th scope="row">${markup(object)}</th><td>${markup(command)}</td>${cells.map(cellHtml).join("")}</tr>`,
  );
  const faults = faultsOf(proof);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Isolation of ${markup(proof.definition)}</title>
<style>${STYLE}</style>
<h1>Isolation of ${markup(proof.definition)}</h1>
<p class="${proof.ok ? "held" : "broken"}">${markup(verdictOf(proof))}</p>
<div class="wide"><table><thead><tr>${head.join("")}</tr></thead>
<tbody>${body.join("\n")}</tbody></table></div>
${list(
  "What did not hold",
  faults.map(
    ({ persona, command, object, context, reason }) =>
      `${persona}: ${command} of ${object}, context ${context}: ${reason ?? ""}`,
  ),
)}
${list("What is accepted", acceptedOf(proof))}
${list("Rows that could not be made", proof.problems)}
<details><summary>${proof.mutations.length} mutations</summary>
<table><thead><tr><th>mutation</th><th>object</th><th>shown by</th><th>cell</th></tr></thead><tbody>
${proof.mutations
  .map(
    ({ title, object, shownBy, reason, status }) =>
      `<tr><td>${markup(title)}</td><td>${markup(object)}</td><td class="${status === "survived" ? "broken" : "held"}">${markup(shownBy ?? status)}</td><td>${markup(reason)}</td></tr>`,
  )
  .join("\n")}
</tbody></table></details>
</html>
`;
}

function cellHtml(cell: Cell | null): string {
  if (cell === null) return "<td></td>";
  const word = wordOf(cell);
  const kind = cell.status !== "held" ? cell.status : word === "no" ? "no" : "held";
  return `<td class="${kind}" title="${markup(cell.reason ?? cell.actual)}">${markup(word)}</td>`;
}

function list(title: string, lines: readonly string[]): string {
  return lines.length === 0
    ? ""
    : `<h2>${markup(title)}</h2><ul>${lines.map((line) => `<li>${markup(line)}</li>`).join("")}</ul>`;
}

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { border: 1px solid #8884; padding: 3px 8px; text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: Canvas; }
tbody th { font-weight: 500; }
.held { color: light-dark(#1a6b35, #7bd196); }
.no { color: light-dark(#666, #999); }
.broken { color: light-dark(#b3261e, #ff8a80); font-weight: 600; }
.vacuous { color: light-dark(#8a5a00, #e6b566); }
`;
