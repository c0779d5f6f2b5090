import { ident, literal, qualified } from "../../sql/quote.ts";
import { lockPathsSql } from "../flat/twin-beside.ts";
import { catchUpSql, watchFunctionSql } from "../flat/twin-log.ts";
import {
  carrySql,
  disableTriggersSql,
  enableTriggersSql,
  renamesSql,
  sequenceSql,
} from "../flat/twin-swap.ts";
import type { Conversion, IncomingKey } from "./conversion.ts";
import { toPartsSql } from "./copy-sql.ts";
import { replacePolicySql, replaceViewSql } from "./dependents-of.ts";
import { membersSql, PATIENT_VARIABLES, patientSql } from "./tree-sql.ts";

/** What is locked beside the two tables: the other ends of foreign keys, and tables whose policies look into this one. */
export function besideTables({ outgoing, incoming, lookers }: Conversion): readonly {
  readonly schema: string;
  readonly name: string;
}[] {
  const all = [
    ...outgoing.map(({ to }) => ({ schema: to.schema, name: to.name })),
    ...incoming.map(({ constraint: { schema, table } }) => ({ schema, name: table })),
    ...lookers.map(({ schema, table }) => ({ schema, name: table })),
  ];
  const byPath = new Map(all.map((each) => [qualified(each.schema, each.name), each]));
  return [...byPath].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

function lockSql(conversion: Conversion, other: string): string {
  const { schema, table } = conversion;
  return lockPathsSql(
    [
      qualified(schema, table.name),
      qualified(schema, other),
      ...besideTables(conversion).map((each) => qualified(each.schema, each.name)),
    ],
    "ACCESS EXCLUSIVE",
  );
}

/**
 * Gives the partitioned table the name, and all that goes with it.
 *
 * Foreign keys change hands here: one of the table that has not the name would refuse what an application does to the other, where the
 * two are not alike yet (23503).
 */
export function swapSql(conversion: Conversion): string {
  const { schema, table, names } = conversion;
  const path = qualified(schema, table.name);
  return [
    lockSql(conversion, names.beside),
    toPartsSql(conversion, false),
    watchFunctionSql(conversion, names.watch, false),
    ...sequenceSql(conversion, "forth"),
    ...disableTriggersSql(conversion),
    ...conversion.incoming.map(dropIncomingSql),
    ...conversion.outgoing.map(({ name }) => dropSql(conversion, name)),
    ...renamesSql(conversion, "forth"),
    ...carrySql(conversion),
    ...conversion.keyComments.flatMap(({ name, text }) => commentSql(path, name, text)),
    ...leafKeysSql(conversion),
    ...conversion.incoming.flatMap((key) => addIncomingSql(key, "new")),
    ...dependentsSql(conversion),
    watchFunctionSql(conversion, names.watchBack, true),
  ].join(";\n");
}

/** Gives the name back to the first table, with the rows that were written meanwhile. */
export function unswapSql(conversion: Conversion): string {
  const { schema, table, names, outgoing } = conversion;
  const path = qualified(schema, table.name);
  return [
    lockSql(conversion, names.parked),
    backSql(conversion, false),
    watchFunctionSql(conversion, names.watchBack, false),
    ...conversion.incoming.filter(({ becomes }) => becomes !== null).map(dropIncomingSql),
    ...(outgoing.length === 0 ? [] : [dropLeafKeysSql(conversion)]),
    ...renamesSql(conversion, "back"),
    ...enableTriggersSql(conversion),
    ...sequenceSql(conversion, "back"),
    ...outgoing.flatMap(({ name, definition, comment }) => [
      `ALTER TABLE ${path} ADD CONSTRAINT ${ident(name)} ${definition} NOT VALID`,
      ...commentSql(path, name, comment),
    ]),
    ...conversion.incoming.flatMap((key) => addIncomingSql(key, "old")),
    ...dependentsSql(conversion),
    watchFunctionSql(conversion, names.watch, true),
  ].join(";\n");
}

/** Works off what was written since the swap, towards the parked table. */
export function backSql(conversion: Conversion, commits: boolean): string {
  const { table, names } = conversion;
  return catchUpSql(conversion, {
    from: table.name,
    to: names.parked,
    partitioned: "from",
    commits,
  });
}

function dropSql({ schema, table }: Conversion, constraint: string): string {
  return `ALTER TABLE ${qualified(schema, table.name)} DROP CONSTRAINT ${ident(constraint)}`;
}

function commentSql(path: string, constraint: string, text: string | null): readonly string[] {
  return text === null
    ? []
    : [`COMMENT ON CONSTRAINT ${ident(constraint)} ON ${path} IS ${literal(text)}`];
}

function dropIncomingSql({ constraint }: IncomingKey): string {
  return `ALTER TABLE ${qualified(constraint.schema, constraint.table)} DROP CONSTRAINT ${ident(constraint.name)}`;
}

function addIncomingSql({ constraint, becomes }: IncomingKey, which: "new" | "old") {
  const definition = which === "old" ? constraint.definition : becomes?.definition;
  if (definition === undefined) return [];
  const path = qualified(constraint.schema, constraint.table);
  return [
    `ALTER TABLE ${path} ADD CONSTRAINT ${ident(constraint.name)} ${definition} NOT VALID`,
    ...commentSql(path, constraint.name, constraint.comment),
  ];
}

/** What names the table is said again, and means the one that has the name by then. */
function dependentsSql({ views, lookers }: Conversion): readonly string[] {
  return [...views.map(replaceViewSql), ...lookers.map(replacePolicySql)];
}

/** Before 18 the root can have no foreign key that is NOT VALID, but each leaf can. */
function leafKeysSql({ schema, table, outgoing }: Conversion): readonly string[] {
  if (outgoing.length === 0) return [];
  const adds = outgoing.map(
    (key) =>
      `    EXECUTE pg_catalog.format(${literal(`ALTER TABLE %s ADD CONSTRAINT %I ${key.definition.replaceAll("%", "%%")} NOT VALID`)}, v_leaf, ${literal(key.name)});`,
  );
  return [
    `DO ${literal(`
DECLARE
  v_leaf regclass;
BEGIN
  FOR v_leaf IN SELECT m.member FROM (${membersSql(schema, table.name, "leaves")}) AS m LOOP
${adds.join("\n")}
  END LOOP;
END`)}`,
  ];
}

/** Of the root, or where it has none yet of each leaf: only those that are no part of another can be dropped. */
function dropLeafKeysSql({ schema, table, outgoing }: Conversion): string {
  const names = outgoing.map(({ name }) => literal(name)).join(", ");
  return `DO ${literal(`
DECLARE
  v_key record;
BEGIN
  FOR v_key IN
    SELECT k.conrelid::regclass AS relation, k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conname = ANY (ARRAY[${names}]::name[]) AND k.conrelid IN (
      SELECT ${literal(qualified(schema, table.name))}::regclass
      UNION ALL SELECT m.member FROM (${membersSql(schema, table.name, "all")}) AS m)
  LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', v_key.relation, v_key.conname);
  END LOOP;
END`)}`;
}

/** Proves the foreign keys leaf by leaf while reads and writes go on, then makes those of the whole table out of them. */
export function proveKeysSql({ schema, table, outgoing }: Conversion): string {
  const path = qualified(schema, table.name);
  const own = `k.contype = 'f' AND k.conrelid`;
  const of = (name: string) => `AND k.conname = ${literal(name)}`;
  const onLeaf = outgoing.map(
    (
      key,
    ) => `    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE ${own} = v_leaf.member ${of(key.name)}) THEN
${patientSql(`        EXECUTE pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', v_leaf.member);
        EXECUTE pg_catalog.format(${literal(`ALTER TABLE %s ADD CONSTRAINT %I ${key.definition.replaceAll("%", "%%")} NOT VALID`)}, v_leaf.member, ${literal(key.name)});`)}    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE ${own} = v_leaf.member ${of(key.name)} AND NOT k.convalidated) THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', v_leaf.member, ${literal(key.name)});
      COMMIT;
    END IF;`,
  );
  const adopted = outgoing.map(
    (
      key,
    ) => `  IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE ${own} = ${literal(path)}::regclass ${of(key.name)}) THEN
${patientSql(
  [
    `ALTER TABLE ${path} ADD CONSTRAINT ${ident(key.name)} ${key.definition}`,
    ...commentSql(path, key.name, key.comment),
  ]
    .map((statement) => `        ${statement};`)
    .join("\n"),
)}  END IF;`,
  );
  return `DO ${literal(`
DECLARE
  v_leaf record;
${PATIENT_VARIABLES}BEGIN
  FOR v_leaf IN SELECT m.member FROM (${membersSql(schema, table.name, "leaves")}) AS m LOOP
${onLeaf.join("\n")}
  END LOOP;
${adopted.join("\n")}
END`)}`;
}

/** Closes the partitions, as their scheme does: their rows are reached through the root. */
export function closePartsSql({ schema, table }: Conversion): string {
  return `DO ${literal(`
DECLARE
  v_member record;
${PATIENT_VARIABLES}BEGIN
  FOR v_member IN SELECT m.member FROM (${membersSql(schema, table.name, "all")}) AS m WHERE NOT (m.forced AND m.closed) LOOP
${patientSql("        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_member.member);")}  END LOOP;
END`)}`;
}
