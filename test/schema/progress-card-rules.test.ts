// Long because: one database, which takes seconds to fill, serves all of it.
import { and, asc, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import * as card from "../../src/schema/progress-card/index.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import {
  assignmentOf,
  become,
  evaluationOf,
  evidenceOf,
  fillInstitution,
  idOf,
  refusal,
  type Db,
} from "./progress-card-world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({
    setup: async (db, client) => {
      await apply(client, planInstall(card.definition));
      await db.transaction((tx) => fillInstitution(tx, card, "a"));
    },
  });
});
afterAll(() => database.close());

type Persona = "student" | "teacher" | "parent" | "admin";

function as<T>(persona: Persona, work: (db: Db) => Promise<T>): Promise<T> {
  return database.rolledBack(async (db) => {
    await become(db, card, persona, idOf("a", "institution"), idOf("a", persona));
    return work(db);
  });
}

const isThe = (evaluation: "evaluation" | "selfEvaluation") =>
  and(
    eq(card.hpcEvaluations.institutionId, idOf("a", "institution")),
    eq(card.hpcEvaluations.id, idOf("a", evaluation)),
  );

describe("normalized_score", () => {
  it("is where the score lies on the scale of its rubric", async () => {
    const rows = await database.db
      .select({
        score: card.hpcEvaluations.score,
        normalized: card.hpcEvaluations.normalizedScore,
        max: card.hpcEvaluations.scaleMax,
      })
      .from(card.hpcEvaluations)
      .orderBy(asc(card.hpcEvaluations.score));
    expect(rows).toEqual([
      { score: "2.00", normalized: "25.00", max: "5.00" },
      { score: "3.00", normalized: "50.00", max: "5.00" },
      { score: "4.00", normalized: "75.00", max: "5.00" },
      { score: "5.00", normalized: "100.00", max: "5.00" },
    ]);
  });

  it("follows the score, and takes no value and no scale from the writer", async () => {
    const after = await database.rolledBack(async (db) => {
      await db
        .update(card.hpcEvaluations)
        .set({ score: "2.5", scaleMin: "0", scaleMax: "3" })
        .where(isThe("evaluation"));
      const [row] = await db
        .select({ n: card.hpcEvaluations.normalizedScore })
        .from(card.hpcEvaluations)
        .where(isThe("evaluation"));
      const forged = await refusal(db, (tx) =>
        tx.execute(sql`update progress_card.hpc_evaluations set normalized_score = 100`),
      );
      return [row?.n, forged];
    });
    expect(after).toEqual(["37.50", "428C9"]);
  });

  it("refuses a score outside of the scale, and a submission without one", async () => {
    const answers = await database.rolledBack(async (db) => [
      await refusal(db, (tx) =>
        tx.update(card.hpcEvaluations).set({ score: "5.01" }).where(isThe("evaluation")),
      ),
      await refusal(db, (tx) =>
        tx.update(card.hpcEvaluations).set({ score: "9999.99" }).where(isThe("evaluation")),
      ),
      await refusal(db, (tx) =>
        tx.update(card.hpcEvaluations).set({ score: null }).where(isThe("evaluation")),
      ),
    ]);
    expect(answers).toEqual([
      "23514 hpc_evaluations_score_in_scale",
      "23514 hpc_evaluations_score_in_scale",
      "23514 hpc_evaluations_submitted_is_scored",
    ]);
  });

  it("keeps its scale: that of a rubric in use cannot change", async () => {
    const answers = await as("admin", async (db) => [
      await refusal(db, (tx) => tx.update(card.hpcRubrics).set({ scaleMax: "10" })),
      await refusal(db, (tx) => tx.update(card.hpcRubrics).set({ name: "Inquiry, revised" })),
    ]);
    expect(answers).toEqual(["23503 hpc_evaluations_rubric_fk", null]);
  });

  it("cannot be a generated column over another table, as which it would look simplest", async () => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) =>
        tx.execute(
          sql`alter table progress_card.hpc_evaluations add column naive numeric generated always as (score / (select max(scale_max) from progress_card.hpc_rubrics)) stored`,
        ),
      ),
    );
    expect(answer).toBe("0A000");
  });
});

