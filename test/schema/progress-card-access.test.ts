// Long because: one database, which takes seconds to fill, serves all of it.
import { and, count, eq, is, sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import * as card from "../../src/schema/progress-card/index.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import {
  become,
  evaluationOf,
  evidenceOf,
  fillInstitution,
  idOf,
  refusal,
  type Db,
} from "./progress-card-world.ts";

type Persona = "student" | "teacher" | "parent" | "admin";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({
    setup: async (db, client) => {
      await apply(client, planInstall(card.definition));
      await db.transaction(async (tx) => {
        await fillInstitution(tx, card, "a");
        await fillInstitution(tx, card, "b");
      });
      await client.exec("REFRESH MATERIALIZED VIEW progress_card.mv_hpc_student_summary");
    },
  });
});
afterAll(() => database.close());

/** Runs as a persona of institution a, and takes it back. */
function as<T>(
  persona: Persona,
  work: (db: Db) => Promise<T>,
  user = idOf("a", persona),
  tenant = idOf("a", "institution"),
): Promise<T> {
  return database.rolledBack(async (db) => {
    await become(db, card, persona, tenant, user);
    return work(db);
  });
}

const allTables = Object.values(card.definition.tables).filter((entity) => is(entity, PgTable));

describe("what each persona of an institution reads", () => {
  it.each([
    ["student", 1, 2, 1, 1],
    ["teacher", 3, 3, 1, 1],
    ["parent", 2, 3, 1, 1],
    ["admin", 7, 4, 2, 2],
  ] as const)(
    "%s: profiles, evaluations, reports, evidence",
    async (persona, profiles, evaluations, reports, evidence) => {
      // A student reads what others say of them, and so do their teacher and parent.
      const expected = [profiles, persona === "student" ? 3 : evaluations, reports, evidence];
      const counts = await as(persona, async (db) => [
        await db.$count(card.userProfiles),
        await db.$count(card.hpcEvaluations),
        await db.$count(card.hpcReports),
        await db.$count(card.hpcEvidenceFiles),
      ]);
      expect(counts).toEqual(expected);
    },
  );

  it("is never a row of another institution, in any table", async () => {
    for (const persona of ["student", "teacher", "parent", "admin"] as const)
      for (const table of allTables) {
        const { name, columns } = getTableConfig(table);
        const tenant = columns.find((each) => each.name === "institution_id") ?? columns[0];
        if (tenant === undefined) throw new Error(`${name} has no column`);
        const foreign = await as(persona, async (db) => {
          if (name === "audit_logs" && persona !== "admin") return 0;
          const [row] = await db
            .select({ n: count() })
            .from(table)
            .where(eq(tenant, idOf("b", "institution")));
          return row?.n;
        });
        expect(foreign, `${persona} in ${name}`).toBe(0);
      }
    const [there] = await database.db
      .select({ n: count() })
      .from(card.hpcEvaluations)
      .where(eq(card.hpcEvaluations.institutionId, idOf("b", "institution")));
    expect(there?.n).toBe(4);
  });

  it("is nothing without a context", async () => {
    const answer = await database.rolledBack(async (db) => {
      await db.execute(sql`set local role progress_card_admin`);
      return refusal(db, (tx) => tx.select().from(card.hpcEvaluations));
    });
    // A setting that was ever set in a session is empty ever after.
    expect(answer).toMatch(/^42501 rls_context_(?:missing|empty)$/);
  });

  it("is nothing of this institution for a user of another", async () => {
    const rows = await as(
      "student",
      async (db) => db.$count(card.hpcEvaluations),
      idOf("b", "student"),
    );
    expect(rows).toBe(0);
  });
});

