import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { columnsOf, isSame, refuse } from "./own-column.ts";

/** Which table to rename. */
export interface RenameTableOptions extends TableTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: Pick<
    Facts,
    "tables" | "columns" | "views" | "indexes" | "sequences" | "types" | "grants" | "publications"
  >;
  readonly to: string;
  /** Whether the subscribers of a publication that holds the table are renamed too. @default false */
  readonly subscribersFollow?: boolean;
}

/** What a view can be given of the privileges of a table. */
const OF_VIEWS = new Set(["SELECT", "INSERT", "UPDATE", "DELETE"]);

/**
 * Renames a table while versions of an application that know either name are at work.
 *
 * In one short transaction the table gets the new name, and a view the old one. A plain view of one table can be written
 * (INSERT, UPDATE, DELETE, ON CONFLICT by columns, RETURNING), with the table's defaults, triggers and constraints; as
 * `security_invoker` (since 15) it shows and takes what the asker may see and write in the table. Foreign keys, views, policies
 * and indexes follow the table.
 *
 * Not through the view: COPY … FROM, TRUNCATE, ON CONFLICT ON CONSTRAINT, MERGE before 17, system columns.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { renameTable } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({ setup: "CREATE TABLE users (id int PRIMARY KEY)" });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = renameTable({ facts, table: "users", to: "people" });
 * plan.name; // "rename-table-public-users-to-people"
 * await close();
 */
export function renameTable(options: RenameTableOptions): Plan {
  const { facts, to } = options;
  const from = targetOf(options);
  const into: RelationName = { schema: from.schema, name: to };
  refuseImpossible(options, from, into);
  const [oldPath, newPath] = [qualified(from.schema, from.name), qualified(into.schema, to)];
  const createView = viewSql(facts, from, into);
  const dropView = `DROP VIEW ${oldPath}`;
  const exclusive = (name: RelationName): Lock => ({ ...name, mode: "accessExclusive" });
  const steps: readonly Step[] = [
    holdsNoPartition(from),
    {
      kind: "sql",
      id: "swap",
      title: `${from.name} becomes ${to}, and a view takes the old name: both can be read and written`,
      sql: `ALTER TABLE ${oldPath} RENAME TO ${ident(to)};\n${createView}`,
      locks: [exclusive(from)],
      creates: 1,
      transaction: "commitAfter",
      phase: "bothNames",
      undo: {
        kind: "statement",
        sql: `${dropView};\nALTER TABLE ${newPath} RENAME TO ${ident(from.name)}`,
        locks: [exclusive(from), exclusive(into)],
        transaction: "inside",
      },
    },
    {
      kind: "gate",
      id: "old-name-unused",
      title: `No version of the application uses ${from.name} any more`,
      question: `Does every running version read and write ${newPath}, and none ${oldPath}? Then the view of that name is dropped.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "contract",
      title: `Drop the view ${from.name}`,
      sql: dropView,
      locks: [exclusive(from)],
      transaction: "commitAfter",
      phase: "newName",
      undo: {
        kind: "statement",
        sql: createView,
        locks: [{ ...into, mode: "accessShare", indexes: false }],
        creates: 1,
        transaction: "inside",
      },
    },
  ];
  return plan(`rename-table-${from.schema}-${from.name}-to-${to}`, steps);
}

function refuseImpossible(
  { facts, subscribersFollow }: RenameTableOptions,
  from: RelationName,
  into: RelationName,
): void {
  const path = qualified(from.schema, from.name);
  if (!facts.tables.some((each) => isSame(each, from)))
    refuse(
      `the facts hold no table ${path}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  const { tables, views, indexes, sequences, types } = facts;
  if ([...tables, ...views, ...indexes, ...sequences, ...types].some((each) => isSame(each, into)))
    refuse(
      `${qualified(into.schema, into.name)} is there already`,
      "Tables, views, indexes, sequences and types share their names: choose another.",
    );
  const may = facts.grants.filter(
    (grant) => isSame(grant, from) && grant.privileges.includes("SELECT"),
  );
  const partial = may.find(
    ({ on, grantee }) =>
      on === "column" &&
      !may.some((other) => other.on === "relation" && [grantee, "public"].includes(other.grantee)),
  );
  if (partial !== undefined)
    // Without security_invoker it would be enough, but then the view would show what row security hides.
    refuse(
      `${partial.grantee} may read some columns of ${path} only, and a view with the rights of its asker needs the right to read them all`,
      `Grant SELECT on the whole table, or keep the name: put the columns that ${partial.grantee} may read into a view of their own.`,
    );
  const publication = facts.publications.find(
    ({ allTables, schemas, tables: listed }) =>
      allTables || schemas.includes(from.schema) || listed.some((each) => isSame(each, from)),
  );
  if (publication !== undefined && subscribersFollow !== true)
    refuse(
      `the publication ${publication.name} holds ${path}: its subscribers look for the table by name, and stop when it is another`,
      "Rename it there too, and say so: renameTable({ …, subscribersFollow: true }).",
    );
}

function viewSql(
  facts: RenameTableOptions["facts"],
  from: RelationName,
  into: RelationName,
): string {
  const columns = columnsOf(facts, from).map(ident).join(", ");
  const path = qualified(from.schema, from.name);
  const owner = facts.tables.find((each) => isSame(each, from))?.owner;
  const grants = facts.grants
    .filter((grant) => isSame(grant, from) && grant.grantee !== owner)
    .flatMap(({ on, detail, grantee, privileges, grantable }) => {
      if (on !== "relation" && on !== "column") return [];
      const to = grantee === "public" ? "PUBLIC" : ident(grantee);
      const what = on === "column" ? ` (${ident(detail ?? "")})` : "";
      return privileges
        .filter((privilege) => OF_VIEWS.has(privilege))
        .map(
          (privilege) =>
            `GRANT ${privilege}${what} ON TABLE ${path} TO ${to}${grantable.includes(privilege) ? " WITH GRANT OPTION" : ""}`,
        );
    });
  return [
    `CREATE VIEW ${path} WITH (security_invoker = true) AS SELECT ${columns} FROM ${qualified(into.schema, into.name)}`,
    ...grants,
    ...(owner === undefined ? [] : [`ALTER VIEW ${path} OWNER TO ${ident(owner)}`]),
  ].join(";\n");
}

/** A partition is reached through its parent, and made, detached and dropped by its name. */
function holdsNoPartition({ schema, name }: RelationName): Step {
  return {
    kind: "check",
    id: "is-no-partition",
    title: `${name} is no partition of another table`,
    sql: `SELECT n.nspname, c.relname, 'is a partition: what keeps partitions knows it by its name' AS reason
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ${literal(qualified(schema, name))}::regclass AND c.relispartition`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}
