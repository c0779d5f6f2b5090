import { describe, expect, it } from "vitest";
import { proofHtml } from "../../src/rls/proof/present-html.ts";
import { proofJunit } from "../../src/rls/proof/present-junit.ts";
import { proofJson, proofMarkdown } from "../../src/rls/proof/present.ts";
import type { Proof } from "../../src/rls/proof/proof.ts";

describe("a proof", () => {
  const proof: Proof = {
    definition: "shop <1>",
    ok: false,
    server: "PostgreSQL 18.0",
    seed: 1,
    rows: { 'table "s"."t"': 8 },
    cells: [
      {
        persona: "clerk",
        object: 'table "s"."t"',
        command: "select",
        context: "right",
        expected: "4 of 8 rows",
        actual: "8 rows",
        status: "broken",
        reason: "8 rows",
      },
      {
        persona: "boss",
        object: 'table "s"."t"',
        command: "select",
        context: "right",
        expected: "refused privilege",
        actual: "refused privilege",
        status: "held",
        reason: null,
      },
    ],
    mutations: [
      {
        title: "drop the policy",
        object: "policy p",
        sql: "DROP POLICY p",
        shownBy: null,
        status: "survived",
        reason: "no cell answered otherwise",
      },
    ],
    score: { shown: 0, total: 1, byBehaviour: 0 },
    problems: [],
    milliseconds: 12,
  };

  it("is a matrix in Markdown", () => {
    expect(proofMarkdown(proof)).toMatchInlineSnapshot(`
      "# Isolation of shop <1>

      Not proven on PostgreSQL 18.0 (seed 1): 1 of 2 cells held; 0 of 1 mutations were shown, 0 of them by what somebody saw or did.

      | object | command | clerk | boss |
      | --- | --- | --- | --- |
      | table "s"."t" | select | 8 rows ✗ | no |

      ## What did not hold

      - clerk: select of table "s"."t", context right: 8 rows

      ## What no cell showed

      - drop the policy: policy p: no cell answered otherwise
      "
    `);
  });

  it("is a page of its own", () => {
    const page = proofHtml(proof);
    expect(page).toContain("<title>Isolation of shop &lt;1&gt;</title>");
    expect(page).toContain('<td class="broken" title="8 rows">8 rows</td>');
    expect(page).toContain('<td class="no" title="refused privilege">no</td>');
    expect(page).not.toMatch(/(?:src|href)=/);
  });

  it("is JSON for programs", () => {
    expect(JSON.parse(proofJson(proof))).toEqual({ version: 1, ...proof });
  });

  it("is JUnit for build servers", () => {
    const xml = proofJunit(proof);
    expect(xml).toContain(
      '<testsuite name="shop &lt;1&gt;: cells" tests="2" failures="1" skipped="0">',
    );
    expect(xml).toContain(
      '<testcase classname="policy p" name="drop the policy"><failure message="no cell showed it: no cell answered otherwise"/></testcase>',
    );
  });
});
