import type { IndexFact } from "../../catalog/indexes.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import { extensionPath, namedPath, partPath } from "../../catalog/path.ts";
import { shorten } from "../../sql/shorten.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { groupBy, isFor, tablePath, type Audited } from "./audited.ts";
import { isTrue } from "./expression.ts";
import { finding, type Findings } from "./finding.ts";

/** What costs time or an upgrade rather than secrets. */
export function checkUpkeep(database: Audited): Findings {
  return [
    ...checkPrimaryKeys(database),
    ...checkForeignKeyIndexes(database),
    ...checkDuplicates(database),
    ...checkLeakproof(database),
    ...checkColumns(database),
    ...checkExtensions(database),
  ];
}

type Table = Audited["tables"][number];

function roots(database: Audited): readonly Table[] {
  return database.tables.filter((table) => !database.isPartition(table));
}

function checkPrimaryKeys(database: Audited): Findings {
  const withKey = new Set(
    database.facts.constraints
      .filter(({ kind }) => kind === "primaryKey")
      .map(({ schema, table }) => qualified(schema, table)),
  );
  return roots(database)
    .filter(({ schema, name }) => !withKey.has(qualified(schema, name)))
    .map((table) => {
      const column = ident(database.columnsOf(table).includes("id") ? "row_id" : "id");
      return finding(
        "no_primary_key",
        tablePath(table),
        "Nothing tells two equal rows apart: replication and tools cannot name one.",
        `ALTER TABLE ${qualified(table.schema, table.name)} ADD COLUMN ${column} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY`,
      );
    });
}

function checkForeignKeyIndexes(database: Audited): Findings {
  const indexes = groupBy(database.facts.indexes, ({ schema, table }) => qualified(schema, table));
  const names = new Set(roots(database).map(({ schema, name }) => qualified(schema, name)));
  return database.facts.constraints
    .filter(({ kind, parent }) => kind === "foreignKey" && parent === null)
    .filter(({ schema, table }) => names.has(qualified(schema, table)))
    .filter(({ schema, table, columns }) =>
      (indexes.get(qualified(schema, table)) ?? []).every(({ keys, method, predicate }) => {
        const led = keys.slice(0, columns.length).map(({ column }) => column);
        const isPartial = predicate !== null && !/^\(?"?\w+"? IS NOT NULL\)?$/.test(predicate);
        return method !== "btree" || isPartial || !columns.every((column) => led.includes(column));
      }),
    )
    .map(({ schema, table, name, columns }) =>
      finding(
        "unindexed_foreign_key",
        partPath("constraint", name, namedPath("table", schema, table)),
        `Each delete in the referenced table reads this one whole: no index begins with ${columns.join(", ")}.`,
        `CREATE INDEX ${ident(shorten(`${table}_${columns.join("_")}_idx`))} ON ${qualified(schema, table)} (${columns.map(ident).join(", ")})`,
      ),
    );
}

/** What an index is, without its name. */
function shapeOf(index: IndexFact): string {
  const { schema, table, method, keys, include, predicate } = index;
  return JSON.stringify([schema, table, method, keys, include, predicate, index.nullsNotDistinct]);
}

function checkDuplicates(database: Audited): Findings {
  const own = database.facts.indexes.filter(({ parent }) => parent === null);
  return [...groupBy(own, shapeOf).values()].flatMap((same) => {
    // What stands behind a constraint stays, then what is unique.
    const [kept, ...rest] = [...same].sort(
      (a, b) =>
        Number(b.constraint !== null) - Number(a.constraint !== null) ||
        Number(b.unique) - Number(a.unique),
    );
    return rest.map((index) =>
      finding(
        "duplicate_index",
        namedPath("index", index.schema, index.name),
        `It is the same as ${kept?.name ?? ""}, and every write pays for both.`,
        index.constraint === null
          ? `DROP INDEX ${qualified(index.schema, index.name)}`
          : `ALTER TABLE ${qualified(index.schema, index.table)} DROP CONSTRAINT ${ident(index.constraint)}`,
      ),
    );
  });
}

