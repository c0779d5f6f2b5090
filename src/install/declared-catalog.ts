import { canonical, type Canonical } from "../catalog/canonical.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { qualified } from "../sql/quote.ts";

/** Who installed goes by another name on each server. */
const OWNER = "owner";

/**
 * The canonical projection of what is declared and of what belongs to it, so that two servers of different versions and owners compare.
 *
 * Left out: partitions, which come and go; NOT NULL as constraints (a row of its own only since 18; the column says it);
 * MAINTAIN (17 and later).
 */
export function declaredCatalog(facts: Facts, objects: readonly DatabaseObject[]): Canonical {
  const ids = new Set(objects.map(({ id }) => id));
  const projected = comparableCatalog(facts, objects);
  const isOurs = (path: string): boolean => {
    if (ids.has(path)) return true;
    const within = projected[path]?.within ?? null;
    if (within === null) return false;
    // A schema may hold what is the host's; a table, view or function is ours whole.
    if (within.startsWith("schema ")) return ids.has(within) && path.startsWith("privileges of ");
    return isOurs(within);
  };
  return Object.fromEntries(Object.entries(projected).filter(([path]) => isOurs(path)));
}

/** The same projection of everything that is there. */
export function comparableCatalog(facts: Facts, objects: readonly DatabaseObject[]): Canonical {
  return canonical(comparable(facts, installer(facts, new Set(objects.map(({ id }) => id)))));
}

/** Who owns what is declared: of several, whoever owns most of it. */
function installer(facts: Facts, ids: ReadonlySet<string>): string {
  const counts = new Map<string, number>();
  for (const { schema, name, owner } of facts.tables)
    if (ids.has(`table ${qualified(schema, name)}`))
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
  for (const { name, owner } of facts.schemas)
    if (counts.size === 0 && ids.has(`schema "${name}"`)) counts.set(owner, 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  return first?.[0] ?? facts.roles.find(({ current }) => current)?.name ?? OWNER;
}

function comparable(facts: Facts, owner: string): Facts {
  const leaves = new Set(
    facts.partitions
      .filter(({ parent }) => parent !== null)
      .map(({ schema, name }) => qualified(schema, name)),
  );
  const roots = new Set(facts.partitions.map(({ schema, name }) => qualified(schema, name)));
  const isLeaf = (schema: string, table: string) => leaves.has(qualified(schema, table));
  const own = <F extends { readonly owner: string }>(list: readonly F[]): readonly F[] =>
    list.map((fact) => (fact.owner === owner ? { ...fact, owner: OWNER } : fact));
  const named = (role: string) => (role === owner ? OWNER : role);
  return {
    ...facts,
    schemas: own(facts.schemas),
    tables: own(facts.tables).filter(({ schema, name }) => !isLeaf(schema, name)),
    columns: facts.columns.filter(({ schema, table }) => !isLeaf(schema, table)),
    constraints: facts.constraints.filter(
      ({ schema, table, kind, parent, references }) =>
        kind !== "notNull" &&
        !isLeaf(schema, table) &&
        // A foreign key to a partitioned table has one more for each of its partitions, which PostgreSQL names.
        !(parent !== null && references !== null && isLeaf(references.schema, references.name)),
    ),
    indexes: facts.indexes.filter(({ schema, table }) => !isLeaf(schema, table)),
    triggers: facts.triggers.filter(({ schema, table }) => !isLeaf(schema, table)),
    policies: facts.policies.filter(({ schema, table }) => !isLeaf(schema, table)),
    partitions: facts.partitions.filter(({ schema, name }) => !isLeaf(schema, name)),
    inheritance: facts.inheritance.filter(
      ({ schema, name }) => !roots.has(qualified(schema, name)),
    ),
    // Where it is and whose is the host's: an object that names something of it would not be there otherwise.
    extensions: facts.extensions.map((fact) => ({
      ...fact,
      owner: OWNER,
      schema: "",
      version: "",
    })),
    sequences: own(facts.sequences),
    functions: own(facts.functions),
    views: own(facts.views),
    types: own(facts.types),
    grants: facts.grants
      .filter(({ schema, name }) => !isLeaf(schema, name))
      .map((grant) => ({
        ...grant,
        grantee: named(grant.grantee),
        grantor: named(grant.grantor),
        privileges: grant.privileges.filter((privilege) => privilege !== "MAINTAIN"),
        grantable: grant.grantable.filter((privilege) => privilege !== "MAINTAIN"),
      })),
    defaultPrivileges: [],
  };
}
