import type { Executor, Queryable } from "../../executor/executor.ts";
import {
  insertSql,
  ledgerRowOf,
  squashSql,
  type LedgerPlace,
  type LedgerWay,
  type NewLedgerRow,
} from "./ledger.ts";
import type { Migration } from "./migration.ts";
import { fileDownOf, resolveMigration } from "./resolve-migration.ts";

/** The rows of migrations that are applied without a run of ours: no plan of theirs was stored that could be undone. */
export async function unrunRows(
  migrations: readonly Migration[],
  way: LedgerWay,
): Promise<readonly NewLedgerRow[]> {
  const all = await Promise.all(migrations.map(resolveMigration));
  return all.map(({ migration, down }) =>
    ledgerRowOf(migration, down.kind === "plan" ? fileDownOf(migration) : down, way),
  );
}

/** Writes migrations into the ledger that are applied already; runs nothing of them. */
export async function writeDown(
  { executor, place }: { readonly executor: Queryable; readonly place: LedgerPlace },
  migrations: readonly Migration[],
  way: LedgerWay,
): Promise<void> {
  if (migrations.length === 0) return;
  await executor.query(
    `${insertSql(place, await unrunRows(migrations, way))} ON CONFLICT DO NOTHING`,
  );
}

/** Writes squashes into the ledger whose parts are all applied. */
export async function writeSquashes(
  { executor, place }: { readonly executor: Executor; readonly place: LedgerPlace },
  squashes: readonly Migration[],
): Promise<void> {
  for (const squash of squashes) {
    const [row] = await unrunRows([squash], "squashed");
    const parts = squash.squashes.map(({ version }) => version);
    if (row !== undefined)
      await executor.transaction((tx) => tx.query(squashSql(place, row, parts)));
  }
}
