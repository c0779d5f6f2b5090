/** The words that columns take, for their CHECKs and for validation. */

/** `users.role`; each is a persona. */
export const ROLES = ["admin", "operator", "viewer"] as const;
/** `companies.status` */
export const COMPANY_STATUSES = ["active", "suspended", "closed"] as const;
/** `pilot_programs.status` */
export const PROGRAM_STATUSES = ["planned", "active", "paused", "completed", "cancelled"] as const;
/** `sites.kind` */
export const SITE_KINDS = ["greenhouse", "field", "storage", "transport", "laboratory"] as const;
/** `submissions.status` */
export const SUBMISSION_STATUSES = ["draft", "submitted", "reviewed", "rejected"] as const;
/** `petri_observations.placement` */
export const PLACEMENTS = ["indoor", "outdoor"] as const;
/** `petri_observations.growth_stage` */
export const GROWTH_STAGES = ["none", "trace", "low", "moderate", "high", "overgrown"] as const;
/** `gasifier_observations.placement_height` */
export const PLACEMENT_HEIGHTS = ["low", "middle", "high"] as const;
/** `observation_locator.kind`: in which table an observation is. */
export const OBSERVATION_KINDS = ["petri", "gasifier"] as const;
