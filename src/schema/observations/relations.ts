import { relations } from "drizzle-orm";
import * as tables from "./definition.ts";
import type { observations } from "./observations.ts";

/** The tables of the domain in any schema. */
type ObservationsTables = Omit<
  ReturnType<typeof observations<string, string>>,
  "access" | "schemes" | "definition" | "observationsSchema" | "managementSchema"
>;

/**
 * The relations of the tables of observations that a host has bound for itself: `observationsRelations(observations({ … }))`.
 *
 * Each foreign key is there from both of its ends, named for its column, all of its columns in the join: what is found is of the same
 * company. Row security holds for what is joined too: a row that the reader may not see is null, whatever the type says.
 * The copy by submission and the locator have no foreign key, for the sake of writers; their submission is that of the observation.
 */
export function observationsRelations(t: ObservationsTables) {
  return {
    companiesRelations: relations(t.companies, ({ many }) => ({
      users: many(t.users),
      pilotPrograms: many(t.pilotPrograms),
    })),
    usersRelations: relations(t.users, ({ one, many }) => ({
      company: one(t.companies, {
        fields: [t.users.companyId],
        references: [t.companies.companyId],
      }),
      submissions: many(t.submissions),
    })),
    pilotProgramsRelations: relations(t.pilotPrograms, ({ one, many }) => ({
      company: one(t.companies, {
        fields: [t.pilotPrograms.companyId],
        references: [t.companies.companyId],
      }),
      sites: many(t.sites),
    })),
    sitesRelations: relations(t.sites, ({ one, many }) => ({
      program: one(t.pilotPrograms, {
        fields: [t.sites.companyId, t.sites.programId],
        references: [t.pilotPrograms.companyId, t.pilotPrograms.programId],
      }),
      submissions: many(t.submissions),
    })),
    submissionsRelations: relations(t.submissions, ({ one, many }) => ({
      site: one(t.sites, {
        fields: [t.submissions.companyId, t.submissions.programId, t.submissions.siteId],
        references: [t.sites.companyId, t.sites.programId, t.sites.siteId],
      }),
      submittedByUser: one(t.users, {
        fields: [t.submissions.companyId, t.submissions.submittedBy],
        references: [t.users.companyId, t.users.id],
      }),
      petriObservations: many(t.petriObservations),
      gasifierObservations: many(t.gasifierObservations),
      petriObservationsBySubmission: many(t.petriObservationsBySubmission),
      observationLocator: many(t.observationLocator),
    })),
    petriObservationsRelations: relations(t.petriObservations, ({ one }) => ({
      submission: one(t.submissions, {
        fields: [
          t.petriObservations.companyId,
          t.petriObservations.submissionId,
          t.petriObservations.programId,
          t.petriObservations.siteId,
        ],
        references: [
          t.submissions.companyId,
          t.submissions.submissionId,
          t.submissions.programId,
          t.submissions.siteId,
        ],
      }),
    })),
    gasifierObservationsRelations: relations(t.gasifierObservations, ({ one }) => ({
      submission: one(t.submissions, {
        fields: [
          t.gasifierObservations.companyId,
          t.gasifierObservations.submissionId,
          t.gasifierObservations.programId,
          t.gasifierObservations.siteId,
        ],
        references: [
          t.submissions.companyId,
          t.submissions.submissionId,
          t.submissions.programId,
          t.submissions.siteId,
        ],
      }),
    })),
    petriObservationsBySubmissionRelations: relations(
      t.petriObservationsBySubmission,
      ({ one }) => ({
        submission: one(t.submissions, {
          fields: [
            t.petriObservationsBySubmission.companyId,
            t.petriObservationsBySubmission.submissionId,
          ],
          references: [t.submissions.companyId, t.submissions.submissionId],
        }),
      }),
    ),
    observationLocatorRelations: relations(t.observationLocator, ({ one }) => ({
      submission: one(t.submissions, {
        fields: [t.observationLocator.companyId, t.observationLocator.submissionId],
        references: [t.submissions.companyId, t.submissions.submissionId],
      }),
    })),
  };
}

/** The relations of the ready tables: `drizzle(client, { schema: { ...tables, ...relations } })`. */
export const {
  companiesRelations,
  gasifierObservationsRelations,
  observationLocatorRelations,
  petriObservationsBySubmissionRelations,
  petriObservationsRelations,
  pilotProgramsRelations,
  sitesRelations,
  submissionsRelations,
  usersRelations,
} = observationsRelations(tables);