describe("the form of a rubric's levels", () => {
  it.each([
    ["an object", `{"name": "a", "descriptor": "b", "from": 1}`],
    ["no level", `[]`],
    ["a level without a key", `[{"name": "a", "from": 1}]`],
    ["a number as text", `[{"name": "a", "descriptor": "b", "from": "1"}]`],
    ["an array in an array", `[[{"name": "a", "descriptor": "b", "from": 1}]]`],
    ["one wrong among right ones", `[{"name": "a", "descriptor": "b", "from": 1}, null]`],
  ])("is not %s", async (_, levels) => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) =>
        tx.execute(sql`update progress_card.hpc_rubrics set levels = ${levels}::text::jsonb`),
      ),
    );
    expect(answer).toBe("23514 hpc_rubrics_levels_form");
  });
});

describe("the weights of a parameter", () => {
  const set = (db: Db, stakeholder: "teacher" | "self", weight: string) =>
    db
      .update(card.hpcParameterAssignments)
      .set({ weight })
      .where(eq(card.hpcParameterAssignments.stakeholder, stakeholder));
  const check = (db: Db) => db.execute(sql`set constraints all immediate`);

  it("may change in one transaction while their sum stays one", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, async (tx) => {
        await set(tx, "teacher", "0.6");
        await set(tx, "self", "0.1");
        await check(tx);
      }),
    );
    expect(answer).toBeNull();
  });

  it.each(["update", "insert", "delete"] as const)(
    "are refused when a transaction ends with another sum after %s",
    async (change) => {
      const answer = await as("admin", (db) =>
        refusal(db, async (tx) => {
          if (change === "update") await set(tx, "teacher", "0.6");
          if (change === "insert")
            await tx.insert(card.hpcParameterAssignments).values({
              ...assignmentOf("a"),
              stage: "secondary",
              stakeholder: "self",
              weight: "0.4",
            });
          if (change === "delete")
            await tx
              .delete(card.hpcParameterAssignments)
              .where(eq(card.hpcParameterAssignments.stakeholder, "self"));
          await check(tx);
        }),
      );
      expect(answer).toBe("23514 hpc_parameter_assignments_weights_sum");
    },
  );

  it("may all go", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, async (tx) => {
        await tx.delete(card.hpcParameterAssignments);
        await check(tx);
      }),
    );
    expect(answer).toBeNull();
  });

  it("are refused at COMMIT, which a check of single rows could not do", async () => {
    const sent = database.db.transaction(async (tx) => {
      await set(tx, "teacher", "0.9");
    });
    await expect(sent).rejects.toMatchObject({
      constraint: "hpc_parameter_assignments_weights_sum",
    });
  });
});

