import { namedPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import { pgComment } from "../../objects/pg-comment.ts";
import { pgGrant } from "../../objects/pg-grant.ts";
import { pgMaterializedViewIndex } from "../../objects/pg-materialized-view-index.ts";
import { pgRefreshSchedule } from "../../objects/pg-refresh-schedule.ts";
import { asReader } from "../../rls/reader-ownership.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { ProgressCardAccess } from "./access.ts";

/**
 * What the summary of students needs beside its query: an index, without which REFRESH … CONCURRENTLY is refused (55000), its schedule, and the
 * guarding view in the reader's hands, since nobody else may read what is below it.
 */
export function summaryObjects(
  schema: string,
  access: ProgressCardAccess,
): readonly DatabaseObject[] {
  const materialized = { schema, view: "mv_hpc_student_summary" };
  const guard = "hpc_student_summary";
  const path = namedPath("view", schema, guard);
  const withdrawn = `withdrawn privileges on ${path}`;
  const comments = [
    pgComment({
      schema,
      table: materialized.view,
      on: "materialized view",
      text: "One row for each student, refreshed every 15 minutes. Read hpc_student_summary, which guards it.",
    }),
    pgComment({
      schema,
      table: guard,
      on: "view",
      text: "The rows of mv_hpc_student_summary that the persona may read.",
    }),
  ];
  const grants = [...new Set(Object.values(access.roles))].map((to) => {
    const grant = pgGrant({ schema, table: guard, on: "view", to, privileges: ["select"] });
    // On Supabase the withdrawal names the personas' role too.
    return { ...grant, dependsOn: [...grant.dependsOn, withdrawn] };
  });
  return [
    pgMaterializedViewIndex({
      ...materialized,
      name: "mv_hpc_student_summary_key",
      columns: ["institution_id", "student_id"],
      unique: true,
    }),
    pgRefreshSchedule({
      ...materialized,
      every: "15 minutes",
      through: `refresh_${materialized.view}`,
    }),
    databaseObject({
      kind: "grant",
      id: `owner of ${path}`,
      create: asReader(access, schema, [
        `ALTER VIEW ${qualified(schema, guard)} OWNER TO ${ident(access.readerRole)}`,
      ]).join(";\n"),
      // Last: only who owns it may grant on it.
      dependsOn: [
        path,
        `role ${ident(access.readerRole)}`,
        withdrawn,
        ...grants.map(({ id }) => id),
        `privileges of ${ident(access.migratorRole)} on ${path}`,
      ],
      within: path,
      locks: [{ schema, name: guard, mode: "accessExclusive" }],
    }),
    ...grants,
    // Nor may anybody else comment on what is the reader's.
    ...comments.map((comment) => ({
      ...comment,
      create: asReader(access, schema, [comment.create]).join(";\n"),
    })),
  ];
}
