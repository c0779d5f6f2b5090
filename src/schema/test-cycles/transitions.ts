/** From which status a row may go to which; the first status is the one in which it is born. */
export interface Transitions {
  readonly first: string;
  readonly next: Readonly<Record<string, readonly string[]>>;
}

/** The legal transitions by table. A trigger keeps them, whoever writes. */
export const TRANSITIONS = {
  test_cycles: {
    first: "planning",
    next: { planning: ["active", "cancelled"], active: ["completed", "cancelled"] },
  },
  cycle_reports: {
    first: "not_started",
    next: {
      not_started: ["in_progress"],
      in_progress: ["completed"],
      // Reopened.
      completed: ["in_progress"],
    },
  },
  workflow_phases: {
    first: "not_started",
    next: {
      not_started: ["in_progress", "skipped"],
      in_progress: ["pending_review"],
      pending_review: ["in_progress", "completed"],
      completed: ["in_progress"],
      skipped: ["not_started"],
    },
  },
  samples: {
    first: "proposed",
    next: { proposed: ["approved", "rejected"], rejected: ["proposed"] },
  },
  observations: {
    first: "draft",
    next: {
      draft: ["submitted"],
      submitted: ["acknowledged", "disputed"],
      disputed: ["submitted", "closed"],
      acknowledged: ["resolved"],
      resolved: ["acknowledged", "closed"],
    },
  },
  requests_for_information: {
    first: "open",
    next: {
      open: ["submitted", "cancelled"],
      submitted: ["accepted", "returned"],
      returned: ["submitted", "cancelled"],
    },
  },
} as const satisfies Readonly<Record<string, Transitions>>;
