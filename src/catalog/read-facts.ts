import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Queryable } from "../executor/executor.ts";
import { columns, type ColumnFact } from "./columns.ts";
import { constraints, type ConstraintFact } from "./constraints.ts";
import { dependencies, type DependencyFact } from "./dependencies.ts";
import { extensions, type ExtensionFact } from "./extensions.ts";
import { functions, type FunctionFact } from "./functions.ts";
import { defaultPrivileges, grants, type DefaultPrivilegeFact, type GrantFact } from "./grants.ts";
import { indexes, type IndexFact } from "./indexes.ts";
import { inheritance, type InheritanceFact } from "./inheritance.ts";
import { locks, type LockFact } from "./locks.ts";
import { partitions, type PartitionFact } from "./partitions.ts";
import { policies, type PolicyFact } from "./policies.ts";
import { publications, type PublicationFact } from "./publications.ts";
import { readJson, type ReadOptions } from "./read-json.ts";
import type { Reader } from "./reader.ts";
import { roles, type RoleFact } from "./roles.ts";
import { rules, type RuleFact } from "./rules.ts";
import { schemas, type SchemaFact } from "./schemas.ts";
import { sequences, type SequenceFact } from "./sequences.ts";
import { server, type ServerFact } from "./server.ts";
import { tables, type TableFact } from "./tables.ts";
import { triggers, type TriggerFact } from "./triggers.ts";
import { types, type TypeFact } from "./types.ts";
import { unread, type UnreadFact } from "./unread.ts";
import { views, type ViewFact } from "./views.ts";

/** Readings of the catalog: what the database is. Each list is in the order of its names. */
export interface Facts {
  readonly server: ServerFact;
  readonly schemas: readonly SchemaFact[];
  readonly tables: readonly TableFact[];
  readonly columns: readonly ColumnFact[];
  readonly constraints: readonly ConstraintFact[];
  readonly indexes: readonly IndexFact[];
  readonly sequences: readonly SequenceFact[];
  readonly triggers: readonly TriggerFact[];
  readonly rules: readonly RuleFact[];
  readonly functions: readonly FunctionFact[];
  readonly views: readonly ViewFact[];
  readonly dependencies: readonly DependencyFact[];
  readonly policies: readonly PolicyFact[];
  readonly grants: readonly GrantFact[];
  readonly defaultPrivileges: readonly DefaultPrivilegeFact[];
  readonly roles: readonly RoleFact[];
  readonly partitions: readonly PartitionFact[];
  readonly inheritance: readonly InheritanceFact[];
  readonly publications: readonly PublicationFact[];
  readonly extensions: readonly ExtensionFact[];
  readonly types: readonly TypeFact[];
  readonly locks: readonly LockFact[];
  /** What is there and no reader understands, by name. */
  readonly unread: readonly UnreadFact[];
}

const READERS: { readonly [K in Exclude<keyof Facts, "server">]: Reader<Facts[K][number]> } = {
  schemas,
  tables,
  columns,
  constraints,
  indexes,
  sequences,
  triggers,
  rules,
  functions,
  views,
  dependencies,
  policies,
  grants,
  defaultPrivileges,
  roles,
  partitions,
  inheritance,
  publications,
  extensions,
  types,
  locks,
  unread,
};

/**
 * Reads the catalog, whatever its size, in one statement: one snapshot, one round trip.
 *
 * It needs no right but to connect, and changes nothing. Definitions are printed without a search_path, so that every name is
 * qualified. It waits behind an ACCESS EXCLUSIVE lock for a short time and then throws `blocked`, because the functions that
 * print definitions open what they print.
 *
 * @example
 * const facts = await readFacts(db, { schemas: ["app"] });
 */
export async function readFacts(db: DatabaseLike, options: ReadOptions = {}): Promise<Facts> {
  return factsOf(toExecutor(db), options);
}

/** As {@link readFacts}, also inside a transaction: what it has changed is read as it will be. */
export async function factsOf(db: Queryable, options: ReadOptions = {}): Promise<Facts> {
  const rows = await readJson(
    db,
    Object.fromEntries(
      Object.entries({ server, ...READERS }).map(([kind, { sql }]) => [kind, sql]),
    ),
    options,
  );
  const lists = Object.fromEntries(
    Object.entries<Reader<unknown>>(READERS).map(([kind, { decode }]) => [
      kind,
      (rows[kind] ?? []).map(decode),
    ]),
  ) as unknown as Omit<Facts, "server">;
  const [first] = rows.server ?? [];
  if (first === undefined)
    throw new UnderpinError({
      code: "unsupportedDatabase",
      message: "the database returned nothing for a reading of its catalog",
      hint: "Hand over a connection to PostgreSQL 15 or later.",
    });
  return { server: server.decode(first), ...lists };
}

/**
 * Reads only who holds and awaits locks on the relations of the schemas. It waits for nobody, so that it answers while
 * {@link readFacts} would be blocked.
 */
export async function readLocks(
  db: DatabaseLike,
  options: ReadOptions = {},
): Promise<readonly LockFact[]> {
  const rows = await readJson(toExecutor(db), { locks: locks.sql }, options);
  return (rows.locks ?? []).map(locks.decode);
}
