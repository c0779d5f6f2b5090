import type { DatabaseObject } from "../../objects/object.ts";
import { pgComment } from "../../objects/pg-comment.ts";

const TABLES: Readonly<Record<string, string>> = {
  companies: "The tenants.",
  users: "Who works in a company; id is that of the sign-in.",
  pilot_programs: "Pilot programs, the first dimension of the observations.",
  sites: "Where is observed, the second dimension.",
  submissions: "One visit of one person to one site.",
  petri_observations: "Petri dishes, one partition per program, site and month.",
  gasifier_observations: "Gasifiers, one partition per program, site and month.",
  petri_observations_by_submission:
    "A copy of petri_observations by submission, which a trigger keeps.",
  observation_locator: "In which partition an observation is, by its id; a trigger keeps it.",
  provision_requests: "Programs and sites whose partitions are still to be made.",
};

const COLUMNS: readonly (readonly [table: string, column: string, text: string])[] = [
  ["pilot_programs", "program_id", "A short code, which stands in the names of partitions."],
  ["pilot_programs", "end_date", "The last day; NULL while it is open."],
  ["sites", "site_id", "A short code, which stands in the names of partitions."],
  ["petri_observations", "growth_index", "From 0, none, to 100, a covered dish."],
  ["gasifier_observations", "measure_g", "Grams of the chemical that are left."],
  ["provision_requests", "site_id", "NULL for all sites of the program."],
];

/** What the tables and columns are for. */
export function commentsOf(schema: string): readonly DatabaseObject[] {
  return [
    ...Object.entries(TABLES).map(([table, text]) => pgComment({ schema, table, text })),
    ...COLUMNS.map(([table, column, text]) => pgComment({ schema, table, column, text })),
  ];
}
