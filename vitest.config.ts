import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/sequencer.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/consumer/**"],
    globalSetup: ["test/support/global-setup.ts"],
    // The tally closes the run, so it comes last.
    reporters: ["default", "./test/support/reporter.ts"],
    sequence: { sequencer: LongestFirst },
    pool: "forks",
    // Most tests wait for a server more than they compute; by default two cores get one worker.
    maxWorkers: availableParallelism() + 1,
    // A limit for what hangs, not a measure of what is slow.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
