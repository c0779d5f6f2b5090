/**
 * PostgreSQL's eight table lock modes, weakest first, and which of them exclude each other.
 */

/** The lock modes of PostgreSQL, weakest first. */
export const LOCK_MODES = [
  "accessShare", // SELECT
  "rowShare", // SELECT … FOR …, the referenced side of a foreign key being validated
  "rowExclusive", // INSERT, UPDATE, DELETE
  "shareUpdateExclusive", // VALIDATE, CREATE INDEX CONCURRENTLY, VACUUM: reads and writes go on
  "share", // CREATE INDEX: reads go on
  "shareRowExclusive", // CREATE TRIGGER, ADD FOREIGN KEY: reads go on
  "exclusive", // REFRESH MATERIALIZED VIEW CONCURRENTLY: reads go on
  "accessExclusive", // most of ALTER TABLE: nothing goes on
] as const;

/** One of PostgreSQL's table lock modes. */
export type LockMode = (typeof LOCK_MODES)[number];

/** The lock modes as `pg_locks.mode` prints them. */
export const PG_LOCK_MODE = {
  accessShare: "AccessShareLock",
  rowShare: "RowShareLock",
  rowExclusive: "RowExclusiveLock",
  shareUpdateExclusive: "ShareUpdateExclusiveLock",
  share: "ShareLock",
  shareRowExclusive: "ShareRowExclusiveLock",
  exclusive: "ExclusiveLock",
  accessExclusive: "AccessExclusiveLock",
} as const satisfies Record<LockMode, string>;

/** A mode as PostgreSQL's manual writes it: `SHARE UPDATE EXCLUSIVE`. */
export function lockModeText(mode: LockMode): string {
  return PG_LOCK_MODE[mode]
    .replace(/Lock$/, "")
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toUpperCase();
}

/** How strong a mode is: 0 for `accessShare` up to 7. */
export function lockRank(mode: LockMode): number {
  return LOCK_MODES.indexOf(mode);
}

/** Which modes a mode must wait for (the conflict table of the PostgreSQL manual, §13.3.1). */
export const CONFLICTS: Readonly<Record<LockMode, readonly LockMode[]>> = {
  accessShare: ["accessExclusive"],
  rowShare: ["exclusive", "accessExclusive"],
  rowExclusive: ["share", "shareRowExclusive", "exclusive", "accessExclusive"],
  shareUpdateExclusive: [
    "shareUpdateExclusive",
    "share",
    "shareRowExclusive",
    "exclusive",
    "accessExclusive",
  ],
  share: [
    "rowExclusive",
    "shareUpdateExclusive",
    "shareRowExclusive",
    "exclusive",
    "accessExclusive",
  ],
  shareRowExclusive: [
    "rowExclusive",
    "shareUpdateExclusive",
    "share",
    "shareRowExclusive",
    "exclusive",
    "accessExclusive",
  ],
  exclusive: LOCK_MODES.slice(1),
  accessExclusive: LOCK_MODES,
};

/** Whether the mode makes an application's writes wait: it must be held for moments only. */
export function blocksWrites(mode: LockMode): boolean {
  return CONFLICTS[mode].includes("rowExclusive");
}
