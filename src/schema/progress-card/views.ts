import { sql } from "drizzle-orm";
import {
  integer,
  numeric,
  smallint,
  text,
  timestamp,
  uuid,
  type PgSchema,
} from "drizzle-orm/pg-core";
import type { AccessData, RowClass } from "../../definition/access.ts";
import { predicateOf, tenantPredicate } from "../../rls/predicate.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { ProgressCardAccess } from "./access.ts";
import type { EvaluationTables } from "./evaluation-tables.ts";
import type { InstitutionTables } from "./institution-tables.ts";
import type { ParameterTables } from "./parameter-tables.ts";

const summaryColumns = () => ({
  institutionId: uuid("institution_id").notNull(),
  studentId: uuid("student_id").notNull(),
  fullName: text("full_name").notNull(),
  stage: text("stage"),
  grade: smallint("grade"),
  section: text("section"),
  totalEvaluations: integer("total_evaluations").notNull(),
  submittedEvaluations: integer("submitted_evaluations").notNull(),
  averageScore: numeric("average_score"),
  averageNormalizedScore: numeric("average_normalized_score"),
  lastSubmittedAt: timestamp("last_submitted_at", { withTimezone: true }),
});

/** The views of the domain. */
export function viewsOf(
  namespace: PgSchema,
  access: ProgressCardAccess,
  tables: InstitutionTables & ParameterTables & EvaluationTables,
) {
  const { hpcEvaluations, hpcParameterAssignments, userProfiles } = tables;

  const mvHpcStudentSummary = namespace
    .materializedView("mv_hpc_student_summary", summaryColumns())
    .as(
      sql`select s.institution_id, s.id as student_id, s.full_name, s.stage::text as stage, s.grade, s.section, count(e.id)::integer as total_evaluations, (count(e.id) filter (where e.status = 'submitted'))::integer as submitted_evaluations, round(avg(e.score), 2) as average_score, round(avg(e.normalized_score), 2) as average_normalized_score, max(e.submitted_at) as last_submitted_at from ${userProfiles} as s left join ${hpcEvaluations} as e on e.institution_id = s.institution_id and e.student_id = s.id where s.role = 'student' group by s.institution_id, s.id, s.full_name, s.stage, s.grade, s.section`,
    );

  const hpcStudentSummary = namespace
    .view("hpc_student_summary", summaryColumns())
    .with({ securityBarrier: true })
    .as(sql.raw(guardedSummary(namespace.schemaName, access)));

  const hpcWeightedScores = namespace
    .view("hpc_weighted_scores", {
      institutionId: uuid("institution_id").notNull(),
      studentId: uuid("student_id").notNull(),
      cycleId: uuid("cycle_id").notNull(),
      stage: text("stage").notNull(),
      parameterId: uuid("parameter_id").notNull(),
      weightedScore: numeric("weighted_score").notNull(),
      weightPresent: numeric("weight_present").notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql`select e.institution_id, e.student_id, e.cycle_id, e.stage::text as stage, e.parameter_id, round(sum(e.average * a.weight) / sum(a.weight), 2) as weighted_score, sum(a.weight) as weight_present from (select v.institution_id, v.student_id, v.cycle_id, v.stage, v.parameter_id, v.stakeholder, avg(v.normalized_score) as average from ${hpcEvaluations} as v where v.status = 'submitted' group by v.institution_id, v.student_id, v.cycle_id, v.stage, v.parameter_id, v.stakeholder) as e join ${hpcParameterAssignments} as a on a.institution_id = e.institution_id and a.cycle_id = e.cycle_id and a.stage = e.stage and a.parameter_id = e.parameter_id and a.stakeholder = e.stakeholder group by e.institution_id, e.student_id, e.cycle_id, e.stage, e.parameter_id`,
    );

  return { mvHpcStudentSummary, hpcStudentSummary, hpcWeightedScores };
}

/** What {@link viewsOf} makes. */
export type ProgressCardViews = ReturnType<typeof viewsOf>;

/**
 * The rows of the materialized view that a persona may read.
 *
 * A materialized view has no row security. One branch for each persona: the test for the persona is made once, and the branch that is left uses the index of
 * the view, where one condition with OR would read the institution.
 */
function guardedSummary(schema: string, access: ProgressCardAccess): string {
  const student = { column: "student_id" };
  const classes: Readonly<Record<string, RowClass>> = {
    student: { kind: "own", ...student },
    teacher: { kind: "among", lookup: "assigned", ...student },
    parent: { kind: "among", lookup: "children", ...student },
    admin: { kind: "tenant" },
  };
  const source = qualified(schema, "mv_hpc_student_summary");
  const columns = SUMMARY.join(", ");
  return Object.entries(classes)
    .map(([persona, rowClass]) => {
      const rows = predicateOf(access, "institution_id", rowClass) ?? "false";
      const floor = tenantPredicate(access, "institution_id");
      return `select ${columns} from ${source} where ${isPersona(access, persona)} and ${floor}${rows === floor ? "" : ` and ${rows}`}`;
    })
    .join(" union all ");
}

/** The columns of the summary by their names in the database. */
const SUMMARY = [
  "institution_id",
  "student_id",
  "full_name",
  "stage",
  "grade",
  "section",
  "total_evaluations",
  "submitted_evaluations",
  "average_score",
  "average_normalized_score",
  "last_submitted_at",
];

function isPersona(access: AccessData, persona: string): string {
  return access.target === "supabase"
    ? `(select ${qualified(access.schema, "current_persona")}()) = ${literal(persona).trim()}`
    : `current_user = ${literal(access.roles[persona] ?? persona).trim()}`;
}
