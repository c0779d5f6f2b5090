import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  date,
  index,
  jsonb,
  numeric,
  primaryKey,
  text,
  timestamp,
  varchar,
} from "drizzle-orm/pg-core";
import { among, own, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

const inAssignedPhases = among("assigned_phases", "phaseId");

/** What is asked of those who hold the data, and what the data looks like. */
export function evidenceTables<K extends KeyKind, S extends string>({
  keys,
  space,
  enums,
  access,
  points,
}: Basis<K, S>) {
  const requestsForInformation = space
    .table(
      "requests_for_information",
      {
        requestId: keys.generated("request_id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        sampleId: keys.optional("sample_id"),
        dataProviderId: keys.required("data_provider_id"),
        requestedBy: keys.optional("requested_by"),
        subject: varchar("subject", { length: 300 }).notNull(),
        question: text("question").notNull(),
        answer: text("answer"),
        status: enums.requestStatus("status").notNull().default("open"),
        dueDate: date("due_date"),
        submittedAt: timestamp("submitted_at", { withTimezone: true }),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "requests_for_information_pkey", columns: [t.requestId] }),
        points("requests_for_information_phase_id_fkey", [t.lobId, t.phaseId], "workflow_phases", [
          "lob_id",
          "phase_id",
        ]),
        points("requests_for_information_sample_id_fkey", [t.lobId, t.sampleId], "samples", [
          "lob_id",
          "sample_id",
        ]),
        points(
          "requests_for_information_data_provider_id_fkey",
          [t.lobId, t.dataProviderId],
          "users",
          ["lob_id", "user_id"],
        ),
        points("requests_for_information_requested_by_fkey", [t.lobId, t.requestedBy], "users", [
          "lob_id",
          "user_id",
        ]),
        check("requests_for_information_subject_filled", sql`btrim(subject) <> ''`),
        check(
          "requests_for_information_submitted_with_answer",
          sql`status not in ('submitted', 'accepted') or (answer is not null and submitted_at is not null)`,
        ),
        index("idx_requests_for_information_phase_id").on(t.lobId, t.phaseId),
        index("idx_requests_for_information_sample_id").on(t.lobId, t.sampleId),
        index("idx_requests_for_information_data_provider_id").on(t.lobId, t.dataProviderId),
        index("idx_requests_for_information_requested_by").on(t.lobId, t.requestedBy),
        ...access.rules(t, {
          globalKeys: { requests_for_information_pkey: GIVEN_OUT },
          lookupColumns: {
            phaseId:
              "the trigger keep_identity refuses personas another phase, and a tester asks about assigned phases only",
            dataProviderId:
              "a tester who asks themselves does so about a phase that is assigned to them, and a data provider's rule holds it",
          },
          select: {
            tester: inAssignedPhases,
            test_manager: tenant,
            report_owner: inAssignedPhases,
            data_provider: own("dataProviderId"),
            admin: tenant,
          },
          insert: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
          update: {
            tester: inAssignedPhases,
            test_manager: tenant,
            data_provider: own("dataProviderId"),
            admin: tenant,
          },
        }),
      ],
    )
    .enableRLS();

  const dataProfiles = space
    .table(
      "data_profiles",
      {
        profileId: keys.generated("profile_id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        planningAttributeId: keys.required("planning_attribute_id"),
        totalRows: bigint("total_rows", { mode: "number" }).notNull(),
        nullRows: bigint("null_rows", { mode: "number" }).notNull().default(0),
        distinctValues: bigint("distinct_values", { mode: "number" }),
        qualityScore: numeric("quality_score", { precision: 5, scale: 2, mode: "number" }),
        anomalies: jsonb("anomalies")
          .$type<readonly unknown[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        profiledAt: timestamp("profiled_at", { withTimezone: true }).notNull().defaultNow(),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "data_profiles_pkey", columns: [t.profileId] }),
        points("data_profiles_phase_id_fkey", [t.lobId, t.phaseId], "workflow_phases", [
          "lob_id",
          "phase_id",
        ]),
        points(
          "data_profiles_planning_attribute_id_fkey",
          [t.lobId, t.planningAttributeId],
          "cycle_report_planning_attributes",
          ["lob_id", "id"],
        ),
        check(
          "data_profiles_rows_counted",
          sql`total_rows >= 0 and null_rows >= 0 and null_rows <= total_rows`,
        ),
        check(
          "data_profiles_distinct_counted",
          sql`distinct_values >= 0 and distinct_values <= total_rows - null_rows`,
        ),
        check("data_profiles_quality_in_range", sql`quality_score >= 0 and quality_score <= 100`),
        check("data_profiles_anomalies_are_a_list", sql`jsonb_typeof(anomalies) = 'array'`),
        index("idx_data_profiles_phase_id").on(t.lobId, t.phaseId),
        index("idx_data_profiles_planning_attribute_id").on(t.lobId, t.planningAttributeId),
        ...access.rules(t, {
          globalKeys: { data_profiles_pkey: GIVEN_OUT },
          select: {
            tester: inAssignedPhases,
            test_manager: tenant,
            report_owner: inAssignedPhases,
            admin: tenant,
          },
          insert: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
          update: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
          delete: { test_manager: tenant, admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { requestsForInformation, dataProfiles };
}
