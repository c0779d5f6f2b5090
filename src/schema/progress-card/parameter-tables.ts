import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  numeric,
  text,
  unique,
  uuid,
  type PgSchema,
} from "drizzle-orm/pg-core";
import type { ProgressCardAccess } from "./access.ts";
import type { ProgressCardEnums } from "./enums.ts";
import { configuration, type InstitutionTables } from "./institution-tables.ts";
import { authorship, hpcKeys, ownRow, within } from "./shared-columns.ts";

/** One level of a rubric: what a performance from a score on is called. */
export interface RubricLevel {
  readonly name: string;
  readonly descriptor: string;
  readonly from: number;
}

/** What is evaluated, on which scale, with which weight, and when. */
export function parameterTables(
  namespace: PgSchema,
  { hpcCycleStatus, hpcParameterCategory, hpcStage, hpcStakeholder }: ProgressCardEnums,
  access: ProgressCardAccess,
  tables: InstitutionTables,
) {
  const hpcParameters = namespace
    .table(
      "hpc_parameters",
      {
        ...ownRow(),
        code: text("code").notNull(),
        name: text("name").notNull(),
        category: hpcParameterCategory("category").notNull(),
        description: text("description"),
        sortOrder: integer("sort_order").notNull().default(0),
        isActive: boolean("is_active").notNull().default(true),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_parameters", t, tables),
        unique("hpc_parameters_code_key").on(t.institutionId, t.code),
        check("hpc_parameters_code_form", sql`code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'`),
        check("hpc_parameters_name_filled", sql`btrim(name) <> ''`),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const hpcRubrics = namespace
    .table(
      "hpc_rubrics",
      {
        ...ownRow(),
        parameterId: uuid("parameter_id").notNull(),
        stage: hpcStage("stage").notNull(),
        name: text("name").notNull(),
        version: integer("version").notNull().default(1),
        scaleMin: numeric("scale_min", { precision: 6, scale: 2 }).notNull().default("0"),
        scaleMax: numeric("scale_max", { precision: 6, scale: 2 }).notNull(),
        levels: jsonb("levels").$type<readonly RubricLevel[]>().notNull(),
        isActive: boolean("is_active").notNull().default(true),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_rubrics", t, tables),
        within("hpc_rubrics_parameter_fk", t, t.parameterId, hpcParameters),
        unique("hpc_rubrics_version_key").on(
          t.institutionId,
          t.parameterId,
          t.stage,
          t.name,
          t.version,
        ),
        // What an evaluation points to: its scale with it, so that a scale in use cannot change.
        unique("hpc_rubrics_scale_key").on(
          t.institutionId,
          t.parameterId,
          t.id,
          t.scaleMin,
          t.scaleMax,
        ),
        // NaN is above every number, and then every score lies below it.
        check("hpc_rubrics_scale", sql`scale_max > scale_min AND scale_max <> 'NaN'`),
        check("hpc_rubrics_version_positive", sql`version > 0`),
        check("hpc_rubrics_name_filled", sql`btrim(name) <> ''`),
        // Counted, since a filter that meets a missing key is unknown, and an unknown check passes.
        check(
          "hpc_rubrics_levels_form",
          sql`CASE WHEN jsonb_typeof(levels) = 'array' THEN jsonb_array_length(levels) BETWEEN 1 AND 12 AND jsonb_array_length(levels) = jsonb_array_length(jsonb_path_query_array(levels, 'strict $[*] ? (@.name.type() == "string" && @.descriptor.type() == "string" && @.from.type() == "number")')) ELSE false END`,
        ),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const hpcEvaluationCycles = namespace
    .table(
      "hpc_evaluation_cycles",
      {
        ...ownRow(),
        termId: uuid("term_id").notNull(),
        name: text("name").notNull(),
        startsOn: date("starts_on").notNull(),
        endsOn: date("ends_on").notNull(),
        status: hpcCycleStatus("status").notNull().default("planned"),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_evaluation_cycles", t, tables),
        within("hpc_evaluation_cycles_term_fk", t, t.termId, tables.academicTerms),
        unique("hpc_evaluation_cycles_name_key").on(t.institutionId, t.termId, t.name),
        check("hpc_evaluation_cycles_period", sql`ends_on >= starts_on`),
        check("hpc_evaluation_cycles_name_filled", sql`btrim(name) <> ''`),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  const hpcParameterAssignments = namespace
    .table(
      "hpc_parameter_assignments",
      {
        ...ownRow(),
        cycleId: uuid("cycle_id").notNull(),
        stage: hpcStage("stage").notNull(),
        parameterId: uuid("parameter_id").notNull(),
        stakeholder: hpcStakeholder("stakeholder").notNull(),
        weight: numeric("weight", { precision: 5, scale: 4 }).notNull(),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_parameter_assignments", t, tables),
        within("hpc_parameter_assignments_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        within("hpc_parameter_assignments_parameter_fk", t, t.parameterId, hpcParameters),
        unique("hpc_parameter_assignments_share_key").on(
          t.institutionId,
          t.cycleId,
          t.stage,
          t.parameterId,
          t.stakeholder,
        ),
        index("hpc_parameter_assignments_parameter_idx").on(t.institutionId, t.parameterId),
        check("hpc_parameter_assignments_weight_range", sql`weight > 0 AND weight <= 1`),
        ...access.rules(t, configuration),
      ],
    )
    .enableRLS();

  return { hpcParameters, hpcRubrics, hpcEvaluationCycles, hpcParameterAssignments };
}

/** What {@link parameterTables} makes. */
export type ParameterTables = ReturnType<typeof parameterTables>;