/**
 * Indexes that a query under row security cannot search: an operator that is not LEAKPROOF has to wait until the policy has let
 * a row pass. Where somebody may read every row, or nobody but who is trusted may read at all, there is nothing to wait for.
 *
 * A B-tree of which the tenant and nothing else comes before the key can still give the order, and is not meant.
 */
function checkLeakproof(database: Audited): Findings {
  const leaky = groupBy([...database.more.leaky], ({ schema, index }) => qualified(schema, index));
  const filtered = new Set(
    database.tables
      .filter((table) => isFiltered(database, table))
      .map(({ schema, name }) => qualified(schema, name)),
  );
  return database.facts.indexes
    .filter(({ parent, unique }) => parent === null && !unique)
    .filter(({ schema, table }) => filtered.has(qualified(schema, table)))
    .flatMap((index) => {
      const bad = (leaky.get(qualified(index.schema, index.name)) ?? []).map(
        ({ position }) => index.keys[position - 1]?.definition ?? "",
      );
      const isUseless =
        index.method === "btree" ? bad.includes(index.keys[0]?.definition ?? "") : bad.length > 0;
      return !isUseless
        ? []
        : [
            finding(
              "filter_not_leakproof",
              namedPath("index", index.schema, index.name),
              `No query under row security can search it by ${bad.join(", ")}: the operator is not LEAKPROOF. Index the tenant with a column of text, uuid, integer or time instead, or search in a security definer function that takes the tenant from the context.`,
              `DROP INDEX ${qualified(index.schema, index.name)}`,
            ),
          ];
    });
}

/** Whether all who may read a table see some of its rows only: a policy that is true is no condition at all. */
function isFiltered(database: Audited, table: Table): boolean {
  const policies = database.policiesOf(table).filter((policy) => isFor(policy, "select"));
  const isOpen = ({ using }: PolicyFact) => using !== null && isTrue(using);
  const readers = [...database.granted(table)]
    .filter(([, privileges]) => privileges.has("SELECT"))
    .map(([role]) => database.rightsOf(role));
  return (
    readers.length > 0 &&
    readers.every((rights) => {
      const own = policies.filter(({ roles }) => roles.some((role) => rights.has(role)));
      return !(
        own.some((policy) => policy.permissive && isOpen(policy)) &&
        own.every((policy) => policy.permissive || isOpen(policy))
      );
    })
  );
}

const REG_TYPES =
  /^reg(?:collation|config|dictionary|namespace|oper|operator|proc|procedure)(?:\[\])?$/;

function checkColumns(database: Audited): Findings {
  const names = new Set(roots(database).map(({ schema, name }) => qualified(schema, name)));
  return database.facts.columns
    .filter(({ schema, table }) => names.has(qualified(schema, table)))
    .filter(({ type }) => REG_TYPES.test(type))
    .map(({ schema, table, name, type }) =>
      finding(
        "reg_column",
        partPath("column", name, namedPath("table", schema, table)),
        `It is ${type}, the number of something in this database, which another version may not have.`,
        `ALTER TABLE ${qualified(schema, table)} ALTER COLUMN ${ident(name)} TYPE text${type.endsWith("[]") ? "[]" : ""}`,
      ),
    );
}

function checkExtensions(database: Audited): Findings {
  const offered = new Map(database.more.extensions.map(({ name, offered: to }) => [name, to]));
  return database.facts.extensions.flatMap(({ name, schema, version, relocatable }) => [
    ...(schema === "public" && relocatable
      ? [
          finding(
            "extension_in_public",
            extensionPath(name),
            "Its functions and operators lie where everybody looks first, and an API of that schema offers them.",
            [
              `CREATE SCHEMA IF NOT EXISTS ${ident("extensions")}`,
              `GRANT USAGE ON SCHEMA ${ident("extensions")} TO PUBLIC`,
              `ALTER EXTENSION ${ident(name)} SET SCHEMA ${ident("extensions")}`,
            ],
          ),
        ]
      : []),
    ...(offered.get(name) === undefined || offered.get(name) === version
      ? []
      : [
          finding(
            "extension_outdated",
            extensionPath(name),
            `It is ${version}, and the server has ${offered.get(name) ?? ""}.`,
            `ALTER EXTENSION ${ident(name)} UPDATE`,
          ),
        ]),
  ]);
}
