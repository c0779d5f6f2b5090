import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import { askerOf } from "./asker.ts";
import { told, type PlannedCell } from "./cell.ts";
import { withoutContext } from "./context-cells.ts";
import { controlCells, ownerCells, STAND_IN } from "./control-cells.ts";
import { declaredExpressions } from "./declared-policies.ts";
import { chooseIdentities } from "./identities.ts";
import type { ProofModel, ProvenTable } from "./model.ts";
import { personaCells } from "./persona-cells.ts";
import {
  accessFunctions,
  functionPosture,
  partitionPosture,
  rolePosture,
  tablePosture,
} from "./posture.ts";
import { reachableCell } from "./reachable.ts";
import { ask, type Asker } from "./runner.ts";
import { rowsOf, type World } from "./world.ts";

/** All cells, in the order in which they have to be asked. */
export interface CellPlan {
  readonly cells: readonly PlannedCell[];
  readonly askers: readonly Asker[];
  readonly tables: readonly ProvenTable[];
}

/** Works out everything that is tried, and what has to come of it. */
export async function planCells(db: Queryable, model: ProofModel, world: World): Promise<CellPlan> {
  const askers: Asker[] = [
    { role: null, settings: [] },
    { role: STAND_IN, settings: [] },
  ];
  const add = (asker: Asker) => askers.push(asker) - 1;
  const horizon = await horizonOf(db, model, world);
  await db.query(
    [
      `CREATE ROLE ${ident(STAND_IN)} NOLOGIN`,
      ...model.schemas.map(
        (schema) => `GRANT USAGE ON SCHEMA ${ident(schema)} TO ${ident(STAND_IN)}`,
      ),
    ].join(";\n"),
  );
  const declared = await ask(db, model.tables.map(declaredExpressions), askers);
  const catalog = [
    ...model.tables.map((table, at) => tablePosture(model, table, declared[at] ?? "ok ")),
    ...model.tables.filter(({ isPartitioned }) => isPartitioned).map(partitionPosture),
    ...model.definition.access.flatMap((access) => [
      ...accessFunctions(access).map(({ name, owner }) => functionPosture(access, name, owner)),
      rolePosture(access),
    ]),
    reachableCell(model),
  ];
  const cells: PlannedCell[] = [];
  // Before anything sets the context in this session.
  const missing = model.definition.access.flatMap((access) =>
    withoutContext(model, world, access, horizon, add, "missing").map((cell) => ({
      cell,
      empty: add(askerOf(access, { persona: cell.persona, tenant: null, user: null })),
    })),
  );
  const answered = await ask(
    db,
    missing.map(({ cell }) => cell.question),
    askers,
  );
  cells.push(
    ...missing.map(({ cell, empty }, at) => answeredBefore(cell, answered[at] ?? "", empty)),
  );
  for (const access of model.definition.access) {
    const identities = await chooseIdentities(db, model, world, access);
    const tried = new Set<string>();
    cells.push(
      ...(["empty", "malformed"] as const).flatMap((context) =>
        withoutContext(model, world, access, horizon, add, context),
      ),
    );
    for (const persona of Object.keys(access.roles))
      cells.push(
        ...(await personaCells({
          db,
          model,
          world,
          access,
          persona,
          identities,
          horizon,
          add,
          askers,
          tried,
        })),
      );
    cells.push(...controlCells(model, world, access, horizon, add));
  }
  return {
    cells: [...cells, ...ownerCells(model, world), ...catalog],
    askers,
    tables: model.tables,
  };
}

/**
 * A cell whose question cannot be asked again as it was: the answer is the one that was given then. A setting that was there once is empty for the
 * rest of the session, so that it is asked again as that.
 */
function answeredBefore(cell: PlannedCell, answer: string, empty: number): PlannedCell {
  const fault = cell.judge(answer);
  return {
    ...cell,
    question: { ...cell.question, as: empty },
    judge: (again) => fault ?? cell.judge(again),
    told: (again) => told(fault === null && cell.judge(again) !== null ? again : answer),
  };
}

/** Rows that are written later have an xmin that is younger. */
async function horizonOf(db: Queryable, model: ProofModel, world: World): Promise<number> {
  const texts = model.tables
    .filter((table) => rowsOf(world, table).length > 0)
    .map(({ sql }) => `SELECT pg_catalog.min(pg_catalog.age(xmin)) AS age FROM ${sql}`);
  if (texts.length === 0) return 0;
  const [row] = await db.query<{ age: number }>(
    `SELECT pg_catalog.min(age) AS age FROM (${texts.join(" UNION ALL ")}) AS q`,
  );
  return row?.age ?? 0;
}
