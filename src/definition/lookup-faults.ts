import type { AccessData, Command, Lookup, RowClass, TableRules } from "./access.ts";
import type { DefinitionFault } from "./fault.ts";
import { uniqueKeys } from "./key-faults.ts";
import { lookupsAsked, readsColumn } from "./lookup-columns.ts";
import type { RuledTable } from "./ruled-table.ts";

/**
 * Columns by which a persona could choose what it may see: a lookup that it asks reads them, it may write them, and nothing in the rule holds them.
 *
 * Who is asked about a phase and may change which phase that is reads every phase. A policy does not stop it: USING sees the row before and WITH CHECK the row
 * after, and neither both. What holds a column is the tenant's floor, `own` of that column, the very lookup that reads it, or that it is a key by itself: a
 * value that no row has points at nothing. What else does (a trigger, the sense of the thing) has to be said.
 */
export function lookupFaults(
  { name, config, rules }: RuledTable,
  tables: readonly RuledTable[],
  accesses: readonly AccessData[],
): readonly DefinitionFault[] {
  const access = accesses.find(({ schema }) => schema === rules?.access);
  if (rules === null || access === undefined) return [];
  const ruled = tables.flatMap((each) =>
    each.rules?.access === access.schema ? [each.rules] : [],
  );
  const relation = { schema: config.schema ?? "public", name: config.name };
  const keys = uniqueKeys(config).map((key) =>
    key.columns.map((column) => column.name).filter((column) => column !== rules.tenantColumn),
  );
  const isKey = (column: string) => keys.some((key) => key.length === 1 && key[0] === column);
  return Object.keys(access.roles).flatMap((persona) => {
    const asked = lookupsAsked(ruled, persona);
    const lookups = access.lookups.filter((lookup) => asked.has(lookup.name));
    return config.columns.flatMap((column): readonly DefinitionFault[] => {
      if (column.name === rules.tenantColumn || isKey(column.name)) return [];
      if ((rules.lookupColumns[column.name] ?? "").trim() !== "") return [];
      const free = lookups.flatMap((lookup) =>
        readsColumn(lookup, relation, column.name)
          ? writesFreely(rules, persona, column.name, lookup).map(
              (command) => [lookup.name, command] as const,
            )
          : [],
      );
      const [first] = free;
      if (first === undefined) return [];
      const commands = [...new Set(free.map(([, command]) => command))].join(" and ");
      return [
        {
          table: name,
          column: column.name,
          what: `is read by the lookup "${first[0]}", which ${persona} asks, and ${persona} may ${commands} it: so it chooses what it may see`,
          fix: `Keep it by a trigger, and say so with its reason: lookupColumns: { …: "…" }; or write a rule that holds it: own(…).`,
        },
      ];
    });
  });
}

/** The commands by which a persona writes a column that its rule does not hold. */
function writesFreely(
  { rules }: TableRules,
  persona: string,
  column: string,
  lookup: Lookup,
): readonly Command[] {
  return (["insert", "update"] as const).filter((command) => {
    const rowClass = rules[command][persona] ?? { kind: "none" };
    // A new row of one's own is one more to join with: only where nothing is joined does it add itself alone.
    const isJoined = command === "insert" && lookup.reads.length > 1;
    return rowClass.kind !== "none" && !holds(rowClass, column, lookup.name, isJoined);
  });
}

/** Whether every row that a class lets through has a value that adds nothing to what a lookup yields. */
function holds(rowClass: RowClass, column: string, lookup: string, isJoined: boolean): boolean {
  switch (rowClass.kind) {
    case "own":
      return rowClass.column === column && !isJoined;
    case "among":
      return rowClass.column === column && rowClass.lookup === lookup;
    case "anyOf":
      // By one class it may be seen, and by another be written.
      return (
        new Set(rowClass.classes.map(({ kind }) => kind)).size === 1 &&
        rowClass.classes.every((part) => holds(part, column, lookup, isJoined))
      );
    default:
      return false;
  }
}
