import { expect, it } from "vitest";
import { onEngines } from "../support/server.ts";

onEngines("one body of tests", (engine) => {
  it("runs on an engine of the named major, through the executor", async () => {
    const [row] = await engine
      .executor()
      .query("select pg_catalog.current_setting('server_version_num')::int / 10000 as major");
    expect(row).toEqual({ major: engine.major });
    expect(engine.executor().driver).toBe(engine.kind === "pglite" ? "pglite" : "postgres.js");
  });
});
