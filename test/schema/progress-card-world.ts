import { sql } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { ProofOptions } from "../../src/rls/prove-isolation.ts";
import type { progressCard } from "../../src/schema/progress-card/index.ts";

/** The domain, wherever it lies. */
export type Domain = ReturnType<typeof progressCard>;

/** Any Drizzle database or transaction. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, unknown>>;

/** Two institutions of one shape. */
export type Letter = "a" | "b";

const KINDS = {
  institution: 1,
  admin: 2,
  teacher: 3,
  otherTeacher: 4,
  student: 5,
  classmate: 6,
  stranger: 7,
  parent: 8,
  term: 9,
  course: 10,
  otherCourse: 11,
  parameter: 12,
  rubric: 13,
  cycle: 14,
  evaluation: 15,
  selfEvaluation: 16,
  parentEvaluation: 17,
  strangersEvaluation: 18,
  report: 19,
  strangersReport: 20,
  workflow: 21,
  strangersWorkflow: 22,
} as const;

/** Those of them that are people. */
export const PEOPLE = [
  "admin",
  "teacher",
  "otherTeacher",
  "student",
  "classmate",
  "stranger",
  "parent",
] as const;

/** The id of one thing of one institution. */
export function idOf(letter: Letter, kind: keyof typeof KINDS): string {
  return `${letter.repeat(8)}-0000-4000-8000-${String(KINDS[kind]).padStart(12, "0")}`;
}

/** Fills one institution: one teacher with two students, another with a third, a parent of the first student. */
export async function fillInstitution(db: Db, domain: Domain, letter: Letter): Promise<void> {
  const id = (kind: keyof typeof KINDS) => idOf(letter, kind);
  const institutionId = id("institution");
  const own = { institutionId };
  await db
    .insert(domain.institutions)
    .values({ id: institutionId, code: `SCHOOL-${letter}`, name: `School ${letter}` });
  const person = (
    kind: keyof typeof KINDS,
    role: "student" | "teacher" | "parent" | "admin",
    parentOf: string[] = [],
  ) => ({
    ...own,
    id: id(kind),
    fullName: kind,
    email: `${kind}@example.org`,
    role,
    parentOf,
    stage: role === "student" ? ("middle" as const) : null,
  });
  await db
    .insert(domain.userProfiles)
    .values([
      person("admin", "admin"),
      person("teacher", "teacher"),
      person("otherTeacher", "teacher"),
      person("student", "student"),
      person("classmate", "student"),
      person("stranger", "student"),
      person("parent", "parent", [id("student")]),
    ]);
  await db.insert(domain.academicTerms).values({
    ...own,
    id: id("term"),
    name: "2025-26",
    startsOn: "2025-04-01",
    endsOn: "2026-03-31",
    isCurrent: true,
  });
  const course = { ...own, termId: id("term"), title: "Science", stage: "middle" as const };
  await db.insert(domain.courses).values([
    { ...course, id: id("course"), code: "SCI-1" },
    { ...course, id: id("otherCourse"), code: "SCI-2" },
  ]);
  await db.insert(domain.courseTeachers).values([
    { ...own, courseId: id("course"), teacherId: id("teacher") },
    { ...own, courseId: id("otherCourse"), teacherId: id("otherTeacher") },
  ]);
  await db.insert(domain.courseStudents).values([
    { ...own, courseId: id("course"), studentId: id("student") },
    { ...own, courseId: id("course"), studentId: id("classmate") },
    { ...own, courseId: id("otherCourse"), studentId: id("stranger") },
  ]);
  await fillCards(db, domain, letter);
}

