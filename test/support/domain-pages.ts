import { readFileSync } from "node:fs";
import type { Definition } from "../../src/index.ts";
import { reportSchema } from "../../src/report/report-schema.ts";
import * as observations from "../../src/schema/observations/index.ts";
import * as progressCard from "../../src/schema/progress-card/index.ts";
import * as projectReports from "../../src/schema/project-reports/index.ts";
import * as reporting from "../../src/schema/reporting/index.ts";
import * as testCycles from "../../src/schema/test-cycles/index.ts";

/** The pages of the domains and what each is about. */
export const DOMAIN_PAGES: readonly (readonly [file: string, definition: Definition])[] = [
  ["docs/domains/reporting.md", reporting.definition],
  ["docs/domains/progress-card.md", progressCard.definition],
  ["docs/domains/observations.md", observations.definition],
  ["docs/domains/test-cycles.md", testCycles.definition],
  ["docs/domains/project-reports.md", projectReports.definition],
];

/** What follows is made from the definition: `npm run docs` writes it. */
const MARK = "<!-- From here on the page is made from the definition. -->";

/** A page as it should be: what people wrote, and below the mark what the definition says. */
export function domainPage(file: string, definition: Definition): string {
  const [written = ""] = readFileSync(file, "utf8").split(MARK);
  return `${written}${MARK}\n\n# What is in it\n\n${reportSchema(definition)}\n`;
}
