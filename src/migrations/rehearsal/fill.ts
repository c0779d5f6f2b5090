import type { PartitionFact } from "../../catalog/partitions.ts";
import type { Definition } from "../../definition/definition.ts";
import type { Executor, Queryable } from "../../executor/executor.ts";
import { UnderpinError } from "../../errors.ts";
import { readProofCatalog } from "../../rls/proof/catalog.ts";
import { lookupProbes } from "../../rls/proof/lookup-probes.ts";
import {
  modelOf,
  tablesOfCatalog,
  type ForeignKey,
  type ProofModel,
  type ProvenTable,
} from "../../rls/proof/model.ts";
import { prepareRunner } from "../../rls/proof/runner.ts";
import { typeNames } from "../../rls/proof/samples.ts";
import type { RowToMake, WorldOptions } from "../../rls/proof/world-options.ts";
import { fillWorld, INSERT, readWorldRows, type World } from "../../rls/proof/world.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { partitionValues } from "./partition-values.ts";

/** Tables that were filled. */
export interface Filled {
  readonly model: ProofModel;
  readonly world: World;
}

/** How tables are filled. */
export interface FillOptions {
  readonly definition: Definition | undefined;
  /** Rows of each table, of each tenant where there are tenants. */
  readonly rows: number;
  readonly generate: WorldOptions["generate"] | undefined;
  readonly runSchema: string;
}

/**
 * Fills every table with rows that its checks, unique keys, foreign keys and partitions take, and commits them.
 *
 * Triggers sleep meanwhile. A row whose foreign key leads nowhere gets what it points at, or goes.
 */
export async function fillTables(db: Executor, options: FillOptions): Promise<Filled> {
  return db.session(async (session) => {
    const filled = await session.transaction(async (tx) => {
      const schemas = await userSchemas(tx, options.runSchema);
      await prepareAsker(tx, schemas, options.definition);
      await tx.query(`${INSERT};\nSET LOCAL session_replication_role TO replica`);
      const model = await readModel(tx, schemas, options.definition);
      const world = await fillWorld(tx, model, {
        rowsPerTenant: options.rows,
        generate: { ...partitionGenerators(model), ...options.generate },
      });
      await mendKeys(tx, model);
      await moveSequences(tx, model);
      return { model, world: { ...world, rows: await readWorldRows(tx, model, world.tenants) } };
    });
    await session.query("DISCARD TEMP");
    await session.query("ANALYZE");
    return filled;
  });
}

/** The functions and settings by which many questions are asked as somebody, for this transaction. */
export async function prepareAsker(
  tx: Queryable,
  schemas: readonly string[],
  definition: Definition | undefined,
): Promise<void> {
  const [who] = await tx.query<{ superuser: boolean; name: string }>(
    `SELECT r.rolsuper AS superuser, r.rolname::text AS name FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user`,
  );
  if (who?.superuser !== true)
    throw new UnderpinError({
      code: "missingRight",
      message: `${who?.name ?? "the login"} is no superuser: it cannot make rows while triggers sleep, nor see as others what they see`,
      hint: "Rehearse on a scratch server as its superuser, or in PGlite, which is what is used without `on`.",
    });
  await prepareRunner(tx);
  const probes = definition === undefined ? [] : lookupProbes(definition);
  if (probes.length > 0) await tx.query(probes.join(";\n"));
  await tx.query(`SET LOCAL search_path TO ${[...schemas, "public"].map(ident).join(", ")};
    SET LOCAL lc_messages TO ${literal("C").trim()};
    SET LOCAL row_security TO on;
    SET LOCAL jit TO off`);
}

/** The schemas that hold something of the application's. */
export async function userSchemas(db: Queryable, runSchema: string): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT n.nspname::text AS name FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', $1::text) ORDER BY 1`,
    [runSchema],
  );
  return rows.map(({ name }) => name);
}

/** Every table of the schemas; what a definition says of one is known too. */
async function readModel(
  tx: Queryable,
  schemas: readonly string[],
  definition: Definition | undefined,
): Promise<ProofModel> {
  const catalog = await readProofCatalog(tx, schemas);
  const given = definition === undefined ? undefined : modelOf(definition, catalog);
  const known = new Map((given?.tables ?? []).map((table) => [table.sql, table]));
  const tableOf = tablesOfCatalog(catalog);
  const within = new Set(
    catalog.partitions
      .filter(({ parent }) => parent !== null)
      .map(({ schema, name }) => qualified(schema, name)),
  );
  const names = new Map(catalog.columns.map((each) => [qualified(each.schema, each.table), each]));
  const tables = [...names]
    .filter(([sql]) => !within.has(sql))
    .flatMap(([sql, { schema, table }]): ProvenTable[] => {
      const read = tableOf(schema, table, { policies: [], rules: null, access: null });
      const found = known.get(sql) ?? read;
      return found === undefined ? [] : [found];
    });
  return {
    definition: definition ?? NOTHING,
    schemas,
    tables,
    views: given?.views ?? [],
    types: typeNames(catalog.types),
    catalog,
  };
}

