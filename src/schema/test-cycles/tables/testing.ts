import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  timestamp,
  unique,
  varchar,
} from "drizzle-orm/pg-core";
import { among, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

const inAssignedPhases = among("assigned_phases", "phaseId");
const WRITERS = { tester: inAssignedPhases, test_manager: tenant, admin: tenant };
const READERS = { ...WRITERS, report_owner: inAssignedPhases };

/** The rows of a report that are looked at, and how each attribute of them did. */
export function testingTables<K extends KeyKind, S extends string>({
  keys,
  space,
  enums,
  access,
  points,
}: Basis<K, S>) {
  const samples = space
    .table(
      "samples",
      {
        sampleId: keys.generated("sample_id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        identifier: varchar("identifier", { length: 200 }).notNull(),
        category: enums.sampleCategory("category").notNull().default("clean"),
        status: enums.sampleStatus("status").notNull().default("proposed"),
        riskScore: numeric("risk_score", { precision: 5, scale: 2, mode: "number" }),
        rationale: text("rationale"),
        sampleData: jsonb("sample_data")
          .$type<Readonly<Record<string, unknown>>>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "samples_pkey", columns: [t.sampleId] }),
        unique("samples_lob_id_sample_id_key").on(t.lobId, t.sampleId),
        unique("samples_identifier_key").on(t.lobId, t.phaseId, t.identifier),
        points("samples_phase_id_fkey", [t.lobId, t.phaseId], "workflow_phases", [
          "lob_id",
          "phase_id",
        ]),
        check("samples_identifier_filled", sql`btrim(identifier) <> ''`),
        check("samples_risk_in_range", sql`risk_score >= 0 and risk_score <= 100`),
        check("samples_data_is_object", sql`jsonb_typeof(sample_data) = 'object'`),
        ...access.rules(t, {
          globalKeys: { samples_pkey: GIVEN_OUT },
          select: { ...READERS, data_provider: inAssignedPhases },
          insert: WRITERS,
          update: READERS,
          delete: WRITERS,
        }),
      ],
    )
    .enableRLS();

  const testExecutions = space
    .table(
      "test_executions",
      {
        executionId: keys.generated("execution_id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        sampleId: keys.required("sample_id"),
        planningAttributeId: keys.required("planning_attribute_id"),
        attempt: integer("attempt").notNull().default(1),
        testerId: keys.optional("tester_id"),
        result: enums.testResult("result").notNull().default("pending"),
        expectedValue: text("expected_value"),
        actualValue: text("actual_value"),
        notes: text("notes"),
        executedAt: timestamp("executed_at", { withTimezone: true }),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "test_executions_pkey", columns: [t.executionId] }),
        unique("test_executions_lob_id_execution_id_key").on(t.lobId, t.executionId),
        unique("test_executions_attempt_key").on(
          t.lobId,
          t.sampleId,
          t.planningAttributeId,
          t.attempt,
        ),
        points("test_executions_phase_id_fkey", [t.lobId, t.phaseId], "workflow_phases", [
          "lob_id",
          "phase_id",
        ]),
        points("test_executions_sample_id_fkey", [t.lobId, t.sampleId], "samples", [
          "lob_id",
          "sample_id",
        ]),
        // To the decision about the attribute, not to the attribute: nothing is tested without one. Both forms know it by the id of
        // the attribute.
        points(
          "test_executions_planning_attribute_id_fkey",
          [t.lobId, t.planningAttributeId],
          "cycle_report_scoping_attributes",
          ["lob_id", keys.kind === "integer" ? "planning_attribute_id" : "id"],
        ),
        points("test_executions_tester_id_fkey", [t.lobId, t.testerId], "users", [
          "lob_id",
          "user_id",
        ]),
        check("test_executions_attempt_positive", sql`attempt > 0`),
        check(
          "test_executions_executed_with_result",
          sql`(result = 'pending') = (executed_at is null)`,
        ),
        index("idx_test_executions_phase_id").on(t.lobId, t.phaseId),
        index("idx_test_executions_planning_attribute_id").on(t.lobId, t.planningAttributeId),
        index("idx_test_executions_tester_id").on(t.lobId, t.testerId),
        ...access.rules(t, {
          globalKeys: { test_executions_pkey: GIVEN_OUT },
          select: READERS,
          insert: WRITERS,
          update: WRITERS,
        }),
      ],
    )
    .enableRLS();

  const observations = space
    .table(
      "observations",
      {
        observationId: keys.generated("observation_id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        executionId: keys.optional("execution_id"),
        parentObservationId: keys.optional("parent_observation_id"),
        title: varchar("title", { length: 300 }).notNull(),
        description: text("description").notNull(),
        severity: enums.observationSeverity("severity").notNull().default("medium"),
        status: enums.observationStatus("status").notNull().default("draft"),
        createdBy: keys.optional("created_by"),
        assignedTo: keys.optional("assigned_to"),
        resolution: text("resolution"),
        resolvedAt: timestamp("resolved_at", { withTimezone: true }),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "observations_pkey", columns: [t.observationId] }),
        unique("observations_lob_id_observation_id_key").on(t.lobId, t.observationId),
        points("observations_phase_id_fkey", [t.lobId, t.phaseId], "workflow_phases", [
          "lob_id",
          "phase_id",
        ]),
        points("observations_execution_id_fkey", [t.lobId, t.executionId], "test_executions", [
          "lob_id",
          "execution_id",
        ]),
        points(
          "observations_parent_observation_id_fkey",
          [t.lobId, t.parentObservationId],
          "observations",
          ["lob_id", "observation_id"],
        ),
        points("observations_created_by_fkey", [t.lobId, t.createdBy], "users", [
          "lob_id",
          "user_id",
        ]),
        points("observations_assigned_to_fkey", [t.lobId, t.assignedTo], "users", [
          "lob_id",
          "user_id",
        ]),
        check("observations_title_filled", sql`btrim(title) <> ''`),
        check("observations_parent_is_another", sql`parent_observation_id <> observation_id`),
        check(
          "observations_resolved_with_resolution",
          sql`status <> 'resolved' or (resolved_at is not null and resolution is not null)`,
        ),
        index("idx_observations_phase_id").on(t.lobId, t.phaseId),
        index("idx_observations_execution_id").on(t.lobId, t.executionId),
        index("idx_observations_parent_observation_id").on(t.lobId, t.parentObservationId),
        index("idx_observations_created_by").on(t.lobId, t.createdBy),
        index("idx_observations_assigned_to").on(t.lobId, t.assignedTo),
        ...access.rules(t, {
          globalKeys: { observations_pkey: GIVEN_OUT },
          select: READERS,
          insert: WRITERS,
          update: READERS,
        }),
      ],
    )
    .enableRLS();

  return { samples, testExecutions, observations };
}
