import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { COMMANDS, type Command, type RowClass } from "../definition/access.ts";
import type { Definition } from "../definition/definition.ts";
import { tableRules } from "../definition/table-rules.ts";
import type { RelationName } from "../plan/step.ts";
import { targetOf } from "../plan/target.ts";

/** Which rows of one table a persona reaches with one command. */
export interface AccessCell {
  readonly table: RelationName;
  readonly persona: string;
  readonly command: Command;
  readonly rows: RowClass;
}

/** One access with its tables: persona × table × command × row class. */
export interface AccessMatrix {
  /** The schema of the access, by which it is known. */
  readonly access: string;
  readonly personas: readonly string[];
  readonly tables: readonly {
    readonly table: RelationName;
    readonly tenantColumn: string | null;
    readonly appendOnly: boolean;
    readonly globalKeys: Readonly<Record<string, string>>;
    /** Columns that no persona reads, and why. */
    readonly unread: Readonly<Record<string, string>>;
  }[];
  /** Every combination, those without rows too. */
  readonly cells: readonly AccessCell[];
}

/**
 * What the tables of a definition say about who may do what to which rows: one matrix for each access.
 *
 * It is read from the tables themselves, whose policies carry it, so that it cannot say something else than they do.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { defineDatabase } from "underpin";
 * import { accessMatrix, defineAccess, tenant } from "underpin/rls";
 *
 * const access = defineAccess({ schema: "stock", tenantColumn: "tenantId", personas: ["clerk"] });
 * const items = pgTable("items", { tenantId: uuid("tenant_id").notNull() }, (t) =>
 *   access.rules(t, { select: { clerk: tenant } }),
 * );
 * const [matrix] = accessMatrix(defineDatabase({ name: "stock", tables: { items }, access }));
 * matrix?.cells.length; // 4
 */
export function accessMatrix(definition: Definition): readonly AccessMatrix[] {
  const tables = Object.values(definition.tables)
    .filter((entity) => is(entity, PgTable))
    .flatMap((table) => {
      const rules = tableRules(table);
      return rules === null ? [] : [{ table: targetOf({ table }), rules }];
    });
  return definition.access.map(({ schema, roles }) => {
    const own = tables.filter(({ rules }) => rules.access === schema);
    const personas = Object.keys(roles);
    return {
      access: schema,
      personas,
      tables: own.map(({ table, rules: { tenantColumn, appendOnly, globalKeys, unread } }) => ({
        table,
        tenantColumn,
        appendOnly,
        globalKeys,
        unread,
      })),
      cells: own.flatMap(({ table, rules: { rules } }) =>
        personas.flatMap((persona) =>
          COMMANDS.map(
            (command): AccessCell => ({
              table,
              persona,
              command,
              rows: rules[command][persona] ?? { kind: "none" },
            }),
          ),
        ),
      ),
    };
  });
}
