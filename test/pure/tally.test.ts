import { expect, it } from "vitest";
import { renderTally, type TestOutcome } from "../support/tally.ts";

const passed: TestOutcome = {
  state: "passed",
  engine: undefined,
  skipReason: undefined,
  file: "test/unit/a.test.ts",
};

it("counts tests by the engine they ran on and closes with the plain count", () => {
  const tests: TestOutcome[] = [
    passed,
    { ...passed, engine: "PostgreSQL 18" },
    { ...passed, engine: "PostgreSQL 18", state: "failed" },
    { ...passed, engine: "PostgreSQL 15" },
    { ...passed, file: "test/pglite/b.test.ts" },
  ];
  expect(renderTally(tests, 0)).toEqual([
    "ran: 1 on PGlite, 1 on PostgreSQL 15, 2 on PostgreSQL 18, 1 without a database",
    "4 passed, 1 failed",
  ]);
});

it("says loudly that server suites were skipped, and why", () => {
  const skipped: TestOutcome = {
    ...passed,
    state: "skipped",
    engine: "PostgreSQL 15",
    skipReason: "UNDERPIN_TEST_SERVERS=none",
  };
  expect(renderTally([passed, skipped], 0)).toEqual([
    "ran: 1 without a database",
    "SKIPPED: 1 on PostgreSQL 15 (UNDERPIN_TEST_SERVERS=none)",
    "SKIPPED: THE SERVER SUITES DID NOT ALL RUN, so that this run proves little.",
    "1 passed, 0 failed, 1 skipped",
  ]);
});

it("names a test that skips itself, without the alarm", () => {
  const skipped: TestOutcome = { ...passed, state: "skipped", engine: "PostgreSQL 15" };
  expect(renderTally([skipped], 0)).toEqual([
    "ran: nothing",
    "SKIPPED: 1 on PostgreSQL 15 (by a mark in the test)",
    "0 passed, 0 failed, 1 skipped",
  ]);
});

it("counts a file that does not load as a failure", () => {
  expect(renderTally([], 1)).toEqual(["ran: nothing", "0 passed, 1 failed"]);
});