describe("a child in parent_of", () => {
  /** Puts a foreign child among the parent's, past the trigger that would refuse it. */
  const smuggle = async (db: Db) => {
    await db.execute(sql`set local session_replication_role = replica`);
    await db
      .update(card.userProfiles)
      .set({ parentOf: [idOf("a", "student"), idOf("b", "student")] })
      .where(
        and(
          eq(card.userProfiles.institutionId, idOf("a", "institution")),
          eq(card.userProfiles.id, idOf("a", "parent")),
        ),
      );
    await db.execute(sql`set local session_replication_role = origin`);
  };

  it("of another institution is refused by name", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, (tx) =>
        tx
          .update(card.userProfiles)
          .set({ parentOf: [idOf("b", "student")] })
          .where(eq(card.userProfiles.id, idOf("a", "parent"))),
      ),
    );
    expect(answer).toBe("23503 user_profiles_parent_of_students");
  });

  it("that is nobody is refused with the same words", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, (tx) =>
        tx
          .update(card.userProfiles)
          .set({ parentOf: ["00000000-0000-4000-8000-000000000000"] })
          .where(eq(card.userProfiles.id, idOf("a", "parent"))),
      ),
    );
    expect(answer).toBe("23503 user_profiles_parent_of_students");
  });

  it("of another institution, smuggled in, opens nothing", async () => {
    const [own, foreign] = await database.rolledBack(async (db) => {
      await smuggle(db);
      await become(db, card, "parent", idOf("a", "institution"), idOf("a", "parent"));
      return [
        await db.$count(card.hpcEvaluations),
        await db.$count(
          card.hpcEvaluations,
          eq(card.hpcEvaluations.institutionId, idOf("b", "institution")),
        ),
      ];
    });
    expect([own, foreign]).toEqual([3, 0]);
  });

  it("of another institution, smuggled in, is held back by the floor even where the lookup yields it", async () => {
    const foreign = await database.rolledBack(async (db) => {
      await smuggle(db);
      await db.execute(sql`
        create or replace function progress_card.children_ids() returns uuid[] language sql stable
        security definer set search_path to ''
        as $$ select parent_of from progress_card.user_profiles where role = 'parent' and id = progress_card.current_user_id() $$`);
      await become(db, card, "parent", idOf("a", "institution"), idOf("a", "parent"));
      return db.$count(
        card.hpcEvaluations,
        eq(card.hpcEvaluations.studentId, idOf("b", "student")),
      );
    });
    expect(foreign).toBe(0);
  });

  it("cannot leave while a parent names it", async () => {
    const answers = await as("admin", async (db) => [
      await refusal(db, (tx) =>
        tx
          .update(card.userProfiles)
          .set({ role: "teacher", stage: null })
          .where(eq(card.userProfiles.id, idOf("a", "student"))),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.userProfiles).values({
          institutionId: idOf("a", "institution"),
          fullName: "two",
          role: "student",
          parentOf: [idOf("a", "student")],
        }),
      ),
    ]);
    expect(answers).toEqual([
      "23503 user_profiles_is_a_child",
      "23514 user_profiles_only_parents_have_children",
    ]);
  });
});

describe("a row that points into another institution", () => {
  it("is refused, and answered as one that points nowhere", async () => {
    const nowhere = "00000000-0000-4000-8000-000000000000";
    const answers = await as("admin", async (db) => {
      const found: (string | null)[] = [];
      for (const studentId of [idOf("b", "student"), nowhere])
        found.push(
          await refusal(db, (tx) =>
            tx.insert(card.hpcReflections).values({
              institutionId: idOf("a", "institution"),
              cycleId: idOf("a", "cycle"),
              studentId,
              reflection: "mine",
            }),
          ),
        );
      return found;
    });
    expect(answers).toEqual([
      "23503 hpc_reflections_student_fk",
      "23503 hpc_reflections_student_fk",
    ]);
  });

  it("is refused for whoever is above row security too, where the document's key lets it in", async () => {
    const [ours, theirs] = await database.rolledBack(async (db) => {
      await db.execute(sql`
        create table progress_card.naive (institution_id uuid not null references progress_card.institutions (id),
          student_id uuid not null, created_by uuid)`);
      await db.execute(sql`create unique index naive_target on progress_card.user_profiles (id)`);
      await db.execute(
        sql`alter table progress_card.naive add foreign key (student_id) references progress_card.user_profiles (id)`,
      );
      return [
        await refusal(db, (tx) =>
          tx.insert(card.hpcAchievements).values({
            institutionId: idOf("a", "institution"),
            studentId: idOf("b", "student"),
            category: "arts",
            title: "x",
            achievedOn: "2025-09-10",
          }),
        ),
        await refusal(db, (tx) =>
          tx.execute(
            sql`insert into progress_card.naive values (${idOf("a", "institution")}, ${idOf("b", "student")})`,
          ),
        ),
      ];
    });
    expect([ours, theirs]).toEqual(["23503 hpc_achievements_student_fk", null]);
  });
});

