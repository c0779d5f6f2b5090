import postgres from "postgres";
import { expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { blocksWrites } from "../../src/plan/lock.ts";
import type { Plan } from "../../src/plan/step.ts";
import { addCheck } from "../../src/recipes/add-check.ts";
import { addColumn } from "../../src/recipes/add-column.ts";
import { addPrimaryKey, addUnique } from "../../src/recipes/add-unique.ts";
import { dropColumn } from "../../src/recipes/drop-column.ts";
import { undo } from "../../src/run/undo.ts";
import { applyThroughGates } from "../../src/testing/through-gates.ts";
import { onServers } from "../support/server.ts";

const setup = `CREATE TABLE t (id integer, key integer PRIMARY KEY, old text NOT NULL);
  CREATE TABLE keyless (id integer, old text NOT NULL);
  INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 50) g; INSERT INTO keyless SELECT id, old FROM t`;

onServers("no statement of a recipe, nor its undo,", (server) => {
  it("reads or rewrites a table under a lock that makes writers wait", async () => {
    const seen: string[] = [];
    let step = "";
    let strong: readonly string[] = [];
    // At DEBUG1 the server tells when ALTER TABLE reads ("verifying") or rewrites a table.
    const sql = postgres(server.url(), {
      max: 3,
      connection: { client_min_messages: "debug1" },
      onnotice: ({ message = "" }) => {
        if (/^(?:rewriting|verifying) table/.test(message)) seen.push(`${step}: ${message}`);
      },
    });
    const db = toExecutor(sql);
    await db.query(setup);
    const facts = await readFacts(db, { schemas: ["public"] });
    const dropped = dropColumn({ facts, table: "t", column: "old" });
    const parked = dropped.steps.slice(0, -3);
    const plans: readonly Plan[] = [
      addColumn({ facts, table: "t", column: "a", type: "text", default: "'x'", notNull: true }),
      addColumn({
        facts,
        table: "t",
        column: "b",
        type: "float",
        default: "random()",
        notNull: true,
      }),
      addCheck({ table: "t", name: "positive", expression: "id > 0" }),
      addUnique({ facts, table: "t", columns: ["id"] }),
      addPrimaryKey({ facts, table: "keyless", columns: ["id"] }),
      { ...dropped, steps: parked },
    ];
    for (const plan of plans) {
      strong = plan.steps.flatMap((each) => {
        const undone = each.undo.kind === "statement" ? each.undo.locks : [];
        const locks = "locks" in each ? each.locks : [];
        return [
          ...(locks.some(({ mode }) => blocksWrites(mode)) ? [`apply ${each.id}`] : []),
          ...(undone.some(({ mode }) => blocksWrites(mode)) ? [`undo ${each.id}`] : []),
        ];
      });
      for (const direction of ["apply", "undo"] as const) {
        const options = {
          onEvent: (event: { readonly type: string; readonly step?: string }) => {
            if (event.type === "stepStarted") step = `${direction} ${event.step ?? ""}`;
          },
        };
        const report =
          direction === "apply"
            ? await applyThroughGates(db, plan, options)
            : await undo(db, plan, options);
        expect(report.outcome).toBe(direction === "apply" ? "applied" : "undone");
      }
      expect(seen.filter((found) => strong.some((id) => found.startsWith(`${id}:`)))).toEqual([]);
    }
    // Otherwise nothing would have been heard at all.
    expect(seen.filter((found) => found.includes("verifying")).length).toBeGreaterThan(2);
    await sql.end();
  });
});
