import type { CallStep, Plan, SqlStep, Step, Undo } from "../../plan/step.ts";
import {
  backNameOf,
  deleteSql,
  insertSql,
  ledgerRowOf,
  runNameOf,
  type LedgerPlace,
  type LedgerRow,
} from "./ledger.ts";
import type { Resolved } from "./resolve-migration.ts";
import { sqlSteps } from "./sql-steps.ts";
import { textFor, type Tenant } from "./tenant.ts";

/** The handler that the engine calls for `up` and `down` of a module. */
export const FUNCTION_HANDLER = "underpin:migration";

/** Where a name without a schema is taken to be. */
function defaultSchemaOf(tenant: Tenant | undefined): string {
  return tenant?.schema ?? "public";
}

const BY_ROLLBACK = {
  kind: "irreversible",
  reason: "a migration is taken back by its down, not statement by statement: underpin rollback",
} as const satisfies Undo;

/** Whether a step is one of a migration in SQL, which only its down takes back. */
export function isOfMigration(undo: Undo): boolean {
  return undo.kind === "irreversible" && undo.reason === BY_ROLLBACK.reason;
}

/**
 * A migration as a plan: its own steps, and last the row of the ledger, in one transaction with what stands before it.
 *
 * A way back that was taken earlier is void once it is applied again.
 */
export function planOfMigration(resolved: Resolved, place: LedgerPlace, tenant?: Tenant): Plan {
  const { migration, body, down, text } = resolved;
  const { version, file } = migration;
  const name = runNameOf(version, place.tenant);
  const voids = [backNameOf(version, place.tenant)];
  const ledger: SqlStep = {
    kind: "sql",
    id: "ledger",
    title: `Write ${version} into the ledger`,
    sql: insertSql(place, [ledgerRowOf(migration, down, "applied")]),
    locks: [],
    transaction: "commitAfter",
    undo: { kind: "statement", sql: deleteSql(place, version), locks: [], transaction: "inside" },
  };
  switch (body.kind) {
    case "plan":
      return {
        format: 1,
        name,
        steps: [...body.plan.steps, ledger],
        voids: [...(body.plan.voids ?? []), ...voids],
      };
    case "sql": {
      const steps = sqlSteps(textFor(text, tenant), {
        file,
        defaultSchema: defaultSchemaOf(tenant),
        undo: BY_ROLLBACK,
      });
      return { format: 1, name, steps: [...steps, ledger], voids };
    }
    case "functions":
      return {
        format: 1,
        name,
        steps: [callStep("up", version, place, migration.checksum)],
        voids,
      };
  }
}

/** The way back of an applied migration by its stored SQL, as a plan; the row of the ledger goes with it. */
export function planOfRollback(row: LedgerRow, place: LedgerPlace, tenant?: Tenant): Plan {
  const { version, rollbackSql } = row;
  const undo: Undo = {
    kind: "irreversible",
    reason: "it is itself a way back: underpin migrate goes forward again",
  };
  const steps = sqlSteps(textFor(rollbackSql ?? "", tenant), {
    file: `the way back of ${version}`,
    defaultSchema: defaultSchemaOf(tenant),
    undo,
  });
  const ledger: SqlStep = {
    kind: "sql",
    id: "ledger",
    title: `Take ${version} out of the ledger`,
    sql: deleteSql(place, version),
    locks: [],
    transaction: "commitAfter",
    undo,
  };
  return {
    format: 1,
    name: backNameOf(version, place.tenant),
    steps: [...steps, ledger],
    voids: [runNameOf(version, place.tenant)],
  };
}

/** The way back of a migration by `down` of its module. */
export function planOfDownFunction(row: LedgerRow, place: LedgerPlace): Plan {
  const { version, checksum } = row;
  return {
    format: 1,
    name: backNameOf(version, place.tenant),
    steps: [callStep("down", version, place, checksum)],
    voids: [runNameOf(version, place.tenant)],
  };
}

function callStep(
  way: "up" | "down",
  version: string,
  { tenant }: LedgerPlace,
  checksum: string,
): CallStep {
  const step: Step = {
    kind: "call",
    id: way,
    title: `Call ${way} of ${version}`,
    handler: FUNCTION_HANDLER,
    version: 1,
    argument: { way, version, tenant, checksum },
    undo: {
      kind: "irreversible",
      reason: "a function is taken back by the other one of its file: underpin rollback",
    },
  };
  return step;
}
