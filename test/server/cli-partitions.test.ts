import { expect, it } from "vitest";
import { useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";

const cli = useCli();

const MODULE = `
import { partitionBy, range } from "../../src/partitioning/index.ts";
import { integer, pgTable, primaryKey, timestamp } from "drizzle-orm/pg-core";
export const events = pgTable("events", {
  at: timestamp("at", { withTimezone: true }).notNull(), n: integer("n").notNull(),
}, (t) => [primaryKey({ name: "events_pkey", columns: [t.at, t.n] })]);
export const scheme = partitionBy(events, range(events.at, { every: "1 month", premake: 2 }));
`;

onServers("underpin partitions maintain", (server) => {
  it(
    "prints what it would do, does it, and has nothing to do then",
    { timeout: 60_000 },
    async () => {
      const { apply } = await import("../../src/run/apply.ts");
      const { planInstall } = await import("../../src/install/plan-install.ts");
      const { defineDatabase } = await import("../../src/definition/define-database.ts");
      const { events, scheme } = await fixture();
      await apply(
        server.sql(),
        planInstall(defineDatabase({ name: "events", tables: { events }, partitions: [scheme] })),
      );
      await server.sql().unsafe(
        `DO $do$ DECLARE v regclass; BEGIN FOR v IN SELECT inhrelid::regclass FROM pg_catalog.pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1 DESC LIMIT 1
       LOOP EXECUTE pg_catalog.format('DROP TABLE %s', v); END LOOP; END $do$`,
      );
      const environment = { DATABASE_URL: server.url() };
      const file = cli.file("schemes.ts", MODULE);
      const dry = await cli.run(["partitions", "maintain", file, "--dry-run"], environment);
      expect(dry).toMatchObject({ code: 0, stderr: "" });
      expect(dry.stdout).toContain("provision_events");
      const done = await cli.run(["partitions", "maintain", file, "--json"], environment);
      expect(done).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse(done.stdout)).toMatchObject({ outcome: "applied", findings: [] });
      const again = await cli.run(["partitions", "maintain", file], environment);
      expect(again).toMatchObject({ code: 0, stderr: "", stdout: "nothing to do\n" });
      const running = cli.start(["partitions", "maintain", file, "--every", "1s"], environment);
      await running.says("nothing to do\nnothing to do");
      running.process.kill("SIGINT");
      expect((await running.ended).code).toBe(0);
    },
  );

  it("refuses what it cannot read", async () => {
    const environment = { DATABASE_URL: server.url() };
    const empty = cli.file("empty.ts", "export const nothing = 1;");
    const none = await cli.run(["partitions", "maintain", empty], environment);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("exports no scheme");
    const file = cli.file("schemes.ts", MODULE);
    const odd = await cli.run(["partitions", "maintain", file, "--every", "soon"], environment);
    expect(odd.code).toBe(2);
    expect(odd.stderr).toContain("not a length of time");
  });
});

async function fixture() {
  const { integer, pgTable, primaryKey, timestamp } = await import("drizzle-orm/pg-core");
  const { partitionBy, range } = await import("../../src/partitioning/index.ts");
  const events = pgTable(
    "events",
    { at: timestamp("at", { withTimezone: true }).notNull(), n: integer("n").notNull() },
    (t) => [primaryKey({ name: "events_pkey", columns: [t.at, t.n] })],
  );
  return {
    events,
    scheme: partitionBy(events, range(events.at, { every: "1 month", premake: 2 })),
  };
}
