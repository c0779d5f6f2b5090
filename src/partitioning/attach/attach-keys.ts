import type { SequenceFact } from "../../catalog/sequences.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { legacyName, narrowName, rootName } from "./attach-names.ts";
import type { Attach } from "./attach-of.ts";

/** The primary key changes its index for the wider one; its own would go with it, so that one alike was built for the way back. */
export function keyForthSql({
  schema,
  table,
  primary,
  keepsKey,
  narrow,
}: Attach): readonly string[] {
  const path = qualified(schema, table.name);
  const wide = (name: string, kind: string) =>
    `ALTER TABLE ${path} ADD CONSTRAINT ${ident(legacyName(name))} ${kind} USING INDEX ${ident(legacyName(name))}`;
  return [
    ...(keepsKey
      ? []
      : [
          `ALTER TABLE ${path} DROP CONSTRAINT ${ident(primary.name)}`,
          wide(primary.name, "PRIMARY KEY"),
        ]),
    ...narrow.flatMap(({ index, widened }) =>
      widened === null || index.constraint === null ? [] : [wide(index.name, "UNIQUE")],
    ),
  ];
}

export function keyBackSql({
  schema,
  table,
  primary,
  keepsKey,
  narrow,
  ...attach
}: Attach): readonly string[] {
  const path = qualified(schema, table.name);
  return [
    ...(keepsKey
      ? []
      : [
          `ALTER TABLE ${path} DROP CONSTRAINT ${ident(legacyName(primary.name))}`,
          `ALTER TABLE ${path} ADD CONSTRAINT ${ident(primary.name)} PRIMARY KEY USING INDEX ${ident(narrowName(primary.name))}`,
          ...(attach.clusteredKey ? [`ALTER TABLE ${path} CLUSTER ON ${ident(primary.name)}`] : []),
        ]),
    ...narrow.map(({ index, widened }) =>
      widened === null || index.constraint === null
        ? `DROP INDEX ${qualified(schema, legacyName(index.name))}`
        : `ALTER TABLE ${path} DROP CONSTRAINT ${ident(legacyName(index.name))}`,
    ),
  ];
}

/** What of the table's own gives its name to that of the root. */
export function ownRenames({
  indexes,
  narrow,
}: Attach): readonly (readonly [from: string, to: string])[] {
  return [
    ...narrow.map(({ index }) => [index.name, narrowName(index.name)] as const),
    ...indexes.map(({ name }) => [name, legacyName(name)] as const),
  ];
}

/** What of the root gets the name that the table's own had. */
export function rootRenames(
  attach: Attach,
): readonly (readonly [kind: "INDEX" | "SEQUENCE", name: string])[] {
  const { indexes, narrow, keepsKey, primary } = attach;
  return [
    ...(keepsKey ? [] : [["INDEX", primary.name] as const]),
    ...indexes.map(({ name }) => ["INDEX", name] as const),
    ...narrow.map(({ index }) => ["INDEX", index.name] as const),
    ...identitiesOf(attach).map(({ name }) => ["SEQUENCE", name] as const),
  ];
}

function identitiesOf({ sequences }: Attach): readonly SequenceFact[] {
  return sequences.filter(({ ownedBy }) => ownedBy?.as === "identity");
}

/** While the table has its name: numbers go on where they were, and a partition has no identity of its own. */
export function sequencesForthSql(attach: Attach): readonly string[] {
  const { schema, table, names, sequences } = attach;
  return sequences.flatMap(({ name, ownedBy }) => {
    if (ownedBy === null) return [];
    const column = ident(ownedBy.column);
    if (ownedBy.as === "serial")
      return [
        `ALTER SEQUENCE ${qualified(schema, name)} OWNED BY ${qualified(schema, names.root)}.${column}`,
      ];
    return [
      goesOnSql(schema, name, rootName(name)),
      `ALTER TABLE ${qualified(schema, table.name)} ALTER COLUMN ${column} DROP IDENTITY`,
    ];
  });
}

/** When the table has its name again. */
export function sequencesBackSql({ schema, table, sequences, columns }: Attach): readonly string[] {
  const path = qualified(schema, table.name);
  return sequences.flatMap((sequence) => {
    const { name, ownedBy } = sequence;
    if (ownedBy === null) return [];
    const column = ident(ownedBy.column);
    if (ownedBy.as === "serial")
      return [`ALTER SEQUENCE ${qualified(schema, name)} OWNED BY ${path}.${column}`];
    const always = columns.find((each) => each.name === ownedBy.column)?.identity === "always";
    const { increment, minimum, maximum, start, cache, cycle } = sequence;
    return [
      `ALTER TABLE ${path} ALTER COLUMN ${column} ADD GENERATED ${always ? "ALWAYS" : "BY DEFAULT"} AS IDENTITY (SEQUENCE NAME ${qualified(schema, name)} INCREMENT ${increment} MINVALUE ${minimum} MAXVALUE ${maximum} START ${start} CACHE ${cache} ${cycle ? "CYCLE" : "NO CYCLE"})`,
      goesOnSql(schema, rootName(name), name),
    ];
  });
}

function goesOnSql(schema: string, from: string, to: string): string {
  return `SELECT pg_catalog.setval(${literal(qualified(schema, to))}::regclass, s.last_value, s.is_called) FROM ${qualified(schema, from)} AS s`;
}

/** ALTER … RENAME. */
export function rename(schema: string, kind: string, from: string, to: string): string {
  return `ALTER ${kind} ${qualified(schema, from)} RENAME TO ${ident(to)}`;
}
