import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/consumer/**"],
    globalSetup: ["test/support/global-setup.ts"],
    // The tally closes the run, so it comes last.
    reporters: ["default", "./test/support/reporter.ts"],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
