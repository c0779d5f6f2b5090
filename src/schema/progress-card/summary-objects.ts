import { namedPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
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
  const personas = [...new Set(Object.values(access.roles))];
  return [
    pgMaterializedViewIndex({
      ...materialized,
      name: "mv_hpc_student_summary_key",
      columns: ["institution_id", "student_id"],
      unique: true,
    }),
    pgRefreshSchedule({ ...materialized, every: "15 minutes" }),
    databaseObject({
      kind: "grant",
      id: `owner of ${path}`,
      create: asReader(access, schema, [
        `ALTER VIEW ${qualified(schema, guard)} OWNER TO ${ident(access.readerRole)}`,
      ]).join(";\n"),
      dependsOn: [path, `role ${ident(access.readerRole)}`],
      within: path,
      locks: [{ schema, name: guard, mode: "accessExclusive" }],
    }),
    ...personas.map((to) => {
      const grant = pgGrant({ schema, table: guard, on: "view", to, privileges: ["select"] });
      // On Supabase the withdrawal names the personas' role too.
      return { ...grant, dependsOn: [...grant.dependsOn, `withdrawn privileges on ${path}`] };
    }),
  ];
}
