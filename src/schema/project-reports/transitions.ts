/**
 * From which state a row may go to which, as data: triggers are made of it and validation reads it. The first state of each is the one
 * in which a row begins.
 */
export const legalTransitions = {
  pmrStatus: {
    draft: ["review", "archived"],
    review: ["draft", "approved"],
    approved: ["review", "distributed"],
    distributed: ["archived"],
    archived: [],
  },
  validationStatus: {
    pending: ["validated", "rejected", "needs_review"],
    needs_review: ["validated", "rejected"],
    validated: ["needs_review"],
    rejected: ["needs_review"],
  },
  exportJobStatus: {
    queued: ["processing", "cancelled"],
    processing: ["completed", "failed", "cancelled"],
    failed: ["queued"],
    completed: [],
    cancelled: [],
  },
  distributionStatus: {
    pending: ["sent", "failed"],
    sent: ["delivered", "opened", "bounced", "failed"],
    delivered: ["opened"],
    failed: ["pending"],
    opened: [],
    bounced: [],
  },
} as const satisfies Readonly<Record<string, Transitions>>;

/** For each state those that may follow it. */
export type Transitions = Readonly<Record<string, readonly string[]>>;
