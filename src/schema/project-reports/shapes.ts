/** What the jsonb columns hold. CHECKs hold the outer form, and that every section has an id; the rest is the application's. */

/** One section of a report or template. */
export interface Section {
  readonly id: string;
  readonly title?: string;
  readonly content?: string;
  readonly [key: string]: unknown;
}

/** Any JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a change of a report leaves in its `audit_log`. */
export interface AuditEntry {
  readonly at: string;
  readonly by: string | null;
  readonly action: "created" | "edited" | "status";
  readonly fields?: readonly string[];
  readonly from?: string;
  readonly to?: string;
}

/** Somebody in a collaborative session. */
export interface Participant {
  readonly userId: string;
  readonly role: "owner" | "editor" | "reviewer" | "viewer";
  readonly [key: string]: unknown;
}

/** What the two of a conflict become. */
export const CONFLICT_STRATEGIES = ["last_write_wins", "manual", "merge"] as const;

/** What the two of a conflict become. */
export type ConflictStrategy = (typeof CONFLICT_STRATEGIES)[number];
