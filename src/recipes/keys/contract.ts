import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { backfillSteps } from "../backfill.ts";
import { isSame } from "../own-column.ts";
import type { BackfillPace } from "../shadow-column.ts";
import { MAPPING, placeOf, twinsOf, type Conversion, type Twin } from "./conversion.ts";
import { dropJsonSql } from "./json-references.ts";
import { dropKeyTriggerSql, keyTriggerOf } from "./key-trigger.ts";
import { newKeySql } from "./new-keys.ts";
import { twinChecks } from "./twin-checks.ts";
import { lockTablesSql, twinForeignKeys } from "./twin-foreign-keys.ts";
import { mentions, spareName, twinIndexes } from "./twin-indexes.ts";

/**
 * What comes once nobody goes back, with columns as they are `shown` by then: the mapping is completed, so that an integer is resolved for ever, and the integers go.
 *
 * First every table stops to keep both alike, and lets new rows do without an integer; only then do columns go, since the trigger of one
 * table draws from the sequence of another.
 */
export function contractSteps(
  conversion: Conversion,
  shown: Conversion,
  pace: BackfillPace,
): readonly Step[] {
  const tables = distinct(conversion.twins.map(({ table }) => table));
  const reason = "the integers are gone: what is known of them is in the mapping";
  return [
    {
      kind: "gate",
      id: "integers-go",
      title: "Nobody reads or writes the integers any more",
      question:
        "Does no running program, job, report or export name the integer columns, and will nobody go back to a version that does? Then they are dropped for good; the mapping stays.",
      undo: { kind: "nothing" },
    },
    nobodyReads(shown, tables),
    ...shown.twins
      .filter(({ isRoot }) => isRoot)
      .flatMap(({ table, column, name, key }): readonly Step[] =>
        backfillSteps(
          {
            ...table,
            table: table.name,
            // By the integers, which a second index keeps apart.
            key: [{ name: column.name, type: column.type }],
            sql: `INSERT INTO ${qualified(conversion.schema, MAPPING)} (table_name, old_id, new_id)
SELECT ${literal(key.mapped)}, batch.${ident(column.name)}, batch.${ident(name)} FROM batch
WHERE batch.${ident(column.name)} IS NOT NULL
ON CONFLICT DO NOTHING`,
            ...pace,
          },
          table,
        ).map((step) => ({ ...step, id: `${placeOf(conversion, table)}/map/${step.id}` })),
      ),
    ...oldKeysGo(conversion, reason),
    ...conversion.json.map(
      (reference): Step => ({
        kind: "sql",
        id: `${placeOf(conversion, reference.table)}/stop:${reference.column}.${reference.beside.join(".")}`,
        title: `${reference.column} of ${reference.table.name} is written as it comes`,
        sql: dropJsonSql(reference).join(";\n"),
        locks: [{ ...reference.table, mode: "accessExclusive", partitions: true }],
        transaction: "commitAfter",
        undo: { kind: "irreversible", reason },
      }),
    ),
    ...tables.flatMap((table) => stopSteps(conversion, shown, table, reason)),
    ...tables
      .filter((table) => goingOf(shown, table).length > 0)
      .map((table, at, all) => dropStep(conversion, shown, table, reason, at === all.length - 1)),
  ];
}

/** What goes: a column that means other rows too, by cases, stays. */
function goingOf(conversion: Conversion, table: RelationName): readonly Twin[] {
  return twinsOf(conversion, table).filter(({ cases }) => cases === undefined);
}

