import type { ApprovalStatus } from "./enums.ts";

/**
 * From which status a report may go to which. A trigger enforces it, and validation reads it.
 *
 * Nothing leads on from `published`: what a family has read is corrected by a new version of the report.
 */
export const legalTransitions: Readonly<Record<ApprovalStatus, readonly ApprovalStatus[]>> = {
  draft: ["submitted"],
  submitted: ["under_review", "draft"],
  under_review: ["approved", "rejected", "revision_requested"],
  revision_requested: ["submitted"],
  approved: ["published", "revision_requested"],
  rejected: ["draft"],
  published: [],
};

/** The statuses that only an administrator sets. */
export const reviewerStatuses: readonly ApprovalStatus[] = [
  "under_review",
  "revision_requested",
  "approved",
  "rejected",
  "published",
];
