import type { AccessData } from "../../definition/access.ts";
import type { Definition } from "../../definition/definition.ts";
import { qualified } from "../../sql/quote.ts";
import { askerOf, type Identity } from "./asker.ts";
import { oneOf, type ContextName, type PlannedCell } from "./cell.ts";
import type { Known } from "./expected.ts";
import type { ProofModel } from "./model.ts";
import { accessFunctions } from "./posture.ts";
import type { Asker } from "./runner.ts";
import { ALL_COMMANDS, contextCells } from "./table-cells.ts";
import { rowsOf, type World } from "./world.ts";

/** What happens where the context is not there, empty, or no id. */
export function withoutContext(
  model: ProofModel,
  world: World,
  access: AccessData,
  horizon: number,
  add: (asker: Asker) => number,
  context: ContextName,
): readonly PlannedCell[] {
  const malformed = context === "malformed" ? "no id" : null;
  if (malformed !== null && access.tenant.type === "text") return [];
  return Object.keys(access.roles).flatMap((persona) => {
    const identity: Identity = { persona, tenant: malformed, user: malformed };
    const asker = askerOf(access, identity);
    const as = add(context === "missing" ? { ...asker, settings: [] } : asker);
    const known: Known = { ...identity, lookups: new Map(), custom: new Map(), without: new Map() };
    return model.tables
      .filter((table) => table.access?.schema === access.schema && rowsOf(world, table).length > 0)
      .flatMap((table) =>
        contextCells(
          { world, access, table, known, as, horizon, context },
          context === "missing" ? ALL_COMMANDS : ["select"],
        ),
      );
  });
}

/** The context functions, in a transaction that sets nothing after one that did. */
export function leftoverCells(definition: Definition): {
  readonly cells: readonly PlannedCell[];
  readonly askers: readonly Asker[];
} {
  const askers: Asker[] = [];
  const cells = definition.access
    .filter(({ target }) => target !== "citus")
    .flatMap((access) =>
      Object.entries(access.roles).flatMap(([persona, role]) => {
        const as = askers.push({ role, settings: [] }) - 1;
        return accessFunctions(access)
          .filter(({ owner }) => owner === null)
          .map(({ name }): PlannedCell => {
            const called = `${qualified(access.schema, name)}()`;
            return {
              persona,
              object: `function ${called}`,
              command: "call",
              context: "leftover",
              question: { sql: `SELECT ${called}::text`, as, kind: "rows" },
              expected: "refused, by the context",
              judge: oneOf("refused rls_context_…"),
              denies: true,
            };
          });
      }),
    );
  return { cells, askers };
}
