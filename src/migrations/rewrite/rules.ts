// Long because: one table of rules, each with its reason and its remedy.
import type { Severity } from "../../catalog/finding.ts";

/** What a rule of `lint` is about. */
export interface RuleText {
  readonly severity: Severity;
  /** What is wrong with the statement, to be read after the name of its object. */
  readonly why: string;
  /** What to write instead, where nothing is generated. */
  readonly instead: string;
}

const rule = (severity: Severity, why: string, instead: string): RuleText => ({
  severity,
  why,
  instead,
});

/** Every rule of `lint`, by its name. docs/lint.md lists them with their locks. */
export const RULES = {
  "add-column-rewrite": rule(
    "error",
    "the value differs from row to row, so that ADD COLUMN writes the whole table anew under ACCESS EXCLUSIVE",
    "Add the column without it, SET DEFAULT for new rows, fill the old ones in batches: addColumn of underpin/migrations.",
  ),
  "add-column-not-null": rule(
    "error",
    "NOT NULL without a default fails as soon as the table holds a row",
    "Give a default that is one value for all rows, or add the column nullable, fill it in batches, then setNotNull.",
  ),
  "add-column-constraint": rule(
    "error",
    "a constraint that comes with its column is checked, or its index built, while nobody can read or write the table",
    "Add the column first and its constraint afterwards: addCheck, addForeignKey, addUnique.",
  ),
  "set-not-null": rule(
    "error",
    "SET NOT NULL reads every row under ACCESS EXCLUSIVE unless a validated CHECK proves it (12 and later)",
    "setNotNull: a CHECK NOT VALID, VALIDATE, SET NOT NULL, and drop the CHECK; from 18 NOT NULL … NOT VALID.",
  ),
  "add-check": rule(
    "error",
    "ADD CHECK reads every row under ACCESS EXCLUSIVE",
    "addCheck: NOT VALID first, VALIDATE in a transaction of its own.",
  ),
  "add-foreign-key": rule(
    "error",
    "ADD FOREIGN KEY reads every row while nobody can write to either table (SHARE ROW EXCLUSIVE on both)",
    "addForeignKey: NOT VALID first, VALIDATE in a transaction of its own.",
  ),
  "add-unique": rule(
    "error",
    "the index of UNIQUE is built under ACCESS EXCLUSIVE",
    "addUnique: the index CONCURRENTLY, and the constraint USING INDEX.",
  ),
  "add-primary-key": rule(
    "error",
    "the index of PRIMARY KEY is built, and NULLs are looked for, under ACCESS EXCLUSIVE",
    "addPrimaryKey: setNotNull, the index CONCURRENTLY, and the constraint USING INDEX.",
  ),
  "add-exclusion": rule(
    "error",
    "the index of EXCLUDE is built under ACCESS EXCLUSIVE, and PostgreSQL knows no way around it",
    "Build it while nobody needs the table, or on a new table that is filled and swapped in.",
  ),
  "create-index": rule(
    "error",
    "CREATE INDEX keeps everybody from writing (SHARE) until it is built",
    "createIndex: CONCURRENTLY, outside a transaction; on a partitioned table partition by partition.",
  ),
  "index-if-not-exists": rule(
    "warning",
    "IF NOT EXISTS takes an INVALID index, as a failed CONCURRENTLY leaves it, for a good one",
    "createIndex asks the catalog, and builds a broken one again.",
  ),
  "drop-index": rule(
    "error",
    "DROP INDEX waits for ACCESS EXCLUSIVE on its table, and everybody behind it",
    "dropIndex: CONCURRENTLY, outside a transaction.",
  ),
  reindex: rule(
    "error",
    "REINDEX keeps everybody from writing, and from reading by the index",
    "REINDEX … CONCURRENTLY outside a transaction, or replaceIndex.",
  ),
  "change-type": rule(
    "error",
    "most changes of a type write the whole table and its indexes anew under ACCESS EXCLUSIVE, and break running versions of the application",
    "changeColumnType: a twin column, filled in batches and kept alike, and one short swap.",
  ),
  "rewrite-table": rule(
    "error",
    "the whole table is written anew under ACCESS EXCLUSIVE",
    "Use pg_repack or VACUUM for space; change what is wanted on a new table that is filled and swapped in.",
  ),
  "rename-column": rule(
    "error",
    "versions of the application that run know the old name, and fail from this moment on",
    "renameColumn serves both names until a person confirms that nobody uses the old one.",
  ),
  "rename-table": rule(
    "error",
    "versions of the application that run know the old name, and fail from this moment on",
    "renameTable leaves a view under the old name until a person confirms that nobody uses it.",
  ),
  "rename-object": rule(
    "warning",
    "whoever knows the old name fails from this moment on",
    "Make a new one beside it, move the users of the old, then drop that.",
  ),
  "drop-column": rule(
    "error",
    "versions of the application that run still read and write the column, and its values are gone for good",
    "dropColumn parks it under another name first, so that the undo brings it back, and drops it behind a gate.",
  ),
  "drop-table": rule(
    "error",
    "versions of the application that run still use the table, and its rows are gone for good",
    "Rename it first (an undo then brings it back), drop it in a later migration behind a gate.",
  ),
  "drop-object": rule(
    "warning",
    "whoever still uses it fails from this moment on",
    "Make sure that nobody does, and say so: the gate in the plan asks for it.",
  ),
  "drop-cascade": rule(
    "error",
    "CASCADE drops what depends on it without naming it: views, policies, foreign keys, columns",
    "Drop what depends on it by name, each with its own undo, and leave CASCADE out.",
  ),
  "drop-not-null": rule(
    "info",
    "from now on the application may read NULL here",
    "Make sure that every version that reads it knows what to do with NULL.",
  ),
  "drop-constraint": rule(
    "warning",
    "rows that break it may come from this moment on, and a foreign key locks the table it references too (ACCESS EXCLUSIVE on both)",
    "Drop one constraint per transaction, and hand over facts, so that the undo can bring it back.",
  ),
  truncate: rule(
    "error",
    "all rows are gone for good, under ACCESS EXCLUSIVE, and no row trigger sees it",
    "Delete in batches (backfill with a DELETE), or drop the table behind a gate.",
  ),
  "unbatched-write": rule(
    "error",
    "one statement over many rows holds all of their locks, and the horizon of vacuum, until it ends",
    "backfill changes them in batches, each its own transaction: { set, where } with a `where` that a done row no longer meets.",
  ),
  "create-partition": rule(
    "warning",
    "PARTITION OF takes ACCESS EXCLUSIVE on the partitioned table, and on its default partition, which is read whole",
    "CREATE TABLE … (LIKE … INCLUDING ALL), then ATTACH PARTITION; provision of underpin/partitioning does it.",
  ),
  "attach-partition": rule(
    "warning",
    "without a validated CHECK of its bound the partition is read whole under ACCESS EXCLUSIVE, a default partition too",
    "Add a CHECK of the bound NOT VALID, VALIDATE it, then ATTACH, then drop it.",
  ),
  "detach-partition": rule(
    "error",
    "DETACH PARTITION takes ACCESS EXCLUSIVE on the partitioned table",
    "DETACH PARTITION … CONCURRENTLY outside a transaction.",
  ),
  "refresh-view": rule(
    "error",
    "REFRESH keeps everybody from reading the view until it is filled",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY, with a unique index over plain columns.",
  ),
  "lock-table": rule(
    "error",
    "LOCK holds what it locks to the end of a transaction whose length nobody knows",
    "Leave it out: each step takes the locks that it needs, and tries again where it cannot have them.",
  ),
  "domain-constraint": rule(
    "warning",
    "a constraint of a domain is checked in every table that uses it, while nobody can write to them",
    "ADD CONSTRAINT … NOT VALID, and VALIDATE in a quiet moment; or addCheck on the tables.",
  ),
  "no-policy": rule(
    "error",
    "with row security on and no policy every row is hidden, without an error",
    "Write the policies into the same migration: enableRls puts them into one transaction.",
  ),
  "disable-row-security": rule(
    "error",
    "from this moment on everybody who may read the table reads all of its rows",
    "Change or add policies instead. Where it must be, run it by hand: no plan holds it.",
  ),
  "no-force-row-security": rule(
    "error",
    "the policies no longer bind the owner of the table",
    "Leave FORCE on, and let migrations work as a role with a policy of its own.",
  ),
  "rename-enum-value": rule(
    "warning",
    "versions of the application that run know the value by its old name",
    "Add the new value, move the rows in batches, then removeEnumValue.",
  ),
  "drop-database": rule(
    "error",
    "the whole database is gone for good",
    "Run it by hand, after a backup.",
  ),
  "server-wide": rule(
    "error",
    "it changes the server, beyond this database, and cannot run in a transaction",
    "Run it by hand, or from the tool that manages the server.",
  ),
  "concurrently-in-transaction": rule(
    "error",
    "CONCURRENTLY cannot run in a transaction block (25001), and this one is in BEGIN … COMMIT",
    "Take BEGIN and COMMIT away: underpin makes the transactions itself.",
  ),
  "validate-with-add": rule(
    "error",
    "VALIDATE in the transaction that added the constraint reads every row under the strong lock of the ADD",
    "COMMIT between the two; underpin does it.",
  ),
  "locks-held-together": rule(
    "warning",
    "this transaction already holds a lock that keeps others from another table: together they wait longer, and may deadlock",
    "One strong lock a transaction; underpin commits between them.",
  ),
  "transaction-control": rule(
    "info",
    "underpin makes the transactions itself, so that BEGIN and COMMIT are left out",
    "Take them away.",
  ),
  "session-setting": rule(
    "error",
    "a setting of the session does not reach the steps, which run in transactions of their own, perhaps on other connections",
    "Write names with their schema, and settings into ALTER ROLE … SET, or the function that needs them.",
  ),
  "timeout-setting": rule(
    "info",
    "underpin sets the timeouts of each step itself, so that this is left out",
    "Take it away; apply(db, plan, { lockTimeoutMs }) sets them.",
  ),
  "dynamic-sql": rule(
    "warning",
    "what EXECUTE makes out of text cannot be read before it runs",
    "Write the statements out; underpin makes each online.",
  ),
  "copy-data": rule(
    "error",
    "COPY needs data, or files, that a plan does not hold",
    "Write seed rows as INSERT, or load them with a call step.",
  ),
  parameter: rule(
    "error",
    "DDL takes no parameters: nobody hands over a value for it",
    "Write the value itself: a migration is text.",
  ),
  "not-understood": rule(
    "error",
    "nobody has said what this statement locks, nor how it is taken back",
    'Write it as a step of a plan by hand: plan(name, [{ kind: "sql", … }]), with its locks and its undo.',
  ),
  "psql-command": rule("error", "it is for psql, and no SQL", "Take the line away."),
  "syntax-error": rule("error", "it is no SQL that PostgreSQL reads", "Mend it."),
  "newer-postgres": rule(
    "error",
    "the server that it is for does not know this yet",
    "Write what the older version knows, or upgrade the server first.",
  ),
  "narrow-key": rule(
    "info",
    "a key of 32 bits or less is full one day, and its change to bigint is the hardest of all",
    "bigint, or uuid.",
  ),
  "serial-column": rule(
    "info",
    "serial leaves a sequence with grants of its own behind; identity columns are standard SQL",
    "bigint GENERATED BY DEFAULT AS IDENTITY.",
  ),
  "time-without-zone": rule(
    "info",
    "a timestamp without time zone says when only to who knows where",
    "timestamp with time zone.",
  ),
  "padded-text": rule(
    "info",
    "char(n) pads with blanks, and compares without them",
    "text, with a CHECK.",
  ),
  "json-column": rule(
    "info",
    "json has no equality, so that DISTINCT, UNION and GROUP BY over the row fail",
    "jsonb.",
  ),
  "wide-index": rule(
    "info",
    "an index of more than three columns is seldom used beyond the first",
    "Fewer columns, the most selective first; INCLUDE for what is only read.",
  ),
  "long-name": rule(
    "warning",
    "PostgreSQL cuts names at 63 bytes with a notice, so that two may become one",
    "A shorter name.",
  ),
  "unnamed-constraint": rule(
    "warning",
    "a constraint that PostgreSQL names itself may be called otherwise in each database, and its undo cannot name it",
    "ADD CONSTRAINT name ….",
  ),
  "unused-allow": rule(
    "warning",
    "nothing here breaks the rule that is allowed",
    "Take the comment away.",
  ),
  "allow-without-reason": rule(
    "error",
    "a rule is switched off and nobody says why",
    "-- underpin-lint: allow <rule> because <reason>",
  ),
  "unknown-rule": rule("error", "there is no such rule", "See the names in docs/lint.md."),
} as const satisfies Record<string, RuleText>;

/** The name of a rule of `lint`. */
export type RuleName = keyof typeof RULES;

/** Whether a text is the name of a rule. */
export function isRuleName(name: string): name is RuleName {
  return Object.hasOwn(RULES, name);
}
