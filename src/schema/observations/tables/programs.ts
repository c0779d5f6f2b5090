import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  date,
  doublePrecision,
  foreignKey,
  index,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isCode, isOneOf, ofCompany, ofSite, within, writtenAt } from "../columns.ts";
import { PROGRAM_STATUSES, SITE_KINDS } from "../words.ts";
import type { Companies } from "./companies.ts";

const RULES = {
  select: { admin: tenant, operator: tenant, viewer: tenant },
  insert: { admin: tenant },
  update: { admin: tenant },
  delete: { admin: tenant },
} as const;

/** Pilot programs: the first dimension of the observations. */
export function pilotProgramsTable<S extends string>(
  { space, access }: Place<S>,
  { companies }: { readonly companies: Companies },
) {
  return space
    .table(
      "pilot_programs",
      {
        companyId: ofCompany(),
        programId: text("program_id").notNull(),
        name: text("name").notNull(),
        description: text("description"),
        status: text("status", { enum: PROGRAM_STATUSES }).notNull().default("planned"),
        startDate: date("start_date").notNull(),
        /** The day after which nothing is observed, and no partition made; open while NULL. */
        endDate: date("end_date"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "pilot_programs_pkey", columns: [t.companyId, t.programId] }),
        foreignKey({
          name: "pilot_programs_company_fkey",
          columns: [t.companyId],
          foreignColumns: [companies.companyId],
        }),
        // Partitions are made by program, for all companies that have one of that code.
        index("pilot_programs_program_idx").on(t.programId),
        check("pilot_programs_program_id_is_code", isCode("program_id")),
        check("pilot_programs_name_filled", sql`length(btrim(name)) > 0`),
        check("pilot_programs_status_known", isOneOf("status", PROGRAM_STATUSES)),
        check("pilot_programs_ends_after_start", sql`end_date >= start_date`),
        ...access.rules(t, RULES),
      ],
    )
    .enableRLS();
}

/** The table of {@link pilotProgramsTable}. */
export type PilotPrograms = ReturnType<typeof pilotProgramsTable>;

/** Where is observed: the second dimension. */
export function sitesTable<S extends string>(
  { space, access }: Place<S>,
  { pilotPrograms }: { readonly pilotPrograms: PilotPrograms },
) {
  return space
    .table(
      "sites",
      {
        companyId: ofCompany(),
        ...ofSite(),
        name: text("name").notNull(),
        kind: text("kind", { enum: SITE_KINDS }).notNull().default("greenhouse"),
        latitude: doublePrecision("latitude"),
        longitude: doublePrecision("longitude"),
        timeZone: text("time_zone").notNull().default("UTC"),
        isActive: boolean("is_active").notNull().default(true),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "sites_pkey", columns: [t.companyId, t.programId, t.siteId] }),
        foreignKey({
          name: "sites_program_fkey",
          columns: [t.companyId, t.programId],
          foreignColumns: [pilotPrograms.companyId, pilotPrograms.programId],
        }),
        // As of programs: partitions are made by program.
        index("sites_program_idx").on(t.programId, t.siteId),
        check("sites_site_id_is_code", isCode("site_id")),
        check("sites_name_filled", sql`length(btrim(name)) > 0`),
        check("sites_kind_known", isOneOf("kind", SITE_KINDS)),
        check("sites_latitude_on_earth", within(["latitude"], -90, 90)),
        check("sites_longitude_on_earth", within(["longitude"], -180, 180)),
        check("sites_position_whole", sql`(latitude IS NULL) = (longitude IS NULL)`),
        ...access.rules(t, RULES),
      ],
    )
    .enableRLS();
}

/** The table of {@link sitesTable}. */
export type Sites = ReturnType<typeof sitesTable>;
