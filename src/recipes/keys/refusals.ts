import type { CheckStep, RelationName } from "../../plan/step.ts";
import { columnsIn } from "../../sql/column-references.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { keptAlikeSql } from "../can-be-kept-alike.ts";
import { isOf, isSame, refuse } from "../own-column.ts";
import { familyOf } from "../table-facts.ts";
import { twinsOf, type Conversion, type Twin } from "./conversion.ts";
import { foreignKeysOf } from "./graph.ts";

/** Refuses by name, before there is a plan, what would not follow a change of keys. */
export function refuseUnconverted(conversion: Conversion): void {
  for (const twin of conversion.twins) {
    refusePlace(conversion, twin);
    refusePublished(conversion, twin);
    refuseTriggers(conversion, twin);
  }
  for (const key of foreignKeysOf(conversion.facts)) {
    const to = { schema: key.references.schema, name: key.references.name };
    const own = twinsOf(conversion, { schema: key.schema, name: key.table });
    for (const [at, column] of key.columns.entries()) {
      const mine = own.find((each) => each.column.name === column);
      const theirs = twinsOf(conversion, to).find(
        (each) => each.column.name === key.references.columns[at],
      );
      if (mine?.key !== theirs?.key)
        refuse(
          `the foreign key ${key.name} of ${qualified(key.schema, key.table)} ties ${column} to another key than the one that it is converted with`,
          "Give each key that it refers to a column of its own first.",
        );
    }
  }
}

function refusePlace({ facts }: Conversion, { table, column }: Twin): void {
  const path = qualified(table.schema, table.name);
  const { name } = column;
  if (column.generated !== null)
    refuse(
      `${name} of ${path} is generated: it is computed after the row triggers, from other columns`,
      "Make it a plain column first (ALTER COLUMN … DROP EXPRESSION), which its foreign key needs anyway.",
    );
  if (
    facts.inheritance.some(({ parent }) => isSame(parent, table)) ||
    facts.inheritance.some((each) => isSame(each, table))
  )
    refuse(
      `${path} inherits, or is inherited from: a row trigger of one does not fire for the rows of the other`,
      "Take it out first: ALTER TABLE … NO INHERIT.",
    );
  const parted = facts.partitions.find(
    (each) =>
      isSame(each.root, table) &&
      each.key?.columns.some((used) => used === name || used === null) === true,
  );
  if (parted !== undefined)
    refuse(
      `${path} is partitioned by ${name}`,
      "A partition key cannot change its column: make the table anew beside it and copy.",
    );
  const generated = facts.dependencies.find(
    ({ dependent, on }) =>
      dependent.kind === "column" &&
      isSame(on, table) &&
      on.kind === "column" &&
      on.detail === name,
  );
  if (generated !== undefined)
    refuse(
      `the generated column ${generated.dependent.detail ?? ""} of ${path} is computed from ${name}`,
      "Make it a plain column first (ALTER COLUMN … DROP EXPRESSION), and generate it anew from the UUID afterwards.",
    );
  const keyOf = facts.indexes.find(
    (each) =>
      isOf(each, table) && each.replicaIdentity && columnsIn(each.definition, [name]).length > 0,
  );
  if (keyOf !== undefined)
    refuse(
      `the index ${keyOf.name} of ${path} is its replica identity`,
      "Set REPLICA IDENTITY DEFAULT first, and choose another index afterwards.",
    );
}

function refusePublished({ facts }: Conversion, { table, column }: Twin): void {
  const listed = facts.publications.find(({ tables }) =>
    tables.some((each) => isSame(each, table) && each.columns?.includes(column.name) === true),
  );
  if (listed !== undefined)
    refuse(
      `the publication ${listed.name} lists ${column.name} of ${qualified(table.schema, table.name)}`,
      "Its subscribers would not get the UUIDs: publish all columns first (ALTER PUBLICATION … SET TABLE).",
    );
}

function refuseTriggers({ facts }: Conversion, { table, column }: Twin): void {
  const family = familyOf(facts, table);
  const own = facts.triggers.filter((each) => family.some((member) => isOf(each, member)));
  const named = own.find(
    ({ definition }) =>
      columnsIn(/ UPDATE OF ([^]*?) ON /.exec(definition)?.[1] ?? "", [column.name]).length > 0,
  );
  if (named !== undefined)
    refuse(
      `the trigger ${named.name} of ${qualified(named.schema, named.table)} fires for UPDATE OF ${column.name}: it would not for what is written to its UUID`,
      "Let it fire for every UPDATE and look at the row (WHEN (OLD.… IS DISTINCT FROM NEW.…)), then make the plan again.",
    );
  const ours = `zzz_underpin_sync_`;
  const later = own.find(
    (each) =>
      each.timing === "before" &&
      each.level === "row" &&
      each.name > ours &&
      !each.name.startsWith(ours) &&
      each.events.some((event) => event !== "delete"),
  );
  if (later !== undefined)
    refuse(
      `the trigger ${later.name} of ${qualified(later.schema, later.table)} fires after ${ours}…: triggers fire in the order of their names, and what it changes would not be kept alike`,
      `ALTER TRIGGER … ON ${qualified(later.schema, later.table)} RENAME TO a name that comes before.`,
    );
}

/** What the facts do not tell, asked before anything is touched. */
export function canBeConverted(conversion: Conversion, tables: readonly RelationName[]): CheckStep {
  const oids = tables
    .map(({ schema, name }) => `(${literal(qualified(schema, name))}::regclass::oid)`)
    .join(", ");
  const alike = tables.map((table) => {
    const columns = twinsOf(conversion, table).map(({ column }) => column.name);
    return keptAlikeSql(
      `SELECT ${literal(qualified(table.schema, table.name))}::regclass::oid AS oid`,
      columns,
    );
  });
  return {
    kind: "check",
    id: "can-be-converted",
    title: "Nothing relies on a primary key that could not be given another index",
    sql: `SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS what,
  'groups by a primary key and needs it to stay: group by all of its columns' AS reason
FROM (VALUES ${oids}) AS t (oid)
JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.refobjid = k.oid
  AND d.classid <> 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
UNION ALL ${alike.join("\nUNION ALL ")}`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
