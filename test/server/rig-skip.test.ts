import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { itNeedsServer } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("says in its last lines when a run did without the servers", () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "test/server/rig-engines.test.ts"],
    {
      cwd: root,
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: process.env.HOME, UNDERPIN_TEST_SERVERS: "none" },
    },
  );
  expect(stdout.trimEnd().split("\n").slice(-5)).toEqual([
    "ran: 1 on PGlite",
    "SKIPPED: 1 on PostgreSQL 15 (UNDERPIN_TEST_SERVERS=none)",
    "SKIPPED: 1 on PostgreSQL 18 (UNDERPIN_TEST_SERVERS=none)",
    "SKIPPED: THE SERVER SUITES DID NOT ALL RUN, so that this run proves little.",
    "1 passed, 0 failed, 2 skipped",
  ]);
  expect(status).toBe(0);
});

itNeedsServer("a single test that needs a server has one", async (server) => {
  const [row] = await server.sql()<{ found: boolean }[]>`
    select current_setting('server_version_num')::int / 10000 = ${server.major} as found`;
  expect(row).toEqual({ found: true });
});
