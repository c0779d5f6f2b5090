import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { canonical, type Canonical, type CanonicalEntry } from "../../src/catalog/canonical.ts";
import { factsOf } from "../../src/catalog/read-facts.ts";
import type { RoleFact } from "../../src/catalog/roles.ts";
import type { DrizzleEntity } from "../../src/definition/definition.ts";
import { emit } from "../../src/definition/emit/emit.ts";
import { orderObjects } from "../../src/definition/order.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";

/** Everything that a schema file exports. */
export type Exports = Readonly<Record<string, unknown>>;

/** Types that take a modifier as those of pgvector and PostGIS do. */
export const STAND_INS = `
  ${["vector", "halfvec", "sparsevec"].map((name) => standIn(name, "varchartypmodin")).join("\n")}
  ${standIn("geometry", "array_ndims")}`;

/** What an application has that Drizzle cannot make. */
const HOST = `
  CREATE ROLE emit_host;
  CREATE DOMAIN "Loud" AS text;
  ${STAND_INS}`;

/** A type that is varchar but for its name; `modifier` is the C function that reads what stands in brackets. */
function standIn(name: string, modifier: string): string {
  return `CREATE TYPE ${name};
    CREATE FUNCTION ${name}_in(cstring, oid, int4) RETURNS ${name} LANGUAGE internal IMMUTABLE STRICT AS 'varcharin';
    CREATE FUNCTION ${name}_out(${name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varcharout';
    CREATE FUNCTION ${name}_modifier(cstring[]) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT AS '${modifier}';
    CREATE TYPE ${name} (INPUT = ${name}_in, OUTPUT = ${name}_out, TYPMOD_IN = ${name}_modifier, LIKE = varchar);`;
}

/** The statements of drizzle-kit for an empty database. */
export async function kitStatements(exports: Exports): Promise<readonly string[]> {
  return generateMigration(generateDrizzleJson({}), generateDrizzleJson({ ...exports }));
}

/** The statements of our objects for an empty database, in order. */
export function ourStatements(exports: Exports): readonly string[] {
  return orderObjects(emit(Object.values(exports) as DrizzleEntity[])).map(({ create }) => create);
}

/** The catalog that statements make in a database of their own. The first that fails is named. */
export async function catalogOf(statements: readonly string[]): Promise<Canonical> {
  await using sandbox = await bootSandbox();
  await sandbox.client.exec(HOST);
  for (const statement of statements)
    try {
      await sandbox.client.exec(statement);
    } catch (error) {
      throw new Error(`${String(error)}\nin ${statement}`, { cause: error });
    }
  const facts = await factsOf(sandbox.executor);
  return { ...canonical(facts), ...Object.fromEntries(facts.roles.map(roleEntry)) };
}

/** Roles belong to the cluster, so that no projection has them; here each database is a cluster of its own. */
function roleEntry({ name, ...role }: RoleFact): [string, CanonicalEntry] {
  return [`role ${name}`, { within: null, aspects: { is: JSON.stringify(role) } }];
}
