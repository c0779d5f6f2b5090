import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  index,
  numeric,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isAmount, isOneOf, moment, ofCompany, ofSite, within, writtenAt } from "../columns.ts";
import { GROWTH_STAGES, OBSERVATION_KINDS, PLACEMENT_HEIGHTS, PLACEMENTS } from "../words.ts";
import type { Submissions } from "./submissions.ts";

const RULES = {
  select: { admin: tenant, operator: tenant, viewer: tenant },
  insert: { admin: tenant, operator: tenant },
  update: { admin: tenant, operator: tenant },
  delete: { admin: tenant },
} as const;

const percent = <const N extends string>(name: N) => numeric(name, { precision: 5, scale: 2 });

/** What leads every observation: whose, where, when, which. */
function identity() {
  return {
    companyId: ofCompany(),
    ...ofSite(),
    ...writtenAt(),
    observationId: uuid("observation_id").notNull().defaultRandom(),
    submissionId: uuid("submission_id").notNull(),
  };
}

/** What is seen and measured on a petri dish. */
function petriColumns() {
  return {
    ...identity(),
    dishCode: text("dish_code").notNull(),
    placement: text("placement", { enum: PLACEMENTS }).notNull().default("indoor"),
    fungicideUsed: boolean("fungicide_used").notNull().default(false),
    growthStage: text("growth_stage", { enum: GROWTH_STAGES }),
    /** 0 is none, 100 a covered dish. */
    growthIndex: percent("growth_index"),
    growthAreaMm2: numeric("growth_area_mm2", { precision: 9, scale: 2 }),
    ph: numeric("ph", { precision: 4, scale: 2 }),
    temperatureC: numeric("temperature_c", { precision: 5, scale: 2 }),
    humidityPercent: percent("humidity_percent"),
    imagePath: text("image_path"),
    notes: text("notes"),
  };
}

/** What is true of a petri dish, wherever it is kept. */
function petriChecks(table: string) {
  return [
    check(`${table}_placement_known`, isOneOf("placement", PLACEMENTS)),
    check(`${table}_growth_stage_known`, isOneOf("growth_stage", GROWTH_STAGES)),
    check(`${table}_growth_index_real`, within(["growth_index"], 0, 100)),
    check(`${table}_growth_area_mm2_real`, isAmount("growth_area_mm2")),
    check(`${table}_ph_real`, within(["ph"], 0, 14)),
    check(`${table}_temperature_c_real`, within(["temperature_c"], -90, 90)),
    check(`${table}_humidity_percent_real`, within(["humidity_percent"], 0, 100)),
  ];
}

/**
 * Petri dishes, one partition per program, site and month.
 *
 * The partition columns are in the primary key, as they must be (0A000 otherwise), and so `ON CONFLICT (observation_id)` finds no key to
 * meet (42P10); the locator keeps the id unique. One composite foreign key holds company, program and site together: each
 * more would be one more lock on a busy table whenever a partition is attached.
 */
export function petriObservationsTable<S extends string>(
  { space, access }: Place<S>,
  { submissions }: { readonly submissions: Submissions },
) {
  return space
    .table("petri_observations", petriColumns(), (t) => [
      primaryKey({
        name: "petri_observations_pkey",
        columns: [t.companyId, t.programId, t.siteId, t.createdAt, t.observationId],
      }),
      foreignKey({
        name: "petri_observations_submission_fkey",
        columns: [t.companyId, t.submissionId, t.programId, t.siteId],
        foreignColumns: [
          submissions.companyId,
          submissions.submissionId,
          submissions.programId,
          submissions.siteId,
        ],
      }),
      index("petri_observations_submission_idx").on(
        t.companyId,
        t.submissionId,
        t.programId,
        t.siteId,
      ),
      ...petriChecks("petri_observations"),
      ...access.rules(t, RULES),
    ])
    .enableRLS();
}

/** The table of {@link petriObservationsTable}. */
export type PetriObservations = ReturnType<typeof petriObservationsTable>;

