import { told, type PlannedCell } from "./cell.ts";
import type { CellPlan } from "./plan-cells.ts";
import type { Cell } from "./proof.ts";
import { rowsOf, type World } from "./world.ts";

/** What became of each cell. Without a world there is nothing to be vacuous about. */
export function judgeCells(
  planned: readonly PlannedCell[],
  answers: readonly string[],
  world: World | undefined,
  plan?: CellPlan,
): readonly Cell[] {
  const controls = controlsOf(planned, answers);
  const empty = world === undefined ? new Set<string>() : emptyTables(world, plan);
  const partners = new Map<string, string[]>();
  planned.forEach(({ pair }, at) => {
    if (pair !== undefined) partners.set(pair, [...(partners.get(pair) ?? []), answers[at] ?? ""]);
  });
  return planned.map((cell, at) => {
    const { persona, object, command, context, expected, denies, pair, accepted } = cell;
    const answer = answers[at] ?? "";
    const [one, other] = pair === undefined ? [] : (partners.get(pair) ?? []);
    const tells = pair !== undefined && one !== other;
    const fault = tells
      ? `it tells what other tenants have: ${one ?? ""} against ${other ?? ""}`
      : cell.judge(answer);
    const isVacuous =
      world !== undefined &&
      denies &&
      (empty.has(object) || controls.get(`${object} ${command.split(" ")[0] ?? ""}`) === false);
    return {
      persona,
      object,
      command,
      context,
      expected,
      actual: (cell.told ?? told)(answer),
      ...(tells && accepted !== undefined
        ? { status: "accepted", reason: accepted }
        : {
            status: fault !== null ? "broken" : isVacuous ? "vacuous" : "held",
            reason:
              fault ??
              (isVacuous
                ? "nothing was there to be refused or hidden: give the table rows by generate"
                : null),
          }),
    };
  });
}

/** Whether what is refused to personas was possible at all, by object and first word of the command. */
function controlsOf(
  planned: readonly PlannedCell[],
  answers: readonly string[],
): ReadonlyMap<string, boolean> {
  return new Map(
    planned.flatMap((cell, at) =>
      cell.persona === "control"
        ? [[`${cell.object} ${cell.command}`, cell.judge(answers[at] ?? "") === null] as const]
        : [],
    ),
  );
}

/** Tables that lack a row of some tenant, or any. */
function emptyTables(world: World, plan: CellPlan | undefined): ReadonlySet<string> {
  return new Set(
    (plan?.tables ?? [])
      .filter((table) => {
        const rows = rowsOf(world, table);
        if (table.tenantColumn === null) return rows.length === 0;
        return world.tenants.some((_, tenant) => !rows.some((row) => row.tenant === tenant));
      })
      .map(({ path }) => path),
  );
}