describe("what each persona writes", () => {
  it("a student: their own reflections and nobody else's", async () => {
    const reflection = (studentId: string) => ({
      institutionId: idOf("a", "institution"),
      cycleId: idOf("a", "cycle"),
      studentId,
      reflection: "I asked more.",
    });
    const answers = await as("student", async (db) => [
      await refusal(db, (tx) =>
        tx.insert(card.hpcReflections).values(reflection(idOf("a", "student"))),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcReflections).values(reflection(idOf("a", "classmate"))),
      ),
    ]);
    expect(answers).toEqual([null, "42501"]);
  });

  it("a student: themselves and classmates as peers, never a stranger, never in another's name", async () => {
    const student = idOf("a", "student");
    const peer = {
      ...evaluationOf("a"),
      evaluatorId: student,
      stakeholder: "peer" as const,
      score: "4",
    };
    const answers = await as("student", async (db) => [
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvaluations).values({ ...peer, studentId: idOf("a", "classmate") }),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvaluations).values({ ...peer, studentId: idOf("a", "stranger") }),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvaluations).values({
          ...peer,
          studentId: student,
          evaluatorId: idOf("a", "teacher"),
          stakeholder: "teacher",
        }),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvaluations).values({
          ...peer,
          studentId: idOf("a", "classmate"),
          stakeholder: "teacher",
        }),
      ),
    ]);
    expect(answers).toEqual([
      null,
      "42501",
      "23503 hpc_evaluations_evaluator_fk",
      "23514 hpc_evaluations_stakeholder_role",
    ]);
  });

  it("nobody: the student, side or cycle of an evaluation that is there, with WHERE or without", async () => {
    const stranger = idOf("a", "stranger");
    const evaluations = sql`progress_card.hpc_evaluations`;
    const moves = [
      // Without a column that is read PostgreSQL asks no policy of SELECT about the new row.
      sql`update ${evaluations} set student_id = ${stranger}, score = 1`,
      sql`update ${evaluations} set student_id = ${stranger}, stakeholder = 'peer'`,
      sql`update ${evaluations} set parameter_id = gen_random_uuid()`,
    ];
    for (const persona of ["teacher", "student", "parent", "admin"] as const) {
      const answers = await as(persona, async (db) => {
        const all = [];
        for (const move of moves) all.push(await refusal(db, (tx) => tx.execute(move)));
        return all;
      });
      expect(answers, persona).toEqual(moves.map(() => "42501 hpc_evaluations_identity"));
    }
    // What it says may change, also without WHERE.
    const free = await as("teacher", (db) =>
      refusal(db, (tx) => tx.execute(sql`update ${evaluations} set comments = 'seen'`)),
    );
    expect(free).toBeNull();
  });

  it("a teacher: evaluations of the assigned, and changes none of another's", async () => {
    const [assigned, notAssigned, changed] = await as(
      "teacher",
      async (db) =>
        [
          await refusal(db, (tx) =>
            tx
              .insert(card.hpcEvaluations)
              .values({ ...evaluationOf("a"), studentId: idOf("a", "classmate"), score: "3" }),
          ),
          await refusal(db, (tx) =>
            tx
              .insert(card.hpcEvaluations)
              .values({ ...evaluationOf("a"), studentId: idOf("a", "stranger"), score: "3" }),
          ),
          (
            await db
              .update(card.hpcEvaluations)
              .set({ score: "1" })
              .where(eq(card.hpcEvaluations.institutionId, idOf("a", "institution")))
              .returning({ id: card.hpcEvaluations.id })
          ).map(({ id }) => id),
        ] as const,
    );
    expect([assigned, notAssigned]).toEqual([null, "42501"]);
    expect(changed).toContain(idOf("a", "evaluation"));
    expect(changed).not.toContain(idOf("a", "parentEvaluation"));
  });

  it("nobody but an administrator: roles and children", async () => {
    for (const persona of ["student", "teacher", "parent"] as const) {
      const answer = await as(persona, (db) =>
        refusal(db, (tx) => tx.update(card.userProfiles).set({ role: "admin" })),
      );
      expect(answer).toBe("42501");
    }
  });

  it("nobody: evidence into a bucket that is not private, or under another's path", async () => {
    const answers = await as("student", async (db) => [
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvidenceFiles).values({ ...evidenceOf("a"), bucket: "public-assets" }),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvidenceFiles).values({
          ...evidenceOf("a"),
          objectPath: `${idOf("b", "institution")}/${idOf("a", "student")}/x.png`,
        }),
      ),
      await refusal(db, (tx) =>
        tx.insert(card.hpcEvidenceFiles).values({
          ...evidenceOf("a"),
          objectPath: `${idOf("a", "institution")}/${idOf("a", "student")}/../../x.png`,
        }),
      ),
    ]);
    expect(answers).toEqual([
      "23514 hpc_evidence_files_bucket_private",
      "23514 hpc_evidence_files_path_prefix",
      "23514 hpc_evidence_files_path_form",
    ]);
  });
});

