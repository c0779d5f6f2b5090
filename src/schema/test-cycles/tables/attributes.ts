import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  numeric,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  varchar,
  type ExtraConfigColumn,
} from "drizzle-orm/pg-core";
import { among, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

const inAssignedPhases = among("assigned_phases", "phaseId");

/** The attributes of a report that are planned to be tested. */
export function planningTable<K extends KeyKind, S extends string>({
  keys,
  space,
  access,
  points,
}: Basis<K, S>) {
  const cycleReportPlanningAttributes = space
    .table(
      "cycle_report_planning_attributes",
      {
        id: keys.generated("id"),
        lobId: keys.required("lob_id"),
        phaseId: keys.required("phase_id"),
        attributeName: varchar("attribute_name", { length: 200 }).notNull(),
        description: text("description"),
        dataType: varchar("data_type", { length: 30 }).notNull().default("text"),
        isMandatory: boolean("is_mandatory").notNull().default(false),
        isCriticalDataElement: boolean("is_critical_data_element").notNull().default(false),
        riskScore: numeric("risk_score", { precision: 5, scale: 2, mode: "number" }),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "cycle_report_planning_attributes_pkey", columns: [t.id] }),
        unique("cycle_report_planning_attributes_lob_id_id_key").on(t.lobId, t.id),
        uniqueIndex("cycle_report_planning_attributes_name_key").on(
          t.lobId,
          t.phaseId,
          sql`lower(attribute_name)`,
        ),
        points(
          "cycle_report_planning_attributes_phase_id_fkey",
          [t.lobId, t.phaseId],
          "workflow_phases",
          ["lob_id", "phase_id"],
        ),
        check("cycle_report_planning_attributes_name_filled", sql`btrim(attribute_name) <> ''`),
        check(
          "cycle_report_planning_attributes_data_type_known",
          sql`data_type in ('text', 'integer', 'decimal', 'date', 'timestamp', 'boolean', 'code')`,
        ),
        check(
          "cycle_report_planning_attributes_risk_in_range",
          sql`risk_score >= 0 and risk_score <= 100`,
        ),
        ...access.rules(t, {
          globalKeys: { cycle_report_planning_attributes_pkey: GIVEN_OUT },
          select: {
            tester: inAssignedPhases,
            test_manager: tenant,
            report_owner: inAssignedPhases,
            data_provider: inAssignedPhases,
            admin: tenant,
          },
          insert: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
          update: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
          delete: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
        }),
      ],
    )
    .enableRLS();
  return { cycleReportPlanningAttributes };
}

/**
 * Which planned attributes are tested: at most one decision for each.
 *
 * The form with integers has a key of its own beside the attribute's, which is redundant; in the form with uuids the decision is known
 * by the id of the attribute that it is about.
 */
export function scopingTable<K extends KeyKind, S extends string>(basis: Basis<K, S>) {
  const made =
    basis.keys.kind === "integer"
      ? withRedundantKeys(basis as unknown as Basis<"integer", S>)
      : consolidated(basis as unknown as Basis<"uuid", S>);
  return { cycleReportScopingAttributes: made as ScopingAttributes<S>[K] };
}

/** The table in each form. */
export interface ScopingAttributes<S extends string> {
  readonly integer: ReturnType<typeof withRedundantKeys<S>>;
  readonly uuid: ReturnType<typeof consolidated<S>>;
}

function withRedundantKeys<S extends string>(basis: Basis<"integer", S>) {
  const { keys, space } = basis;
  const columns = {
    attributeId: keys.generated("attribute_id"),
    planningAttributeId: keys.required("planning_attribute_id"),
    ...scopingColumns(basis),
  };
  return space
    .table("cycle_report_scoping_attributes", columns, (t) =>
      scopingExtras(basis, t, { key: t.attributeId, attribute: t.planningAttributeId }),
    )
    .enableRLS();
}

function consolidated<S extends string>(basis: Basis<"uuid", S>) {
  const { keys, space } = basis;
  return space
    .table(
      "cycle_report_scoping_attributes",
      // No default: it is the id of the planned attribute.
      { id: keys.required("id"), ...scopingColumns(basis) },
      (t) => scopingExtras(basis, t, { key: t.id, attribute: t.id }),
    )
    .enableRLS();
}

function scopingColumns<K extends KeyKind, S extends string>({
  keys,
  enums,
}: Pick<Basis<K, S>, "keys" | "enums">) {
  return {
    lobId: keys.required("lob_id"),
    phaseId: keys.required("phase_id"),
    decision: enums.scopingDecision("decision").notNull().default("pending"),
    rationale: text("rationale"),
    llmRationale: text("llm_rationale"),
    decidedBy: keys.optional("decided_by"),
    decidedAt: timestamp("decided_at", { withTimezone: true }),
    approvedBy: keys.optional("approved_by"),
    approvedAt: timestamp("approved_at", { withTimezone: true }),
    ...writtenAt(),
  };
}

type ScopingColumn = "lobId" | "phaseId" | "decidedBy" | "approvedBy";

function scopingExtras<K extends KeyKind, S extends string>(
  { access, points }: Pick<Basis<K, S>, "access" | "points">,
  t: Readonly<Record<ScopingColumn, ExtraConfigColumn>>,
  { key, attribute }: Readonly<Record<"key" | "attribute", ExtraConfigColumn>>,
) {
  return [
    primaryKey({ name: "cycle_report_scoping_attributes_pkey", columns: [key] }),
    unique("cycle_report_scoping_attributes_attribute_key").on(t.lobId, attribute),
    points(
      "cycle_report_scoping_attributes_attribute_fkey",
      [t.lobId, attribute],
      "cycle_report_planning_attributes",
      ["lob_id", "id"],
    ),
    points(
      "cycle_report_scoping_attributes_phase_id_fkey",
      [t.lobId, t.phaseId],
      "workflow_phases",
      ["lob_id", "phase_id"],
    ),
    points("cycle_report_scoping_attributes_decided_by_fkey", [t.lobId, t.decidedBy], "users", [
      "lob_id",
      "user_id",
    ]),
    points("cycle_report_scoping_attributes_approved_by_fkey", [t.lobId, t.approvedBy], "users", [
      "lob_id",
      "user_id",
    ]),
    check(
      "cycle_report_scoping_attributes_decided_at_all",
      sql`decision = 'pending' or (decided_at is not null and btrim(rationale) <> '' and rationale is not null)`,
    ),
    check(
      "cycle_report_scoping_attributes_approved_after_decided",
      sql`approved_at is null or (decision <> 'pending' and approved_at >= decided_at)`,
    ),
    index("idx_cycle_report_scoping_attributes_phase_id").on(t.lobId, t.phaseId),
    index("idx_cycle_report_scoping_attributes_decided_by").on(t.lobId, t.decidedBy),
    index("idx_cycle_report_scoping_attributes_approved_by").on(t.lobId, t.approvedBy),
    ...access.rules(t, {
      globalKeys: { cycle_report_scoping_attributes_pkey: GIVEN_OUT },
      select: {
        tester: inAssignedPhases,
        test_manager: tenant,
        report_owner: inAssignedPhases,
        data_provider: inAssignedPhases,
        admin: tenant,
      },
      insert: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
      update: {
        tester: inAssignedPhases,
        test_manager: tenant,
        report_owner: inAssignedPhases,
        admin: tenant,
      },
      delete: { tester: inAssignedPhases, test_manager: tenant, admin: tenant },
    }),
  ];
}
