import { describe, expect, it } from "vitest";
import { accessFaults } from "../../src/definition/access-faults.ts";
import { refuseFaults } from "../../src/definition/define-database.ts";
import * as observations from "../../src/schema/observations/index.ts";
import * as progressCard from "../../src/schema/progress-card/index.ts";
import * as projectReports from "../../src/schema/project-reports/index.ts";
import * as reporting from "../../src/schema/reporting/index.ts";
import * as testCycles from "../../src/schema/test-cycles/index.ts";

// A domain is put together without a look at its tables, which would take longer than to load it. They are looked at here.
describe("what defineDatabase would refuse", () => {
  for (const [name, definition] of [
    ["reporting", reporting.definition],
    ["reporting in public", reporting.reporting({ schema: "public" }).definition],
    ["progress cards", progressCard.definition],
    ["progress cards in public", progressCard.progressCard({ schema: "public" }).definition],
    ["observations", observations.definition],
    ["observations in public", observations.observations({ schema: "public" }).definition],
    ["test cycles with uuid keys", testCycles.definition],
    ["test cycles with integer keys", testCycles.testCycles({ keys: "integer" }).definition],
    ["project reports", projectReports.definition],
  ] as const)
    it(`is not in ${name}`, () => {
      expect(() => {
        refuseFaults(definition, accessFaults(definition));
      }).not.toThrow();
    });
});