async function fillCards(db: Db, domain: Domain, letter: Letter): Promise<void> {
  const id = (kind: keyof typeof KINDS) => idOf(letter, kind);
  const own = { institutionId: id("institution") };
  await db
    .insert(domain.hpcParameters)
    .values({ ...own, id: id("parameter"), code: "SCI", name: "Science", category: "scholastic" });
  await db.insert(domain.hpcRubrics).values({
    ...own,
    id: id("rubric"),
    parameterId: id("parameter"),
    stage: "middle",
    name: "Inquiry",
    scaleMin: "1",
    scaleMax: "5",
    levels: [
      { name: "stream", descriptor: "begins", from: 1 },
      { name: "sky", descriptor: "masters", from: 4 },
    ],
  });
  await db.insert(domain.hpcEvaluationCycles).values({
    ...own,
    id: id("cycle"),
    termId: id("term"),
    name: "Mid-term",
    startsOn: "2025-09-01",
    endsOn: "2025-09-30",
    status: "open",
  });
  await db.insert(domain.hpcParameterAssignments).values(
    (
      [
        ["teacher", "0.5"],
        ["self", "0.2"],
        ["peer", "0.2"],
        ["parent", "0.1"],
      ] as const
    ).map(([stakeholder, weight]) => ({ ...assignmentOf(letter), stakeholder, weight })),
  );
  await db.insert(domain.hpcEvaluations).values([
    { ...evaluationOf(letter), id: id("evaluation"), score: "4", status: "submitted" },
    {
      ...evaluationOf(letter),
      id: id("selfEvaluation"),
      evaluatorId: id("student"),
      stakeholder: "self",
      score: "5",
      status: "submitted",
    },
    {
      ...evaluationOf(letter),
      id: id("parentEvaluation"),
      evaluatorId: id("parent"),
      stakeholder: "parent",
      score: "3",
    },
    {
      ...evaluationOf(letter),
      id: id("strangersEvaluation"),
      evaluatorId: id("otherTeacher"),
      studentId: id("stranger"),
      score: "2",
    },
  ]);
  const report = { ...own, cycleId: id("cycle"), stage: "middle" as const };
  await db.insert(domain.hpcReports).values([
    { ...report, id: id("report"), studentId: id("student") },
    { ...report, id: id("strangersReport"), studentId: id("stranger") },
  ]);
  await db.insert(domain.hpcApprovalWorkflows).values([
    { ...own, id: id("workflow"), studentId: id("student"), reportId: id("report") },
    {
      ...own,
      id: id("strangersWorkflow"),
      studentId: id("stranger"),
      reportId: id("strangersReport"),
    },
  ]);
  for (const studentId of [id("student"), id("stranger")]) {
    const about = { ...own, cycleId: id("cycle"), studentId };
    await db.insert(domain.hpcAnalytics).values({ ...about, metric: "growth", value: "1.5" });
    await db
      .insert(domain.hpcAchievements)
      .values({ ...about, category: "arts", title: "First prize", achievedOn: "2025-09-10" });
    await db.insert(domain.hpcReflections).values({ ...about, reflection: "I learnt to ask." });
    await db.insert(domain.hpcEvidenceFiles).values(evidenceOf(letter, studentId));
  }
  await db
    .insert(domain.hpcAnalytics)
    .values({ ...own, cycleId: id("cycle"), metric: "growth", value: "1.2", sampleSize: 3 });
}

/** The columns of a weight but for its stakeholder. */
export function assignmentOf(letter: Letter) {
  return {
    institutionId: idOf(letter, "institution"),
    cycleId: idOf(letter, "cycle"),
    parameterId: idOf(letter, "parameter"),
    stage: "middle" as const,
  };
}

/** What the teacher says of the student. */
export function evaluationOf(letter: Letter) {
  return {
    ...assignmentOf(letter),
    rubricId: idOf(letter, "rubric"),
    studentId: idOf(letter, "student"),
    evaluatorId: idOf(letter, "teacher"),
    stakeholder: "teacher" as "teacher" | "self" | "peer" | "parent",
  };
}

/** A photograph of a student's work. */
export function evidenceOf(letter: Letter, studentId = idOf(letter, "student")) {
  const institutionId = idOf(letter, "institution");
  return {
    institutionId,
    studentId,
    objectPath: `${institutionId}/${studentId}/poster.png`,
    fileName: "poster.png",
    contentType: "image/png" as const,
    sizeBytes: 1024,
    sha256: "0".repeat(64),
  };
}

/** What no generator guesses: checks over several columns, and a path that begins with the ids of its row. */
export const PROOF_ROWS: NonNullable<ProofOptions["generate"]> = {
  user_profiles: ({ row }) => ({ email: `person${row}@example.org` }),
  hpc_rubrics: () => ({
    scale_min: "0.00",
    scale_max: "5.00",
    levels: '[{"name":"stream","descriptor":"begins","from":0}]',
  }),
  hpc_evaluations: ({ values }) => ({
    stakeholder: values["evaluator_id"] === values["student_id"] ? "self" : "teacher",
    scale_min: "0.00",
    scale_max: "5.00",
    score: "1.00",
    status: "draft",
  }),
  hpc_evidence_files: ({ values, row }) => ({
    bucket: "hpc-evidence",
    object_path: `${values["institution_id"]}/${values["student_id"]}/${row}.png`,
  }),
};

/** Makes the rest of the transaction a persona's. */
export async function become(
  db: Db,
  domain: Domain,
  persona: "student" | "teacher" | "parent" | "admin",
  tenantId: string,
  userId: string,
): Promise<void> {
  await db.execute(
    sql`select set_config('app.tenant_id', ${tenantId}, true), set_config('app.user_id', ${userId}, true), set_config('role', ${domain.access.roles[persona] ?? ""}, true)`,
  );
}

/** SQLSTATE and constraint of the error that a statement ends with, in a savepoint of its own; null where it ends well. */
export async function refusal(
  db: Db,
  work: (db: Db) => PromiseLike<unknown>,
): Promise<string | null> {
  try {
    await db.transaction(async (savepoint) => {
      await work(savepoint);
    });
    return null;
  } catch (error) {
    for (let at: unknown = error; typeof at === "object" && at !== null; ) {
      const { code, constraint, constraint_name, cause } = at as Record<string, unknown>;
      if (typeof code === "string")
        return [code, constraint ?? constraint_name].filter(Boolean).join(" ");
      at = cause;
    }
    throw error;
  }
}
