import { expect, it } from "vitest";
import { literal, qualified } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";
import { A } from "./school.ts";

onEngines("the plan of a read under each persona", (engine) => {
  const { access, schema } = installedSchool(engine);
  const grades = qualified(schema, "grades");

  it("uses an index and asks who it is once, not for each row", async () => {
    // 200 tenants of 100 students with one grade each; A's own people among them.
    await engine.executor().query(`
      INSERT INTO ${qualified(schema, "users")} (tenant_id, id, name)
        SELECT md5('t' || t)::uuid, md5('t' || t || 'u' || u)::uuid, 'u' FROM generate_series(1, 200) t, generate_series(1, 100) u;
      INSERT INTO ${grades} (tenant_id, student_id, points)
        SELECT tenant_id, id, 1 FROM ${qualified(schema, "users")} WHERE name = 'u';
      ANALYZE ${grades}`);
    for (const persona of ["student", "teacher", "parent", "admin"] as const) {
      const plan = await engine.executor().transaction(async (tx) => {
        await tx.query(
          `SELECT set_config('role', ${literal(access.roles[persona])}, true), set_config('app.tenant_id', '${A.tenant}', true), set_config('app.user_id', '${A[persona]}', true)`,
        );
        const rows = await tx.query<{ "QUERY PLAN": string }>(
          `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM ${grades}`,
        );
        return rows.map((row) => row["QUERY PLAN"]).join("\n");
      });
      expect(plan, persona).toMatch(/Index (?:Only )?Scan/);
      expect(plan, persona).toContain("Index Cond");
      expect(plan, persona).toContain("InitPlan");
      expect(plan, persona).not.toMatch(/SubPlan|Seq Scan/);
    }
  });
});
