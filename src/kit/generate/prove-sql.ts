import { readFacts } from "../../catalog/read-facts.ts";
import { sqlStateOf, toError, UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { makingScript } from "../../install/install-script.ts";
import { extensionsOf } from "../../install/requirements.ts";
import { differences } from "../../install/differences.ts";
import { declaredCatalog } from "../../install/declared-catalog.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import { lostData, readData } from "../../migrations/rehearsal/data.ts";
import { fillTables, userSchemas } from "../../migrations/rehearsal/fill.ts";
import { bootSandbox } from "../../sandbox/boot.ts";
import { loadExtensions } from "../../sandbox/load-extensions.ts";
import { PARKED } from "../change/contract.ts";
import type { MigrationSql } from "./migration-sql.ts";

/** What is replayed. */
export interface Replay {
  readonly tag: string;
  /** The migrations before it, in order. */
  readonly earlier: readonly string[];
  readonly sql: MigrationSql;
  readonly before: Snapshot;
  readonly after: Snapshot;
}

const FILL = {
  definition: undefined,
  generate: undefined,
  rows: 2,
  runSchema: "underpin",
} as const;

/**
 * Replays a folder from an empty database and takes its last migration up, down and up again, each as Drizzle's migrator would: in one transaction. The
 * catalogs are compared each time, and after the way back the rows.
 */
export async function proveSql(replay: Replay): Promise<void> {
  try {
    await prove(replay, true);
  } catch (error) {
    // Rows that are made up may break a key or a check that is to come, as those of the application must not.
    if (!/^23/.test(sqlStateOf(error) ?? "")) throw error;
    await prove(replay, false);
  }
}

async function prove(replay: Replay, withRows: boolean): Promise<void> {
  const { tag, earlier, sql, before, after } = replay;
  const names = new Set([
    ...extensionsOf(before.made.objects),
    ...extensionsOf(after.made.objects),
  ]);
  await using sandbox = await bootSandbox({ extensions: await loadExtensions([...names]) });
  const { executor } = sandbox;
  await executor.transaction(async (transaction) => {
    // What belongs to the host: its roles, and tables that stand in for its own.
    for (const text of makingScript(after.made.objects, after.made.host).slice(0, 1))
      await transaction.query(text);
  });
  for (const text of earlier) await run(executor, text, "an earlier migration cannot be replayed");
  if (withRows) await fillTables(executor, FILL);
  const schemas = await userSchemas(executor, FILL.runSchema);
  const rows = await readData(executor, schemas);
  await run(executor, sql.up, `${tag}.sql fails`);
  await look(executor, after, `after ${tag}.sql`);
  await run(executor, sql.down, `${tag}.down.sql fails`);
  await look(executor, before, `after ${tag}.down.sql`);
  const lost = lostData(rows, await readData(executor, schemas));
  if (lost.length > 0)
    throw failed(
      `after ${tag}.down.sql the rows are others: ${lost.map(({ table, what }) => `${table}: ${what}`).join("; ")}`,
    );
  await run(executor, sql.up, `${tag}.sql fails the second time`);
  await look(executor, after, `after ${tag}.sql the second time`);
}

async function run(executor: Executor, text: string, what: string): Promise<void> {
  try {
    await executor.transaction(async (transaction) => {
      for (const statement of text.split("--> statement-breakpoint"))
        if (statement.trim() !== "") await transaction.query(statement);
    });
  } catch (error) {
    throw failed(`${what}: ${toError(error).message}`, error);
  }
}

/** What PostgreSQL keeps from a down is no difference: labels of enums. */
async function look(executor: Executor, expected: Snapshot, when: string): Promise<void> {
  const facts = await readFacts(executor);
  const found = differences(expected.catalog, declaredCatalog(facts, expected.made.objects)).filter(
    ({ path, aspect }) => aspect !== "labels" && !path.includes(PARKED),
  );
  if (found.length === 0) return;
  const lines = found
    .slice(0, 10)
    .map(
      ({ path, aspect, expected: should, found: is }) =>
        `${path}${aspect === null ? "" : `: ${aspect}`} should be ${should ?? "gone"} and is ${is ?? "not there"}`,
    );
  throw failed(`${when} the catalog is another:\n  ${lines.join("\n  ")}`);
}

function failed(what: string, cause?: unknown): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `the proof of the migration failed: ${what}`,
    hint: "No file was kept. Make the change in smaller parts, or that part by hand: a migration of your own beside it, and underpin baseline.",
    cause,
  });
}
