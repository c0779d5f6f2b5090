import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  foreignKey,
  index,
  text,
  unique,
  uuid,
  type PgSchema,
} from "drizzle-orm/pg-core";
import { assigned, own, tenant } from "../../rls/row-class.ts";
import { literal } from "../../sql/quote.ts";
import type { ProgressCardAccess } from "./access.ts";
import { aboutStudent, type EvaluationTables } from "./evaluation-tables.ts";
import type { InstitutionTables } from "./institution-tables.ts";
import { authorship, hpcKeys, ownRow, within } from "./shared-columns.ts";

/** The bucket of evidence files, unless the host names others. */
export const DEFAULT_PRIVATE_BUCKETS = ["hpc-evidence"] as const;

/** The largest evidence file, in bytes: 50 MiB. */
export const MAX_EVIDENCE_BYTES = 52_428_800;

/** What an evidence file may be. */
export const EVIDENCE_CONTENT_TYPES = [
  "image/jpeg",
  "image/png",
  "image/webp",
  "application/pdf",
  "audio/mpeg",
  "audio/mp4",
  "video/mp4",
] as const;

/**
 * What is known of the files that show a student's work. The files lie in an object store.
 *
 * Whether a bucket is private only its store knows: the host names those that are, and no row can name another. Every path begins with the institution and
 * the student, so that a rule of the store can compare it with a token.
 */
export function evidenceTable(
  namespace: PgSchema,
  access: ProgressCardAccess,
  tables: InstitutionTables & EvaluationTables,
  privateBuckets: readonly string[],
) {
  const { hpcAchievements, hpcEvaluations, hpcReflections, userProfiles } = tables;
  const oneOf = (values: readonly string[]) =>
    values.map((value) => literal(value).trim()).join(", ");
  const hpcEvidenceFiles = namespace
    .table(
      "hpc_evidence_files",
      {
        ...ownRow(),
        studentId: uuid("student_id").notNull(),
        evaluationId: uuid("evaluation_id"),
        achievementId: uuid("achievement_id"),
        reflectionId: uuid("reflection_id"),
        bucket: text("bucket")
          .notNull()
          .default(privateBuckets[0] ?? ""),
        objectPath: text("object_path").notNull(),
        fileName: text("file_name").notNull(),
        contentType: text("content_type", { enum: EVIDENCE_CONTENT_TYPES }).notNull(),
        sizeBytes: bigint("size_bytes", { mode: "number" }).notNull(),
        sha256: text("sha256").notNull(),
        ...authorship(),
      },
      (t) => {
        // With the student, so that no file is shown as the work of another.
        const of = (
          name: string,
          column: typeof t.evaluationId,
          target: typeof hpcEvaluations | typeof hpcAchievements | typeof hpcReflections,
        ) =>
          foreignKey({
            name,
            columns: [t.institutionId, t.studentId, column],
            foreignColumns: [target.institutionId, target.studentId, target.id],
          });
        return [
          ...hpcKeys("hpc_evidence_files", t, tables),
          within("hpc_evidence_files_student_fk", t, t.studentId, userProfiles),
          of("hpc_evidence_files_evaluation_fk", t.evaluationId, hpcEvaluations),
          of("hpc_evidence_files_achievement_fk", t.achievementId, hpcAchievements),
          of("hpc_evidence_files_reflection_fk", t.reflectionId, hpcReflections),
          unique("hpc_evidence_files_object_key").on(t.institutionId, t.bucket, t.objectPath),
          index("hpc_evidence_files_evaluation_idx").on(
            t.institutionId,
            t.studentId,
            t.evaluationId,
          ),
          index("hpc_evidence_files_achievement_idx").on(
            t.institutionId,
            t.studentId,
            t.achievementId,
          ),
          index("hpc_evidence_files_reflection_idx").on(
            t.institutionId,
            t.studentId,
            t.reflectionId,
          ),
          check(
            "hpc_evidence_files_bucket_private",
            sql.raw(`bucket IN (${oneOf(privateBuckets)})`),
          ),
          check(
            "hpc_evidence_files_path_prefix",
            sql`starts_with(object_path, institution_id::text || '/' || student_id::text || '/')`,
          ),
          check(
            "hpc_evidence_files_path_form",
            sql`object_path ~ '^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+[A-Za-z0-9_-][A-Za-z0-9._-]*$' AND char_length(object_path) <= 1024`,
          ),
          check(
            "hpc_evidence_files_content_type_known",
            sql.raw(`content_type IN (${oneOf(EVIDENCE_CONTENT_TYPES)})`),
          ),
          check(
            "hpc_evidence_files_size_range",
            sql.raw(`size_bytes BETWEEN 1 AND ${MAX_EVIDENCE_BYTES}`),
          ),
          check("hpc_evidence_files_sha256_form", sql`sha256 ~ '^[0-9a-f]{64}$'`),
          check(
            "hpc_evidence_files_shows_one_thing",
            sql`num_nonnulls(evaluation_id, achievement_id, reflection_id) <= 1`,
          ),
          ...access.rules(t, {
            select: aboutStudent,
            insert: { student: own("studentId"), teacher: assigned("studentId"), admin: tenant },
            // A file that changed is another file.
            delete: { student: own("createdBy"), teacher: own("createdBy"), admin: tenant },
          }),
        ];
      },
    )
    .enableRLS();
  return { hpcEvidenceFiles };
}
