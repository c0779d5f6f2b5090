import type { Lock, Step } from "../../plan/step.ts";
import { buildStep } from "../../recipes/build-index.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import type { Conversion } from "./conversion.ts";

const NOTHING = { kind: "nothing" } as const;

/** Rows that refer by more columns than before have to agree in them, or the new key could not be proved once the other is gone. */
export function agreesStep(
  { schema, table, key }: Conversion,
  incoming: Conversion["incoming"][number],
): readonly Step[] {
  const { constraint, becomes } = incoming;
  if (becomes === null || becomes.definition === constraint.definition) return [];
  const on = becomes.columns.map(
    (column, at) => `o.${ident(key[at]?.name ?? "")} = c.${ident(column)}`,
  );
  const filled = becomes.columns.map((column) => `c.${ident(column)} IS NOT NULL`);
  const from = { schema: constraint.schema, name: constraint.table };
  return [
    {
      kind: "check",
      id: `agrees/${constraint.table}/${constraint.name}`,
      title: `Each row of ${constraint.table} has the values of the row that ${constraint.name} refers to`,
      sql: `SELECT ${becomes.columns.map((column) => `c.${ident(column)}`).join(", ")}, 'refers to a row with other values' AS reason
FROM ${qualified(from.schema, from.name)} AS c
WHERE ${filled.join(" AND ")} AND NOT EXISTS (SELECT FROM ${qualified(schema, table.name)} AS o WHERE ${on.join(" AND ")}) LIMIT 20`,
      expect: "noRows",
      rows: [
        { ...from, access: "read" },
        { schema, name: table.name, access: "read" },
      ],
      transaction: "commitAfter",
      undo: NOTHING,
    },
  ];
}

/** A unique index over the new key on the table as it is, for an application that names it before the swap. */
export function wideKeyStep({ schema, table, key, wideKey }: Conversion): readonly Step[] {
  const [first, ...rest] = key.map(({ name }) => name);
  return wideKey === null || first === undefined
    ? []
    : [
        buildStep(
          { parts: [first, ...rest], unique: true },
          { schema, name: table.name },
          wideKey,
          "wide-key",
        ),
      ];
}

/** Waits until no version of the application names the old key. */
export function wideKeyGate({ table, key, wideKey, shapes }: Conversion): readonly Step[] {
  const old = shapes.find(({ index }) => index.primary)?.index.keys ?? [];
  const list = (columns: readonly (string | null)[]) => columns.join(", ");
  return wideKey === null
    ? []
    : [
        {
          kind: "gate",
          id: "nobody-names-the-old-key",
          title: `ON CONFLICT names the new key of ${table.name}`,
          question: `Does every version of the application that writes ${table.name} say ON CONFLICT (${list(key.map(({ name }) => name))}) where it said ON CONFLICT (${list(old.map(({ column }) => column))})? The old finds no key after this.`,
          undo: NOTHING,
        },
      ];
}

/** A query of a table with policies locks what those look into. */
export function consultedLocks({ consulted }: Conversion): readonly Lock[] {
  return consulted.map((each): Lock => ({ ...each, mode: "accessShare", indexes: false }));
}

/** Foreign keys that are dropped in the swap and come back with its undo are proved again as the last of it. */
export function returningKeys(conversion: Conversion): readonly Step[] {
  const { schema, table, outgoing, incoming } = conversion;
  const keys = [
    ...outgoing.map(({ name, to }) => ({
      relation: { schema, name: table.name },
      name,
      to: { schema: to.schema, name: to.name },
    })),
    ...incoming.map(({ constraint }) => ({
      relation: { schema: constraint.schema, name: constraint.table },
      name: constraint.name,
      to: { schema, name: table.name },
    })),
  ];
  return keys.map(({ relation, name, to }): Step => {
    const path = qualified(relation.schema, relation.name);
    return {
      kind: "check",
      id: `key/${relation.name}/${name}`,
      title: `${name} of ${relation.name} is there and proved`,
      sql: `SELECT ${literal(name)} AS "foreign key", 'is not there, or not proved' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = ${literal(path)}::regclass AND k.conname = ${literal(name)} AND k.contype = 'f' AND k.convalidated)`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `ALTER TABLE ${path} VALIDATE CONSTRAINT ${ident(name)}`,
        locks: [
          { ...relation, mode: "shareUpdateExclusive" },
          { ...relation, mode: "accessShare" },
          { ...to, mode: "rowShare" },
          ...consultedLocks(conversion),
        ],
        rows: [
          { ...relation, access: "read" },
          { ...to, access: "read" },
        ],
        transaction: "commitAfter",
      },
    };
  });
}