/** What a model knows of a database that no definition describes. */
const NOTHING: Definition = {
  name: "",
  tables: {},
  objects: [],
  partitions: [],
  access: [],
  seeds: [],
  requires: {},
};

/** Values that some partition takes, by the name of the partitioned table. */
function partitionGenerators({ catalog }: ProofModel): NonNullable<WorldOptions["generate"]> {
  const roots = catalog.partitions.filter(({ level }) => level === 0);
  return Object.fromEntries(
    roots.flatMap((root: PartitionFact) => {
      const leaves = partitionValues(root, catalog.partitions);
      if (leaves.length === 0) return [];
      const values = ({ row, tenantIndex }: RowToMake) =>
        leaves[(row + tenantIndex) % leaves.length] ?? {};
      return [[root.name, values] as const];
    }),
  );
}

/** How often keys that point at keys are looked at again. */
const ROUNDS = 10;

/** Makes what orphans point at; where that cannot be, the orphans go. */
async function mendKeys(tx: Queryable, { tables }: ProofModel): Promise<void> {
  const keys = tables.flatMap((table) => table.foreignKeys.map((key) => ({ table, key })));
  if (keys.length === 0) return;
  for (let round = 0; round < ROUNDS; round += 1) {
    const counted = await tx.query<{ at: number }>(
      keys
        .map(
          ({ table, key }, at) =>
            `SELECT ${at} AS at WHERE EXISTS (SELECT FROM ${table.sql} AS c WHERE ${leadNowhere(key)})`,
        )
        .join("\nUNION ALL\n"),
    );
    if (counted.length === 0) return;
    for (const { at } of counted) {
      const found = keys[at];
      if (found !== undefined) await adopt(tx, found.table, found.key);
    }
  }
}

/** Rows of `c` that point at nothing. */
function leadNowhere({ columns, target, targetColumns }: ForeignKey): string {
  const set = columns.map((column) => `c.${ident(column)} IS NOT NULL`);
  const same = columns.map(
    (column, at) => `p.${ident(targetColumns[at] ?? "")} = c.${ident(column)}`,
  );
  return `${set.join(" AND ")} AND NOT EXISTS (SELECT FROM ${target} AS p WHERE ${same.join(" AND ")})`;
}

async function adopt(tx: Queryable, { sql }: ProvenTable, key: ForeignKey): Promise<void> {
  const columns = key.targetColumns.map(ident).join(", ");
  const values = key.columns.map((column) => `c.${ident(column)}`).join(", ");
  const orphans = leadNowhere(key);
  await tx.query("SAVEPOINT underpin_adopt");
  try {
    await tx.query(
      `INSERT INTO ${key.target} (${columns}) OVERRIDING SYSTEM VALUE SELECT DISTINCT ${values} FROM ${sql} AS c WHERE ${orphans}`,
    );
  } catch {
    // It needs more than its key, which nobody can make up: the orphan goes.
    await tx.query("ROLLBACK TO SAVEPOINT underpin_adopt");
    await tx.query(`DELETE FROM ${sql} AS c WHERE ${orphans}`);
  }
  await tx.query("RELEASE SAVEPOINT underpin_adopt");
}

/** Sequences go on behind the rows: an INSERT of the migration must not meet their keys. */
async function moveSequences(tx: Queryable, { tables }: ProofModel): Promise<void> {
  const moves = tables.flatMap(({ sql, columns }) =>
    columns
      .filter(
        (column) => column.identity !== null || column.default?.startsWith("nextval(") === true,
      )
      .map(
        ({ name }) =>
          `SELECT pg_catalog.setval(s.name::pg_catalog.regclass, m.highest)::text AS at
           FROM (SELECT pg_catalog.max(${ident(name)})::bigint AS highest FROM ${sql}) AS m,
             (SELECT pg_catalog.pg_get_serial_sequence(${literal(sql)}, ${literal(name)}) AS name) AS s
           WHERE m.highest > 0 AND s.name IS NOT NULL`,
      ),
  );
  if (moves.length > 0) await tx.query(moves.join("\nUNION ALL\n"));
}
