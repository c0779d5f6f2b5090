import { eq, sql } from "drizzle-orm";
import {
  foreignKey,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { defineDatabase } from "../../src/definition/define-database.ts";
import {
  anyOf,
  assigned,
  childrenOf,
  custom,
  defineAccess,
  everyone,
  ids,
  own,
  tenant,
} from "../../src/rls/index.ts";

/** A small school with everything that access knows: four personas, two lookups, a view, a materialized view, an audit table. */
export function school(
  schema: string,
  rolePrefix: string,
  target: "postgres" | "citus" = "postgres",
) {
  const space = pgSchema(schema);
  const declared = defineAccess({
    schema,
    rolePrefix,
    target,
    migratorRole: `${rolePrefix}_migrator`,
    tenantColumn: "tenantId",
    personas: ["student", "teacher", "parent", "admin"],
    lookups: { assigned: ids("uuid"), children: ids("uuid") },
  });

  const subjects = space
    .table("subjects", { code: text("code").primaryKey() }, (t) =>
      declared.rules(t, {
        tenantColumn: null,
        select: { student: everyone, teacher: everyone, parent: everyone, admin: everyone },
      }),
    )
    .enableRLS();

  const users = space
    .table(
      "users",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: uuid("id").notNull().defaultRandom(),
        name: text("name").notNull(),
        parentOf: uuid("parent_of")
          .array()
          .notNull()
          .default(sql`'{}'::uuid[]`),
      },
      (t) => [
        primaryKey({ name: "users_pk", columns: [t.tenantId, t.id] }),
        declared.rules(t, {
          select: {
            student: own("id"),
            teacher: anyOf(own("id"), assigned("id")),
            parent: anyOf(own("id"), childrenOf("id")),
            admin: tenant,
          },
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const teaching = space
    .table(
      "teaching",
      {
        tenantId: uuid("tenant_id").notNull(),
        teacherId: uuid("teacher_id").notNull(),
        studentId: uuid("student_id").notNull(),
      },
      (t) => [
        primaryKey({ name: "teaching_pk", columns: [t.tenantId, t.teacherId, t.studentId] }),
        foreignKey({
          name: "teaching_teacher_fk",
          columns: [t.tenantId, t.teacherId],
          foreignColumns: [users.tenantId, users.id],
        }),
        foreignKey({
          name: "teaching_student_fk",
          columns: [t.tenantId, t.studentId],
          foreignColumns: [users.tenantId, users.id],
        }),
        declared.rules(t, {
          select: { teacher: own("teacherId"), admin: tenant },
          insert: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const grades = space
    .table(
      "grades",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: uuid("id").notNull().defaultRandom(),
        studentId: uuid("student_id").notNull(),
        points: integer("points").notNull(),
      },
      (t) => [
        unique("grades_id_unique").on(t.id, t.tenantId),
        index("grades_student_idx").on(t.studentId),
        foreignKey({
          name: "grades_student_fk",
          columns: [t.tenantId, t.studentId],
          foreignColumns: [users.tenantId, users.id],
        }),
        declared.rules(t, {
          select: {
            student: own("studentId"),
            teacher: assigned("studentId"),
            parent: childrenOf("studentId"),
            admin: tenant,
          },
          insert: {
            teacher: assigned("studentId"),
            admin: custom("points >= 0", "an admin may not take points away"),
          },
          update: { teacher: assigned("studentId") },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const auditLog = space
    .table(
      "audit_log",
      {
        tenantId: uuid("tenant_id").notNull(),
        at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
        actorId: uuid("actor_id").notNull(),
        what: text("what").notNull(),
      },
      (t) => [
        index("audit_log_tenant_idx").on(t.tenantId, t.at),
        declared.rules(t, {
          appendOnly: true,
          select: { admin: tenant },
          insert: { teacher: own("actorId"), admin: own("actorId") },
        }),
      ],
    )
    .enableRLS();

  const access = declared.with({
    assigned: (db, me) =>
      db.select({ id: teaching.studentId }).from(teaching).where(eq(teaching.teacherId, me.userId)),
    children: (db, me) =>
      db
        .select({ id: sql`unnest(${users.parentOf})`.as("id") })
        .from(users)
        .where(eq(users.id, me.userId)),
  });

  const standings = space
    .view("standings")
    .with({ securityInvoker: true })
    .as((qb) =>
      qb
        .select({ studentId: grades.studentId, points: sql<number>`sum(points)`.as("points") })
        .from(grades)
        .groupBy(grades.studentId),
    );
  const totals = space.materializedView("totals").as((qb) =>
    qb
      .select({
        tenantId: grades.tenantId,
        points: sql<number>`sum(${grades.points})`.as("points"),
      })
      .from(grades)
      .groupBy(grades.tenantId),
  );

  const tables = { space, subjects, users, teaching, grades, auditLog, standings, totals };
  return { ...tables, access, definition: defineDatabase({ name: "school", tables, access }) };
}

/** Ids that are easy to read in a failure. */
export const A = {
  tenant: "aaaaaaaa-0000-4000-8000-000000000000",
  student: "aaaaaaaa-0000-4000-8000-000000000001",
  other: "aaaaaaaa-0000-4000-8000-000000000002",
  teacher: "aaaaaaaa-0000-4000-8000-000000000003",
  parent: "aaaaaaaa-0000-4000-8000-000000000004",
  admin: "aaaaaaaa-0000-4000-8000-000000000005",
} as const;

/** The same people in another tenant. */
export const B = {
  tenant: "bbbbbbbb-0000-4000-8000-000000000000",
  student: "bbbbbbbb-0000-4000-8000-000000000001",
  other: "bbbbbbbb-0000-4000-8000-000000000002",
  teacher: "bbbbbbbb-0000-4000-8000-000000000003",
  parent: "bbbbbbbb-0000-4000-8000-000000000004",
  admin: "bbbbbbbb-0000-4000-8000-000000000005",
} as const;

/** Rows for both tenants, of the same shape; A's parent also names a child of B. */
export function schoolRows(schema: string): string {
  const s = `"${schema.replaceAll('"', '""')}"`;
  const people = (t: typeof A | typeof B, more: string) => `
    INSERT INTO ${s}.users (tenant_id, id, name, parent_of) VALUES
      ('${t.tenant}', '${t.student}', 'student', '{}'), ('${t.tenant}', '${t.other}', 'other', '{}'),
      ('${t.tenant}', '${t.teacher}', 'teacher', '{}'), ('${t.tenant}', '${t.admin}', 'admin', '{}'),
      ('${t.tenant}', '${t.parent}', 'parent', '{${t.student}${more}}');
    INSERT INTO ${s}.teaching VALUES ('${t.tenant}', '${t.teacher}', '${t.student}');
    INSERT INTO ${s}.grades (tenant_id, student_id, points) VALUES
      ('${t.tenant}', '${t.student}', 1), ('${t.tenant}', '${t.other}', 2);
    INSERT INTO ${s}.audit_log (tenant_id, actor_id, what) VALUES ('${t.tenant}', '${t.teacher}', 'graded');`;
  return `INSERT INTO ${s}.subjects VALUES ('maths');${people(A, `,${B.student}`)}${people(B, "")}`;
}
