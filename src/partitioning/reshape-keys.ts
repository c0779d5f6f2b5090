import type { Lock, Step } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import type { OutgoingKey } from "./reshape-of.ts";
import type { Leaf } from "./reshape-sql.ts";

/** A foreign key for a table that is being filled: NOT VALID first, then proved while reads and writes go on. */
export function keySteps(
  schema: string,
  leaf: Pick<Leaf, "name">,
  key: OutgoingKey,
): readonly Step[] {
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
