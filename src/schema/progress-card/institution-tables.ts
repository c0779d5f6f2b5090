import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  date,
  foreignKey,
  index,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  type AnyPgColumn,
  type PgSchema,
} from "drizzle-orm/pg-core";
import { anyOf, assigned, childrenOf, own, tenant } from "../../rls/row-class.ts";
import type { ProgressCardAccess } from "./access.ts";
import type { ProgressCardEnums } from "./enums.ts";
import { ownKey, ownRow, times, within } from "./shared-columns.ts";

/** The roles of people. Text and not an enum: enum equality is not leakproof, so that under row security no index would serve it. */
export const USER_ROLES = ["student", "teacher", "parent", "admin"] as const;

/** A column of the host that holds the ids of its accounts, as Supabase's `auth.users.id` does. */
export type AccountColumn = AnyPgColumn<{ data: string; columnType: "PgUUID" }>;

/**
 * Institutions and what they have without progress cards too: people, terms, courses.
 *
 * Who teaches whom is in `course_teachers` and `course_students`, two tables because a policy asks each from its own side; without them nobody could say
 * which students are assigned.
 */
export function institutionTables(
  namespace: PgSchema,
  { hpcStage }: ProgressCardEnums,
  access: ProgressCardAccess,
  accounts: AccountColumn | undefined,
) {
  // Registered by the operator: nobody can probe with INSERT or UPDATE whether a code is taken elsewhere.
  const institutions = namespace
    .table(
      "institutions",
      {
        id: uuid("id").notNull().defaultRandom(),
        code: text("code").notNull(),
        name: text("name").notNull(),
        board: text("board").notNull().default("CBSE"),
        isActive: boolean("is_active").notNull().default(true),
        ...times(),
      },
      (t) => [
        primaryKey({ name: "institutions_pkey", columns: [t.id] }),
        unique("institutions_code_key").on(t.code),
        check("institutions_code_form", sql`code ~ '^[A-Za-z0-9][A-Za-z0-9-]{1,31}$'`),
        check("institutions_name_filled", sql`btrim(name) <> ''`),
        ...access.rules(t, {
          tenantColumn: "id",
          globalKeys: {
            institutions_code_key: "the operator registers institutions: no persona writes here",
          },
          select: { student: tenant, teacher: tenant, parent: tenant, admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const userProfiles = namespace
    .table(
      "user_profiles",
      {
        ...ownRow(),
        fullName: text("full_name").notNull(),
        email: text("email"),
        role: text("role", { enum: USER_ROLES }).notNull(),
        parentOf: uuid("parent_of")
          .array()
          .notNull()
          .default(sql`'{}'::uuid[]`),
        stage: hpcStage("stage"),
        grade: smallint("grade"),
        section: text("section"),
        isActive: boolean("is_active").notNull().default(true),
        ...times(),
      },
      (t) => [
        ...ownKey("user_profiles", t, institutions),
        ...(accounts === undefined
          ? []
          : [
              foreignKey({
                name: "user_profiles_account_fk",
                columns: [t.id],
                foreignColumns: [accounts],
              }),
              index("user_profiles_account_idx").on(t.id),
            ]),
        uniqueIndex("user_profiles_email_key").on(t.institutionId, sql`lower(email)`),
        index("user_profiles_role_idx").on(t.institutionId, t.role),
        check("user_profiles_role_known", sql`role IN ('student', 'teacher', 'parent', 'admin')`),
        check("user_profiles_full_name_filled", sql`btrim(full_name) <> ''`),
        check("user_profiles_email_form", sql`email ~ '^[^@ ]+@[^@ ]+[.][^@ ]+$'`),
        check("user_profiles_grade_range", sql`grade BETWEEN -3 AND 12`),
        check(
          "user_profiles_only_students_learn",
          sql`role = 'student' OR (stage IS NULL AND grade IS NULL AND section IS NULL)`,
        ),
        check("user_profiles_only_parents_have_children", sql`role = 'parent' OR parent_of = '{}'`),
        check("user_profiles_parent_of_filled", sql`array_position(parent_of, NULL) IS NULL`),
        ...access.rules(t, {
          select: {
            student: own("id"),
            teacher: anyOf(own("id"), assigned("id")),
            parent: anyOf(own("id"), childrenOf("id")),
            admin: tenant,
          },
          // Nobody changes their own row: role and parent_of are in it.
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const academicTerms = namespace
    .table(
      "academic_terms",
      {
        ...ownRow(),
        name: text("name").notNull(),
        startsOn: date("starts_on").notNull(),
        endsOn: date("ends_on").notNull(),
        isCurrent: boolean("is_current").notNull().default(false),
        ...times(),
      },
      (t) => [
        ...ownKey("academic_terms", t, institutions),
        unique("academic_terms_name_key").on(t.institutionId, t.name),
        uniqueIndex("academic_terms_one_current")
          .on(t.institutionId)
          .where(sql`is_current`),
        check("academic_terms_period", sql`ends_on > starts_on`),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const courses = namespace
    .table(
      "courses",
      {
        ...ownRow(),
        termId: uuid("term_id").notNull(),
        code: text("code").notNull(),
        title: text("title").notNull(),
        stage: hpcStage("stage").notNull(),
        grade: smallint("grade"),
        isActive: boolean("is_active").notNull().default(true),
        ...times(),
      },
      (t) => [
        ...ownKey("courses", t, institutions),
        within("courses_term_fk", t, t.termId, academicTerms),
        unique("courses_code_key").on(t.institutionId, t.termId, t.code),
        check("courses_grade_range", sql`grade BETWEEN -3 AND 12`),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const courseTeachers = namespace
    .table(
      "course_teachers",
      {
        institutionId: uuid("institution_id").notNull(),
        courseId: uuid("course_id").notNull(),
        teacherId: uuid("teacher_id").notNull(),
        assignedAt: timestamp("assigned_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({
          name: "course_teachers_pkey",
          columns: [t.institutionId, t.courseId, t.teacherId],
        }),
        within("course_teachers_course_fk", t, t.courseId, courses),
        within("course_teachers_teacher_fk", t, t.teacherId, userProfiles),
        index("course_teachers_teacher_idx").on(t.institutionId, t.teacherId),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const courseStudents = namespace
    .table(
      "course_students",
      {
        institutionId: uuid("institution_id").notNull(),
        courseId: uuid("course_id").notNull(),
        studentId: uuid("student_id").notNull(),
        enrolledAt: timestamp("enrolled_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({
          name: "course_students_pkey",
          columns: [t.institutionId, t.courseId, t.studentId],
        }),
        within("course_students_course_fk", t, t.courseId, courses),
        within("course_students_student_fk", t, t.studentId, userProfiles),
        index("course_students_student_idx").on(t.institutionId, t.studentId),
        ...access.rules(t, {
          select: {
            student: own("studentId"),
            teacher: assigned("studentId"),
            parent: childrenOf("studentId"),
            admin: tenant,
          },
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { institutions, userProfiles, academicTerms, courses, courseTeachers, courseStudents };
}

/** What {@link institutionTables} makes. */
export type InstitutionTables = ReturnType<typeof institutionTables>;

/** What all of an institution read and its administrators write. */
export const configuration = {
  select: { student: tenant, teacher: tenant, parent: tenant, admin: tenant },
  insert: { admin: tenant },
  update: { admin: tenant },
  delete: { admin: tenant },
} as const;