describe("an approval", () => {
  type Status = card.ApprovalStatus;
  const statuses = Object.keys(card.legalTransitions) as Status[];
  const isIt = eq(card.hpcApprovalWorkflows.id, idOf("a", "workflow"));
  const go = (db: Db, status: Status) =>
    db.update(card.hpcApprovalWorkflows).set({ status }).where(isIt);

  /** The shortest legal way to a status. */
  const wayTo = (target: Status): Status[] => {
    const ways: Status[][] = [["draft"]];
    for (const way of ways) {
      const last = way.at(-1) ?? "draft";
      if (last === target) return way.slice(1);
      for (const next of card.legalTransitions[last])
        if (!way.includes(next)) ways.push([...way, next]);
    }
    throw new Error(`no way to ${target}`);
  };

  it.each(statuses)(
    "goes on from %s as legalTransitions says, and in no other way",
    async (from) => {
      const answers = await as("admin", async (db) => {
        for (const status of wayTo(from)) await go(db, status);
        const found: (string | null)[] = [];
        for (const to of statuses.filter((status) => status !== from))
          found.push(
            await refusal(db, async (tx) => {
              await go(tx, to);
              throw Object.assign(new Error("taken back"), { code: "fine" });
            }),
          );
        return found;
      });
      expect(answers).toEqual(
        statuses
          .filter((status) => status !== from)
          .map((to) =>
            card.legalTransitions[from].includes(to)
              ? "fine"
              : "23514 hpc_approval_workflows_legal_transition",
          ),
      );
    },
  );

  it("begins as draft", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, async (tx) => {
        await tx.delete(card.hpcApprovalWorkflows);
        await tx.insert(card.hpcApprovalWorkflows).values({
          institutionId: idOf("a", "institution"),
          studentId: idOf("a", "student"),
          reportId: idOf("a", "report"),
          status: "approved",
        });
      }),
    );
    expect(answer).toBe("23514 hpc_approval_workflows_legal_transition");
  });

  it("is submitted by a teacher and reviewed by an administrator", async () => {
    const [submitted, reviewed] = await as("teacher", async (db) => [
      await refusal(db, (tx) => go(tx, "submitted")),
      await refusal(db, async (tx) => {
        await go(tx, "submitted");
        await go(tx, "under_review");
      }),
    ]);
    // The first savepoint was kept: from submitted to submitted is no transition.
    expect([submitted, reviewed]).toEqual([null, "42501 hpc_approval_workflows_reviewer"]);
  });

  it("takes its steps one by one, and is approved at the last", async () => {
    const step = (db: Db, currentStep: number) =>
      db.update(card.hpcApprovalWorkflows).set({ currentStep }).where(isIt);
    const answers = await as("admin", async (db) => {
      await db.update(card.hpcApprovalWorkflows).set({ totalSteps: 3 }).where(isIt);
      await go(db, "submitted");
      const early = await refusal(db, (tx) => step(tx, 2));
      await go(db, "under_review");
      const leap = await refusal(db, (tx) => step(tx, 3));
      const soon = await refusal(db, (tx) => go(tx, "approved"));
      await step(db, 2);
      await step(db, 3);
      return [early, leap, soon, await refusal(db, (tx) => go(tx, "approved"))];
    });
    expect(answers).toEqual([
      "23514 hpc_approval_workflows_step_order",
      "23514 hpc_approval_workflows_step_order",
      "23514 hpc_approval_workflows_approved_at_last_step",
      null,
    ]);
  });

  it("keeps the report as it was published", async () => {
    const answers = await as("admin", async (db) => {
      const change = (tx: Db) =>
        tx
          .update(card.hpcReports)
          .set({ teacherRemarks: "better" })
          .where(eq(card.hpcReports.id, idOf("a", "report")));
      const before = await refusal(db, change);
      for (const status of wayTo("published")) await go(db, status);
      return [before, await refusal(db, change)];
    });
    expect(answers).toEqual([null, "23514 hpc_reports_published"]);
  });
});

