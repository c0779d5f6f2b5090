import type { Lock, Step } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import type { OutgoingKey } from "./reshape-of.ts";
import type { Leaf } from "./reshape-sql.ts";

/**
 * Foreign keys in the order in which they can be proved: all of them NOT VALID, so that nothing more is deleted that is referred to; then the
 * log, since a row that was deleted with what it referred to may still be in the copy (23503); then the proofs.
 */
export function provedKeys(
  keys: readonly (readonly [add: Step, validate: Step])[],
  catchUp: Step,
): readonly Step[] {
  if (keys.length === 0) return [];
  return [...keys.map(([add]) => add), catchUp, ...keys.map(([, validate]) => validate)];
}

/** A foreign key for a table that is being filled: NOT VALID first, then proved while reads and writes go on. */
export function keySteps(
  schema: string,
  leaf: Pick<Leaf, "name">,
  key: OutgoingKey,
): readonly [add: Step, validate: Step] {
  const table = qualified(schema, leaf.name);
  const own = (mode: Lock["mode"]): Lock => ({ schema, name: leaf.name, mode });
  return [
    {
      kind: "sql",
      id: `key/${leaf.name}/${key.name}`,
      title: `Add the foreign key ${key.name} to ${leaf.name} without a look at its rows`,
      sql: `ALTER TABLE ${table} ADD CONSTRAINT ${ident(key.name)} ${key.definition} NOT VALID`,
      locks: [own("shareRowExclusive"), { ...key.to, mode: "shareRowExclusive" }],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `ALTER TABLE ${table} DROP CONSTRAINT ${ident(key.name)}`,
        locks: [own("accessExclusive"), { ...key.to, mode: "accessExclusive" }],
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: `validate/${leaf.name}/${key.name}`,
      title: `Prove ${key.name} of ${leaf.name} while reads and writes go on`,
      sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${ident(key.name)}`,
      locks: [own("shareUpdateExclusive"), own("accessShare"), { ...key.to, mode: "rowShare" }],
      rows: [{ ...key.to, access: "read" }],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}
