import { expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { apply } from "../../src/run/apply.ts";
import { onServers } from "../support/server.ts";

onServers("a direct connection", (server) => {
  it("that leads to a clone of the database is refused, though the clone has the same lease", async () => {
    const sql = server.sql();
    await sql.unsafe("CREATE TABLE t (id integer)");
    const clone = server.connect(await server.database("clone"));
    // Gives the clone its run schema, and a lease of the same name.
    const first = plan("indexed", [{ ...call, id: "other" }]);
    await apply(clone, first, { handlers: { copy: { version: 1, run: () => undefined } } });
    const copy = async () => {
      const [lease] = await sql<
        { token: string }[]
      >`SELECT token::text FROM underpin.leases WHERE name = 'indexed'`;
      await clone`UPDATE underpin.leases SET token = ${lease?.token ?? ""}::bigint, expires_at = 'infinity'`;
    };
    const report = await apply(
      sql,
      plan("indexed", [call, createIndex({ table: "t", parts: ["id"] })]),
      { handlers: { copy: { version: 1, run: copy } }, direct: clone },
    );
    expect(report).toMatchObject({ outcome: "failed", failure: { code: "invalidInput" } });
    expect(report.failure?.message).toContain("leads to another database");
  });

  it("that leads to the same database runs what must be outside a transaction", async () => {
    const sql = server.sql();
    await sql.unsafe("CREATE TABLE u (id integer)");
    const report = await apply(sql, createIndex({ table: "u", parts: ["id"] }), {
      direct: server.connect({ max: 1 }),
    });
    expect(report.outcome).toBe("applied");
  });
});

const call = {
  kind: "call",
  id: "copy",
  title: "Copy the lease",
  handler: "copy",
  version: 1,
  argument: null,
  undo: { kind: "nothing" },
} as const;