describe("the log", () => {
  const entries = (db: Db, table: string) =>
    db.select().from(card.auditLogs).where(eq(card.auditLogs.tableName, table));

  it("has an entry for every row that was written to an hpc_ table", async () => {
    const found = await database.db.execute<{ name: string; n: number }>(sql`
      select table_name as name, count(*)::int as n from progress_card.audit_logs
      where hpc_context is not null group by 1 order by 1`);
    expect(Object.fromEntries(found.rows.map(({ name, n }) => [name, n]))).toEqual({
      hpc_achievements: 2,
      hpc_analytics: 3,
      hpc_approval_workflows: 2,
      hpc_evaluation_cycles: 1,
      hpc_evaluations: 4,
      hpc_evidence_files: 2,
      hpc_parameter_assignments: 4,
      hpc_parameters: 1,
      hpc_reflections: 2,
      hpc_reports: 2,
      hpc_rubrics: 1,
    });
  });

  it("says under row security who changed what, before and after, and why", async () => {
    const [changed] = await database.rolledBack(async (db) => {
      await become(db, card, "teacher", idOf("a", "institution"), idOf("a", "teacher"));
      await db.execute(sql`select set_config(${card.AUDIT_REASON_SETTING}, 'second look', true)`);
      await db.update(card.hpcEvaluations).set({ score: "3" }).where(isThe("evaluation"));
      await db.execute(sql`reset role`);
      return (await entries(db, "hpc_evaluations")).filter(({ action }) => action === "update");
    });
    expect(changed).toMatchObject({
      actorId: idOf("a", "teacher"),
      recordId: idOf("a", "evaluation"),
      oldValues: { score: 4 },
      newValues: { score: 3, normalized_score: 50, updated_by: idOf("a", "teacher") },
      hpcContext: {
        role: "progress_card_teacher",
        student_id: idOf("a", "student"),
        stakeholder: "teacher",
        status: "submitted",
        reason: "second look",
      },
    });
  });

  it("says what was deleted, and from which status a report came", async () => {
    const [deleted, moved] = await as("admin", async (db) => {
      await db.delete(card.hpcAchievements);
      await db.update(card.hpcApprovalWorkflows).set({ status: "submitted" });
      const gone = (await entries(db, "hpc_achievements")).filter((e) => e.action === "delete");
      const went = (await entries(db, "hpc_approval_workflows")).filter(
        (e) => e.action === "update",
      );
      return [gone, went];
    });
    expect(deleted).toHaveLength(2);
    expect(deleted?.[0]).toMatchObject({ newValues: null, oldValues: { title: "First prize" } });
    expect(moved?.[0]?.hpcContext).toMatchObject({ status_before: "draft", status: "submitted" });
  });

  const forged = (actor: "teacher" | "student") => ({
    institutionId: idOf("a", "institution"),
    actorId: idOf("a", actor),
    action: "export.forged",
    hpcContext: { role: "progress_card_admin" },
    createdAt: new Date("2020-01-01"),
  });

  it("is written to by no persona, neither by hand nor from a trigger of their own", async () => {
    for (const persona of ["student", "teacher", "parent", "admin"] as const) {
      const answers = await as(persona, async (db) => {
        const byHand = await refusal(db, (tx) =>
          tx.insert(card.auditLogs).values(forged("teacher")),
        );
        // Everybody may make a temporary table with a trigger: there the depth is above one, too.
        await db.execute(sql`
          create function pg_temp.forge() returns trigger language plpgsql as $$ begin
            insert into progress_card.audit_logs (institution_id, action, table_name, hpc_context)
            values (new.institution_id, 'delete', 'hpc_reports', '{"role": "forged"}');
            return null;
          end $$`);
        await db.execute(sql`create temp table mine (institution_id uuid)`);
        await db.execute(
          sql`create trigger forge after insert on mine for each row execute function pg_temp.forge()`,
        );
        const byTrigger = await refusal(db, (tx) =>
          tx.execute(sql`insert into mine values (${idOf("a", "institution")})`),
        );
        const borrowed = await refusal(db, (tx) =>
          tx.execute(
            sql`create trigger borrow after insert on mine for each row execute function progress_card.hpc_write_audit_log()`,
          ),
        );
        return [byHand, byTrigger, borrowed];
      });
      expect(answers, persona).toEqual(["42501", "42501", "42501"]);
    }
  });

  it("takes what the migrator adds under a context in its user's name, and not as if a trigger had made it", async () => {
    const [row] = await database.rolledBack(async (db) => {
      await become(db, card, "student", idOf("a", "institution"), idOf("a", "student"));
      await db.execute(sql`set local role underpin_migrator`);
      await db.insert(card.auditLogs).values(forged("teacher"));
      await db.execute(sql`reset role`);
      return db.select().from(card.auditLogs).where(eq(card.auditLogs.action, "export.forged"));
    });
    expect(row).toMatchObject({ actorId: idOf("a", "student"), hpcContext: null });
    expect(row?.createdAt.getFullYear()).toBeGreaterThan(2020);
  });

  it("is never changed, by personas nor by who owns it", async () => {
    const answers = await as("admin", async (db) => [
      await refusal(db, (tx) => tx.update(card.auditLogs).set({ action: "x" })),
      await refusal(db, (tx) => tx.delete(card.auditLogs)),
    ]);
    const owner = await database.rolledBack(async (db) => [
      await refusal(db, (tx) => tx.delete(card.auditLogs)),
      await refusal(db, (tx) => tx.execute(sql`truncate progress_card.audit_logs`)),
    ]);
    expect(answers).toEqual(["42501", "42501"]);
    expect(owner).toEqual(["42501 append_only", "42501 append_only"]);
  });

  it("misses no TRUNCATE: it is refused", async () => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) => tx.execute(sql`truncate progress_card.hpc_analytics`)),
    );
    expect(answer).toBe("42501 hpc_refuse_truncate");
  });
});