/** Gasifiers, partitioned as petri dishes are. */
export function gasifierObservationsTable<S extends string>(
  { space, access }: Place<S>,
  { submissions }: { readonly submissions: Submissions },
) {
  return space
    .table(
      "gasifier_observations",
      {
        ...identity(),
        gasifierCode: text("gasifier_code").notNull(),
        chemicalType: text("chemical_type"),
        placementHeight: text("placement_height", { enum: PLACEMENT_HEIGHTS }),
        /** Grams of the chemical that are left. */
        measureG: numeric("measure_g", { precision: 9, scale: 3 }),
        temperatureC: numeric("temperature_c", { precision: 6, scale: 2 }),
        pressureKpa: numeric("pressure_kpa", { precision: 7, scale: 2 }),
        flowRateLMin: numeric("flow_rate_l_min", { precision: 8, scale: 3 }),
        hydrogenPercent: percent("hydrogen_percent"),
        carbonMonoxidePercent: percent("carbon_monoxide_percent"),
        carbonDioxidePercent: percent("carbon_dioxide_percent"),
        methanePercent: percent("methane_percent"),
        oxygenPercent: percent("oxygen_percent"),
        imagePath: text("image_path"),
        notes: text("notes"),
      },
      (t) => [
        primaryKey({
          name: "gasifier_observations_pkey",
          columns: [t.companyId, t.programId, t.siteId, t.createdAt, t.observationId],
        }),
        foreignKey({
          name: "gasifier_observations_submission_fkey",
          columns: [t.companyId, t.submissionId, t.programId, t.siteId],
          foreignColumns: [
            submissions.companyId,
            submissions.submissionId,
            submissions.programId,
            submissions.siteId,
          ],
        }),
        index("gasifier_observations_submission_idx").on(
          t.companyId,
          t.submissionId,
          t.programId,
          t.siteId,
        ),
        check(
          "gasifier_observations_placement_height_known",
          isOneOf("placement_height", PLACEMENT_HEIGHTS),
        ),
        check("gasifier_observations_measure_g_real", isAmount("measure_g")),
        check("gasifier_observations_temperature_c_real", within(["temperature_c"], -90, 1500)),
        check("gasifier_observations_pressure_kpa_real", isAmount("pressure_kpa")),
        check("gasifier_observations_flow_rate_l_min_real", isAmount("flow_rate_l_min")),
        check(
          "gasifier_observations_gas_percent_real",
          within(
            [
              "hydrogen_percent",
              "carbon_monoxide_percent",
              "carbon_dioxide_percent",
              "methane_percent",
              "oxygen_percent",
            ],
            0,
            100,
          ),
        ),
        check(
          "gasifier_observations_gas_at_most_whole",
          sql`coalesce(hydrogen_percent, 0) + coalesce(carbon_monoxide_percent, 0) + coalesce(carbon_dioxide_percent, 0) + coalesce(methane_percent, 0) + coalesce(oxygen_percent, 0) <= 100`,
        ),
        ...access.rules(t, RULES),
      ],
    )
    .enableRLS();
}

/** The table of {@link gasifierObservationsTable}. */
export type GasifierObservations = ReturnType<typeof gasifierObservationsTable>;

/**
 * Petri dishes by submission, for who looks at one session at a time: a copy that a trigger keeps.
 *
 * Partitioned by HASH: a list would be one table for each visit, thousands of them, and none could be made before its first row. Sixteen are
 * there from the beginning.
 */
export function petriObservationsBySubmissionTable<S extends string>({ space, access }: Place<S>) {
  return space
    .table("petri_observations_by_submission", petriColumns(), (t) => [
      primaryKey({
        name: "petri_observations_by_submission_pkey",
        columns: [t.companyId, t.submissionId, t.observationId],
      }),
      ...petriChecks("petri_observations_by_submission"),
      ...access.rules(t, { select: RULES.select }),
    ])
    .enableRLS();
}

/** The table of {@link petriObservationsBySubmissionTable}. */
export type PetriObservationsBySubmission = ReturnType<typeof petriObservationsBySubmissionTable>;

/** Where an observation is: the keys of its partition by its id, which alone would make a query visit every partition. */
export function observationLocatorTable<S extends string>({ space, access }: Place<S>) {
  return space
    .table(
      "observation_locator",
      {
        companyId: ofCompany(),
        observationId: uuid("observation_id").notNull(),
        kind: text("kind", { enum: OBSERVATION_KINDS }).notNull(),
        submissionId: uuid("submission_id").notNull(),
        ...ofSite(),
        createdAt: moment("created_at").notNull(),
      },
      (t) => [
        primaryKey({
          name: "observation_locator_pkey",
          columns: [t.companyId, t.observationId],
        }),
        index("observation_locator_submission_idx").on(t.companyId, t.submissionId),
        check("observation_locator_kind_known", isOneOf("kind", OBSERVATION_KINDS)),
        ...access.rules(t, { select: RULES.select }),
      ],
    )
    .enableRLS();
}

/** The table of {@link observationLocatorTable}. */
export type ObservationLocator = ReturnType<typeof observationLocatorTable>;
