import { randomBytes } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Sql } from "postgres";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { withTenant } from "../../src/rls/with-tenant.ts";
import { apply } from "../../src/run/apply.ts";
import { progressCard } from "../../src/schema/progress-card/index.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import {
  assignmentOf,
  evaluationOf,
  fillInstitution,
  idOf,
  refusal,
} from "./progress-card-world.ts";

onServers("progress cards, installed by a login that is no superuser,", (server) => {
  const prefix = `hpc_${randomBytes(4).toString("hex")}`;
  const schema = 'we"ird Schema';
  const card = progressCard({ schema, rolePrefix: prefix, migratorRole: `${prefix}_migrator` });
  const roles = Object.values(card.access.roles);
  let owner: Sql;
  let app: PostgresJsDatabase;

  beforeAll(async () => {
    const name = await server.role("installer", { attributes: "CREATEROLE" });
    const database = ident(new URL(server.url()).pathname.slice(1));
    await server.sql().unsafe(`GRANT CREATE ON DATABASE ${database} TO ${ident(name)}`);
    owner = server.connect(server.urlAs(name));
    const report = await apply(owner, planInstall(card.definition));
    if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
    await drizzle(server.sql()).transaction(async (tx) => {
      await fillInstitution(tx, card, "a");
      await fillInstitution(tx, card, "b");
    });
    const login = await server.role("app", { attributes: "NOINHERIT" });
    for (const role of roles) await server.sql().unsafe(`GRANT ${ident(role)} TO ${ident(login)}`);
    app = drizzle(server.connect(server.urlAs(login)));
  });
  afterAll(async () => {
    for (const role of [...roles, card.access.readerRole, card.access.migratorRole]) {
      const [left] = await server.sql()`select from pg_catalog.pg_roles where rolname = ${role}`;
      if (left !== undefined)
        await server.sql().unsafe(`DROP OWNED BY ${ident(role)} CASCADE; DROP ROLE ${ident(role)}`);
    }
  });

  type Persona = "student" | "teacher" | "parent" | "admin";
  const contextOf = (persona: Persona) => ({
    access: card.access,
    persona,
    tenant: idOf("a", "institution"),
    user: idOf("a", persona),
  });

  it("are verified without a finding", async () => {
    expect(await verify(server.sql(), card.definition)).toEqual([]);
  });

  it("log what a persona writes, though row security binds the owner too", async () => {
    await withTenant(app, contextOf("teacher"), (db) =>
      db
        .update(card.hpcEvaluations)
        .set({ comments: "seen" })
        .where(eq(card.hpcEvaluations.id, idOf("a", "evaluation"))),
    );
    const log = await withTenant(app, contextOf("admin"), (db) =>
      db
        .select({ actor: card.auditLogs.actorId, context: card.auditLogs.hpcContext })
        .from(card.auditLogs)
        .where(eq(card.auditLogs.action, "update")),
    );
    expect(log).toMatchObject([
      { actor: idOf("a", "teacher"), context: { role: `${prefix}_teacher` } },
    ]);
    const [byOwner] = await owner.unsafe(`SELECT count(*) FROM ${ident(schema)}.audit_logs`);
    expect(byOwner).toEqual({ count: "0" });
  });

  it("refresh their summary by its function, and show it through its guard", async () => {
    await owner.unsafe(`SELECT ${ident(schema)}.refresh_mv_hpc_student_summary()`);
    const seen = await Promise.all(
      (["student", "teacher", "parent", "admin"] as const).map((persona) =>
        withTenant(app, contextOf(persona), (db) => db.$count(card.hpcStudentSummary)),
      ),
    );
    expect(seen).toEqual([1, 2, 1, 3]);
  });

  it("check weights when a persona commits", async () => {
    const change = (weights: Readonly<Record<"teacher" | "self", string>>) =>
      withTenant(app, contextOf("admin"), async (db) => {
        for (const stakeholder of ["teacher", "self"] as const)
          await db
            .update(card.hpcParameterAssignments)
            .set({ weight: weights[stakeholder] })
            .where(eq(card.hpcParameterAssignments.stakeholder, stakeholder));
      });
    await change({ teacher: "0.6", self: "0.1" });
    await expect(change({ teacher: "0.6", self: "0.2" })).rejects.toMatchObject({
      constraint_name: "hpc_parameter_assignments_weights_sum",
    });
    await change({ teacher: "0.5", self: "0.2" });
  });

  it("let no two transactions make weights wrong together that are right alone", async () => {
    // From no weight at all each adds a whole one.
    const admin = drizzle(server.sql());
    const stage = "secondary" as const;
    const whole = { ...assignmentOf("a"), stage, weight: "1" };
    const checked = gate();
    const second = checked.opened.then(() =>
      refusal(admin, (db) =>
        db.insert(card.hpcParameterAssignments).values({ ...whole, stakeholder: "self" }),
      ),
    );
    const first = refusal(admin, async (db) => {
      await db.insert(card.hpcParameterAssignments).values({ ...whole, stakeholder: "teacher" });
      await db.execute(sql`set constraints all immediate`);
      checked.open();
      // The other waits for the lock on the parameter.
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect(await Promise.all([first, second])).toEqual([
      null,
      "23514 hpc_parameter_assignments_weights_sum",
    ]);
    await admin
      .delete(card.hpcParameterAssignments)
      .where(eq(card.hpcParameterAssignments.stage, stage));
  });

  it("let no student leave while another transaction makes them a child", async () => {
    const admin = drizzle(server.sql());
    const named = gate();
    const leaving = named.opened.then(() =>
      refusal(admin, (db) =>
        db
          .update(card.userProfiles)
          .set({ role: "teacher", stage: null })
          .where(eq(card.userProfiles.id, idOf("b", "stranger"))),
      ),
    );
    const naming = refusal(admin, async (db) => {
      await db
        .update(card.userProfiles)
        .set({ parentOf: [idOf("b", "student"), idOf("b", "stranger")] })
        .where(eq(card.userProfiles.id, idOf("b", "parent")));
      named.open();
      // The other waits for the lock on the student.
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect(await Promise.all([naming, leaving])).toEqual([null, "23503 user_profiles_is_a_child"]);
  });

  it("serve ten thousand students: by the index of policies, and the summary in a few milliseconds", async () => {
    const su = server.sql();
    const [institution, cycle, parameter, rubric, teacher] = (
      ["institution", "cycle", "parameter", "rubric", "teacher"] as const
    ).map((kind) => literal(idOf("a", kind)));
    const space = ident(schema);
    // The triggers are tested elsewhere.
    await su.begin((tx) =>
      tx.unsafe(`SET LOCAL session_replication_role = replica;
      INSERT INTO ${space}.user_profiles (institution_id, id, full_name, role, stage)
      SELECT ${institution}, md5('s' || n)::uuid, 'student ' || n, 'student', 'middle' FROM generate_series(1, 10000) n;
      INSERT INTO ${space}.hpc_evaluations (institution_id, cycle_id, student_id, stage, parameter_id, rubric_id, evaluator_id, stakeholder, score, scale_min, scale_max)
      SELECT ${institution}, ${cycle}, md5('s' || n)::uuid, 'middle', ${parameter}, ${rubric}, ${teacher}, 'teacher', 1 + n % 5, 1, 5
      FROM generate_series(1, 10000) n`),
    );
    await su.unsafe(`ANALYZE ${space}.user_profiles, ${space}.hpc_evaluations`);
    await owner.unsafe(`SELECT ${space}.refresh_mv_hpc_student_summary()`);
    await su.unsafe(`ANALYZE ${space}.mv_hpc_student_summary`);
    const explain = (persona: Persona, query: string) =>
      withTenant(app, contextOf(persona), async (db) => {
        const rows = await db.execute<{ "QUERY PLAN": string }>(
          sql.raw(`EXPLAIN (ANALYZE, BUFFERS OFF, SUMMARY ON) ${query}`),
        );
        return rows.map((row) => row["QUERY PLAN"]).join("\n");
      });
    for (const persona of ["student", "teacher", "parent"] as const) {
      const plan = await explain(persona, `SELECT * FROM ${space}.hpc_evaluations`);
      expect(plan, persona).toMatch(/Index Cond: .*institution_id = .*student_id = /s);
      expect(plan, persona).not.toMatch(/SubPlan|Seq Scan on hpc_evaluations/);
    }
    const students = await explain(
      "admin",
      `SELECT * FROM ${space}.user_profiles WHERE role = 'student' AND id = ${literal(idOf("a", "student"))}`,
    );
    expect(students).toMatch(/Index (?:Only )?Scan/);
    for (const persona of ["student", "teacher", "parent", "admin"] as const) {
      const plan = await explain(persona, `SELECT * FROM ${space}.hpc_student_summary`);
      expect(Number(/Execution Time: ([\d.]+)/.exec(plan)?.[1]), plan).toBeLessThan(100);
      // Three branches of four are never run.
      expect(plan.match(/never executed/g)?.length, plan).toBeGreaterThanOrEqual(3);
    }
    const one = await explain("student", `SELECT * FROM ${space}.hpc_student_summary`);
    expect(one).toMatch(/Index Cond: .*institution_id = .*student_id = /s);
  });

  it("refuse an evaluation in another's name on every version alike", async () => {
    const sent = withTenant(app, contextOf("parent"), (db) =>
      refusal(db, (tx) =>
        tx.insert(card.hpcEvaluations).values({
          ...evaluationOf("a"),
          stakeholder: "parent",
          evaluatorId: idOf("a", "admin"),
        }),
      ),
    );
    expect(await sent).toBe("23503 hpc_evaluations_evaluator_fk");
  });

  it("are taken away by the same login", async () => {
    const report = await apply(owner, planUninstall(card.definition));
    expect([report.outcome, report.failure]).toEqual(["applied", undefined]);
  });
});

/** Something to wait for. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