describe("who wrote a row", () => {
  it("is taken from the context, whatever the writer says", async () => {
    const row = await as("teacher", async (db) => {
      const [made] = await db
        .insert(card.hpcAchievements)
        .values({
          institutionId: idOf("a", "institution"),
          studentId: idOf("a", "student"),
          category: "sports",
          title: "Relay",
          achievedOn: "2025-09-12",
          createdBy: idOf("a", "admin"),
          createdAt: new Date("2020-01-01"),
        })
        .returning();
      return made;
    });
    expect(row).toMatchObject({
      createdBy: idOf("a", "teacher"),
      updatedBy: idOf("a", "teacher"),
    });
    expect(row?.createdAt.getFullYear()).toBeGreaterThan(2020);
  });

  it("stays, and updated_at moves on, in every table that has it", async () => {
    const row = await database.rolledBack(async (db) => {
      await db
        .update(card.userProfiles)
        .set({ updatedAt: new Date("2020-01-01") })
        .where(eq(card.userProfiles.id, idOf("a", "student")));
      const [found] = await db
        .select()
        .from(card.userProfiles)
        .where(eq(card.userProfiles.id, idOf("a", "student")));
      return found;
    });
    expect(row?.updatedAt.getFullYear()).toBeGreaterThan(2020);
  });
});

describe("evidence", () => {
  it("is shown only as the work of whose it is", async () => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) =>
        tx.insert(card.hpcEvidenceFiles).values({
          ...evidenceOf("a", idOf("a", "classmate")),
          evaluationId: idOf("a", "evaluation"),
        }),
      ),
    );
    expect(answer).toBe("23503 hpc_evidence_files_evaluation_fk");
  });

  it.each([
    ["sha256", { sha256: "ABC" }, "hpc_evidence_files_sha256_form"],
    ["size", { sizeBytes: card.MAX_EVIDENCE_BYTES + 1 }, "hpc_evidence_files_size_range"],
    ["type", { contentType: "text/html" as never }, "hpc_evidence_files_content_type_known"],
  ])("has a %s that is right", async (_, wrong, constraint) => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) =>
        tx
          .insert(card.hpcEvidenceFiles)
          .values({ ...evidenceOf("a", idOf("a", "classmate")), ...wrong }),
      ),
    );
    expect(answer).toBe(`23514 ${constraint}`);
  });
});

describe("one evaluation by the same person", () => {
  it("is there once", async () => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) => tx.insert(card.hpcEvaluations).values(evaluationOf("a"))),
    );
    expect(answer).toBe("23505 hpc_evaluations_once_key");
  });
});