/** What the catalog knows to use the integers, and functions whose text names the table and the column. */
function nobodyReads({ twins, leave }: Conversion, tables: readonly RelationName[]): Step {
  const columns = twins
    .filter(({ cases }) => cases === undefined)
    .map(
      ({ table, column }) =>
        `(${literal(qualified(table.schema, table.name))}::regclass, ${literal(table.name)}, ${literal(column.name)})`,
    )
    .join(", ");
  const word = (what: string) =>
    `p.prosrc ~ ('\\m' || pg_catalog.regexp_replace(${what}, '([^[:alnum:]_])', '\\\\\\1', 'g') || '\\M')`;
  return {
    kind: "check",
    id: "nobody-reads-the-integers",
    title: "No view, policy, trigger or function uses the integers",
    sql: `WITH legacy (oid, relation, name) AS (VALUES ${columns})
SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS who, l.relation || '.' || l.name AS uses
FROM legacy l
JOIN pg_catalog.pg_attribute a ON a.attrelid = l.oid AND a.attname = l.name AND NOT a.attisdropped
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = l.oid AND d.refobjsubid = a.attnum
LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid
WHERE d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_trigger'::regclass,
    'pg_catalog.pg_proc'::regclass)
  OR (f.oid IS NOT NULL AND (f.adrelid <> l.oid OR f.adnum <> a.attnum))
UNION ALL SELECT 'function ' || p.oid::pg_catalog.regprocedure::text, l.relation || '.' || l.name
FROM legacy l JOIN pg_catalog.pg_proc p ON ${word("l.relation")} AND ${word("l.name")}
JOIN pg_catalog.pg_language g ON g.oid = p.prolang AND g.lanname IN ('sql', 'plpgsql')
WHERE NOT pg_catalog.starts_with(p.proname, 'underpin_') AND p.oid >= 16384
  AND p.proname <> ALL (ARRAY[${leave.map(literal).join(", ")}]::text[])`,
    expect: "noRows",
    rows: tables.map((table) => ({ ...table, access: "read" })),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** The foreign keys of the integers that rely on no primary key are there still: each goes in a transaction of its own. */
function oldKeysGo(conversion: Conversion, reason: string): readonly Step[] {
  const spent = twinIndexes(conversion).filter(({ index }) => index.primary);
  return twinForeignKeys(conversion)
    .filter(
      ({ key }) =>
        !spent.some(
          ({ index }) => key.index?.schema === index.schema && key.index.name === index.name,
        ),
    )
    .map(({ key, from, to }): Step => {
      const both = distinct([from, to]);
      return {
        kind: "sql",
        id: `${placeOf(conversion, from)}/forget:${key.name}`,
        title: `Drop ${key.name} of ${from.name}, which is over integers`,
        sql: `${lockTablesSql(both)};\nALTER TABLE ${qualified(from.schema, from.name)} DROP CONSTRAINT ${ident(key.name)}`,
        locks: both.map((each): Lock => ({ ...each, mode: "accessExclusive" })),
        transaction: "commitAfter",
        undo: { kind: "irreversible", reason },
      };
    });
}

/** A table stops to keep both alike: new rows get their UUID by default, and may do without integers. */
function stopSteps(
  conversion: Conversion,
  shown: Conversion,
  table: RelationName,
  reason: string,
): readonly Step[] {
  const { schema } = conversion;
  const path = qualified(table.schema, table.name);
  const twins = twinsOf(shown, table);
  const phases = [...new Set(twins.map(({ phase }) => phase))];
  const alter = (column: string, what: string) =>
    `ALTER TABLE ${path} ALTER COLUMN ${ident(column)} ${what}`;
  const checks = twinChecks(conversion).filter((each) => isSame(each.table, table));
  const sql = (server: ">=18" | "<18") =>
    [
      ...phases.flatMap((phase) => dropKeyTriggerSql(keyTriggerOf(conversion, table, phase))),
      ...checks.map(({ check }) => `ALTER TABLE ${path} DROP CONSTRAINT ${ident(check.name)}`),
      ...twins
        .filter(({ column }) => column.notNull && column.identity === null)
        .map(({ column }) => alter(column.name, "DROP NOT NULL")),
      ...twins
        .filter(({ isRoot }) => isRoot)
        .map(({ name }) => alter(name, `SET DEFAULT ${newKeySql(schema, server)}`)),
    ].join(";\n");
  return (["<18", ">=18"] as const).map((server) => ({
    kind: "sql",
    id: `${placeOf(conversion, table)}/stop${server}`,
    title: `${table.name} lives by its UUIDs alone`,
    when: { server },
    sql: sql(server),
    locks: [{ ...table, mode: "accessExclusive", partitions: true }],
    transaction: "commitAfter",
    undo: { kind: "irreversible", reason },
  }));
}

/** The integers of a table go, with all that is over them. */
function dropStep(
  conversion: Conversion,
  shown: Conversion,
  table: RelationName,
  reason: string,
  isLast: boolean,
): Step {
  const names = goingOf(shown, table).map(({ column }) => column.name);
  const called = goingOf(shown, table).map((twin) => twin.called);
  const indexes = twinIndexes(conversion)
    .filter(
      ({ table: of, index }) =>
        isSame(of, table) && called.some((column) => mentions(index, column)),
    )
    .map(({ index }) => (index.primary ? spareName(index.name) : index.name));
  const sequences = conversion.facts.sequences.filter(
    ({ ownedBy }) =>
      ownedBy?.schema === table.schema &&
      ownedBy.table === table.name &&
      called.includes(ownedBy.column),
  );
  return {
    kind: "sql",
    id: `${placeOf(conversion, table)}/drop`,
    title: `Drop ${names.join(", ")} of ${table.name}`,
    sql: `ALTER TABLE ${qualified(table.schema, table.name)} ${names.map((name) => `DROP COLUMN ${ident(name)}`).join(", ")}`,
    locks: [
      { ...table, mode: "accessExclusive", partitions: true },
      ...indexes.map((name): Lock => ({ schema: table.schema, name, mode: "accessExclusive" })),
      ...sequences.map(({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" })),
    ],
    transaction: "commitAfter",
    ...(isLast ? { phase: "integersGone" } : {}),
    undo: { kind: "irreversible", reason },
  };
}

function distinct(tables: readonly RelationName[]): readonly RelationName[] {
  return tables.filter((each, at) => tables.findIndex((other) => isSame(other, each)) === at);
}
