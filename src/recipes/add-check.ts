import { plan } from "../plan/plan.ts";
import type { Lock, Plan } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";

/** Which CHECK to add. */
export interface AddCheckOptions extends TableTarget {
  readonly name: string;
  /** What must not be false of a row, as SQL: `price >= 0`. */
  readonly expression: string;
}

/**
 * Adds a CHECK without a scan under a lock that makes anybody wait: NOT VALID first, which new rows keep, then VALIDATE.
 *
 * VALIDATE reads the old rows under SHARE UPDATE EXCLUSIVE, which reads and writes pass through. Row security does not hide rows
 * from it (15 and 18).
 *
 * @example
 * const plan = addCheck({ table: "users", name: "users_email_filled", expression: "email <> ''" });
 * plan.name; // "add-check-public-users-users_email_filled"
 */
export function addCheck(options: AddCheckOptions): Plan {
  const { name, expression } = options;
  const target = targetOf(options);
  const alter = `ALTER TABLE ${qualified(target.schema, target.name)}`;
  const lock = (mode: Lock["mode"]): readonly Lock[] => [{ ...target, mode, partitions: true }];
  return plan(`add-check-${target.schema}-${target.name}-${name}`, [
    {
      kind: "sql",
      id: "add",
      title: `New rows must keep ${name}`,
      sql: `${alter} ADD CONSTRAINT ${ident(name)} CHECK (${expression}) NOT VALID`,
      locks: lock("accessExclusive"),
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `${alter} DROP CONSTRAINT ${ident(name)}`,
        locks: lock("accessExclusive"),
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: "validate",
      title: "Scan the old rows while reads and writes go on",
      sql: `${alter} VALIDATE CONSTRAINT ${ident(name)}`,
      locks: lock("shareUpdateExclusive"),
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ]);
}
