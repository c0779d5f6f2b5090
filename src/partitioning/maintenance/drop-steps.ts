import type { Step } from "../../plan/step.ts";
import { literal } from "../../sql/quote.ts";
import { LEAVES_PER_COMMIT } from "../provision-body.ts";
import { archiveCall, type Archive } from "./archive.ts";
import { markOf } from "./mark.ts";
import { nameOf, type Detached, type MaintenanceState } from "./read-state.ts";

/**
 * Archives and drops the detached tables whose grace period is over, at most 20 in a transaction: each takes a dozen locks.
 *
 * Their foreign keys are gone by then. DROP TABLE of a table that has one takes ACCESS EXCLUSIVE on the table that it refers to.
 */
export function dropSteps(state: MaintenanceState, archive: Archive): readonly Step[] {
  const due = state.detached.filter((table) => table.due && table.foreignKeys.length === 0);
  const steps: Step[] = [];
  let batch: Step[] = [];
  const close = () => {
    const last = batch.at(-1);
    if (last !== undefined)
      steps.push(...batch.slice(0, -1), { ...last, transaction: "commitAfter" } as Step);
    batch = [];
  };
  const archives = archive.kind === "none" ? [] : due.map((table) => archiveStep(table, archive));
  for (const table of due) {
    const drops = [...table.below, table].map((each) => dropStep(each));
    if (batch.length + drops.length + 1 > LEAVES_PER_COMMIT) close();
    batch.push(stillDetached(state, table));
    for (const drop of drops) {
      if (batch.length >= LEAVES_PER_COMMIT) close();
      batch.push(drop);
    }
  }
  close();
  return [...archives, ...steps];
}

function archiveStep(
  { schema, name }: Detached,
  archive: Exclude<Archive, { readonly kind: "none" }>,
): Step {
  return {
    kind: "call",
    id: `archive/${schema}.${name}`,
    title: `Archive the rows of ${name}`,
    ...archiveCall(archive),
    argument: { schema, table: name },
    undo: { kind: "nothing" },
  };
}

/** A table that somebody attached again, or took the mark from, is no longer ours to drop. */
function stillDetached(state: MaintenanceState, { schema, name }: Detached): Step {
  return {
    kind: "check",
    id: `drop/${schema}.${name}/is-detached`,
    title: `${name} is still detached and marked`,
    sql: `SELECT ${literal(nameOf({ schema, name }))} AS relation, c.relispartition AS attached
FROM (VALUES (1)) AS one (row) LEFT JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(${literal(nameOf({ schema, name }))})
WHERE c.oid IS NULL OR c.relispartition
  OR NOT pg_catalog.starts_with(coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''), ${literal(markOf(state.scheme))})`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}

function dropStep({ schema, name, indexes }: Detached["below"][number]): Step {
  return {
    kind: "sql",
    id: `drop/${schema}.${name}`,
    title: `Drop ${name}`,
    sql: `DROP TABLE ${nameOf({ schema, name })}`,
    locks: [{ schema, name, mode: "accessExclusive" }],
    // It creates none: these are the indexes that are dropped, each a lock.
    creates: indexes,
    transaction: "inside",
    undo: {
      kind: "irreversible",
      reason: `the rows of ${name} are gone: restore them from the archive`,
    },
  };
}
