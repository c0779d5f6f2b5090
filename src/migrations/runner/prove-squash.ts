import { canonical, type Canonical } from "../../catalog/canonical.ts";
import { compareCatalogs } from "../../catalog/compare.ts";
import { readFacts } from "../../catalog/read-facts.ts";
import { UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { qualified } from "../../sql/quote.ts";

/** What a way of migrating makes: the catalog, and the rows of each table. */
interface Made {
  readonly catalog: Canonical;
  readonly rows: Readonly<Record<string, string>>;
}

/** Runs both ways in an embedded PostgreSQL each, and refuses where they do not make the same catalog and the same rows. */
export async function proveSquash(
  before: (db: Executor) => Promise<unknown>,
  after: (db: Executor) => Promise<unknown>,
): Promise<void> {
  const was = await madeBy(before);
  const is = await madeBy(after);
  const differences = compareCatalogs(was.catalog, is.catalog).map(
    ({ path, before: left, after: right }) =>
      `${path}: ${left} by the migrations, ${right} by the squash`,
  );
  const tables = [...new Set([...Object.keys(was.rows), ...Object.keys(is.rows)])];
  for (const table of tables)
    if (was.rows[table] !== is.rows[table])
      differences.push(
        `rows of ${table}: ${was.rows[table] ?? "none"} by the migrations, ${is.rows[table] ?? "none"} by the squash`,
      );
  if (differences.length === 0) return;
  throw new UnderpinError({
    code: "checkFailed",
    message: `the squash does not make what the migrations make:\n  ${differences.slice(0, 20).join("\n  ")}`,
    hint: "Nothing was written. Squash through an earlier migration, or correct the SQL that was given.",
  });
}

async function madeBy(work: (db: Executor) => Promise<unknown>): Promise<Made> {
  const { bootSandbox } = await import("../../sandbox/boot.ts");
  const sandbox = await bootSandbox();
  try {
    const db = sandbox.executor;
    await work(db);
    const catalog = canonical(await readFacts(db), { leaveOut: ["underpin"] });
    return { catalog, rows: await rowsOf(db) };
  } finally {
    await sandbox.close();
  }
}

/** How many rows each table has. Their values may differ by right: made at another moment, or at random. */
async function rowsOf(db: Executor): Promise<Readonly<Record<string, string>>> {
  const tables = await db.query<{ schema: string; name: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'underpin')`,
  );
  const rows: Record<string, string> = {};
  for (const { schema, name } of tables) {
    const table = qualified(schema, name);
    const [row] = await db.query<{ n: string }>(
      `SELECT pg_catalog.count(*)::text AS n FROM ${table}`,
    );
    rows[table] = row?.n ?? "0";
  }
  return rows;
}