describe("the summary of students", () => {
  it("shows each persona the students whom it may see", async () => {
    const seen = async (persona: Persona) => as(persona, (db) => db.$count(card.hpcStudentSummary));
    expect([
      await seen("student"),
      await seen("teacher"),
      await seen("parent"),
      await seen("admin"),
    ]).toEqual([1, 2, 1, 3]);
  });

  it("holds the figures of all students, though row security is forced", async () => {
    const [row] = await as("student", (db) => db.select().from(card.hpcStudentSummary));
    expect(row).toMatchObject({
      studentId: idOf("a", "student"),
      totalEvaluations: 3,
      submittedEvaluations: 2,
      averageScore: "4.00",
      averageNormalizedScore: "75.00",
    });
  });

  it("cannot be read past its guard", async () => {
    const answer = await as("admin", (db) =>
      refusal(db, (tx) => tx.select().from(card.mvHpcStudentSummary)),
    );
    expect(answer).toBe("42501");
  });

  it("is refreshed without holding readers up, which the document's view cannot be", async () => {
    await database.client.query(
      "REFRESH MATERIALIZED VIEW CONCURRENTLY progress_card.mv_hpc_student_summary",
    );
    await database.client.exec("CREATE MATERIALIZED VIEW naive AS SELECT 1 AS student_id");
    await expect(
      database.client.query("REFRESH MATERIALIZED VIEW CONCURRENTLY naive"),
    ).rejects.toMatchObject({ code: "55000" });
    await database.client.exec("DROP MATERIALIZED VIEW naive");
  });

  it("weighs the stakeholders, and lets the present ones stand for those that are missing", async () => {
    const rows = await as("teacher", (db) => db.select().from(card.hpcWeightedScores));
    // Teacher 75 at 0.5 and self 100 at 0.2: (37.5 + 20) / 0.7.
    expect(rows).toMatchObject([{ weightedScore: "82.14", weightPresent: "0.7000" }]);
  });
});
