import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { columnsIn } from "../../sql/column-references.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { refuse } from "../own-column.ts";
import { carriedText } from "./carried-text.ts";
import { placeOf, namesOf, phaseOfColumns, twinsOf, type Conversion } from "./conversion.ts";
import { carriedName } from "./twin-indexes.ts";

/** A CHECK over converted columns, and its like over UUIDs. */
export interface TwinCheck {
  readonly check: ConstraintFact;
  readonly table: RelationName;
  readonly name: string;
  readonly phase: number;
  readonly definition: string;
}

/** The CHECKs over converted columns. What asks more of a key than a UUID can tell is refused by name. */
export function twinChecks(conversion: Conversion): readonly TwinCheck[] {
  const { facts, leave } = conversion;
  return facts.constraints.flatMap((check): readonly TwinCheck[] => {
    const { kind, expression, name, inheritCount } = check;
    if (kind !== "check" || expression === null || leave.includes(name) || inheritCount > 0)
      return [];
    const table = { schema: check.schema, name: check.table };
    const names = namesOf(conversion, table);
    const used = columnsIn(
      expression,
      twinsOf(conversion, table).map(({ column }) => column.name),
    );
    const phase = phaseOfColumns(conversion, table, used);
    if (phase === undefined) return [];
    const carried = carriedText(expression, names);
    if (carried === undefined)
      return refuse(
        `the CHECK ${name} of ${qualified(table.schema, table.name)} asks more of ${used.join(", ")} than whether it is NULL or equal`,
        `Name it in leave: ["${name}"] to keep it for the integers alone, or drop it first.`,
      );
    const definition = `CHECK (${carried})${check.noInherit ? " NO INHERIT" : ""}`;
    return [{ check, table, name: carriedName(name), phase, definition }];
  });
}

/** The CHECKs of a phase, NOT VALID and then validated. */
export function twinCheckSteps(conversion: Conversion, phase: number): readonly Step[] {
  return twinChecks(conversion)
    .filter((each) => each.phase === phase)
    .flatMap(({ check, table, name, definition }): readonly Step[] => {
      const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
      const lock = (mode: Lock["mode"]): readonly Lock[] => [{ ...table, mode, partitions: true }];
      const change = { locks: lock("accessExclusive"), transaction: "inside" } as const;
      const add: Step = {
        kind: "sql",
        id: `check:${placeOf(conversion, table)}.${check.name}`,
        title: `New rows of ${table.name} must keep ${name}`,
        sql: `${alter} ADD CONSTRAINT ${ident(name)} ${definition} NOT VALID`,
        ...change,
        transaction: "commitAfter",
        undo: { kind: "statement", sql: `${alter} DROP CONSTRAINT ${ident(name)}`, ...change },
      };
      if (!check.validated) return [add];
      return [
        add,
        {
          kind: "sql",
          id: `validate:${placeOf(conversion, table)}.${check.name}`,
          title: `Scan the old rows of ${table.name} for ${name} while reads and writes go on`,
          sql: `${alter} VALIDATE CONSTRAINT ${ident(name)}`,
          locks: lock("shareUpdateExclusive"),
          transaction: "commitAfter",
          undo: { kind: "nothing" },
        },
      ];
    });
}
