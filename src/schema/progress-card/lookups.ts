import { and, eq, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { ProgressCardAccess } from "./access.ts";
import type { InstitutionTables } from "./institution-tables.ts";

/** The access with the bodies of its lookups; each looks within the institution of the context only. */
export function withLookups(access: ProgressCardAccess, tables: InstitutionTables) {
  const { courses, courseStudents, courseTeachers, userProfiles } = tables;
  const mine = alias(courseStudents, "mine");
  const children = alias(userProfiles, "children");
  return access.with({
    assigned: (db, me) =>
      db
        .select({ id: courseStudents.studentId })
        .from(courseTeachers)
        .innerJoin(
          courses,
          and(
            eq(courses.institutionId, courseTeachers.institutionId),
            eq(courses.id, courseTeachers.courseId),
          ),
        )
        .innerJoin(
          courseStudents,
          and(
            eq(courseStudents.institutionId, courseTeachers.institutionId),
            eq(courseStudents.courseId, courseTeachers.courseId),
          ),
        )
        .where(
          and(
            eq(courseTeachers.institutionId, me.tenantId),
            eq(courseTeachers.teacherId, me.userId),
            eq(courses.isActive, sql`true`),
          ),
        ),
    children: (db, me) =>
      db
        .select({ id: children.id })
        .from(userProfiles)
        .innerJoin(
          children,
          and(
            eq(children.institutionId, userProfiles.institutionId),
            sql`${children.id} = any(${userProfiles.parentOf})`,
            eq(children.role, sql`'student'`),
          ),
        )
        .where(and(eq(userProfiles.institutionId, me.tenantId), eq(userProfiles.id, me.userId))),
    classmates: (db, me) =>
      db
        .select({ id: courseStudents.studentId })
        .from(mine)
        .innerJoin(
          courseStudents,
          and(
            eq(courseStudents.institutionId, mine.institutionId),
            eq(courseStudents.courseId, mine.courseId),
          ),
        )
        .where(and(eq(mine.institutionId, me.tenantId), eq(mine.studentId, me.userId))),
  });
}
