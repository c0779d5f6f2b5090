import { namedPath, partPath } from "../catalog/path.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** An exclusion constraint: no two rows for which all comparisons are true. */
export interface ExclusionOptions extends TableTarget {
  readonly name: string;
  /** @default "gist" */
  readonly method?: "gist" | "spgist" | "btree" | "hash";
  /** What is compared: a column or an SQL expression, and the operator. */
  readonly elements: readonly [ExclusionElement, ...ExclusionElement[]];
  /** As SQL: only rows that meet it count. */
  readonly where?: string;
  readonly deferred?: boolean;
}

/** One comparison of an exclusion constraint. */
export interface ExclusionElement {
  readonly on: string | DrizzleColumn | { readonly expression: string };
  /** As SQL: `=`, `&&`. */
  readonly operator: string;
  readonly operatorClass?: string;
}

/**
 * An exclusion constraint. Adding it reads the table under ACCESS EXCLUSIVE: on one with rows that is downtime.
 *
 * Equality of scalars in a GiST index needs the extension `btree_gist`.
 */
export function pgExclusion(options: ExclusionOptions): DatabaseObject {
  const { schema, name: table } = targetOf(options);
  const { name, method = "gist", elements, where, deferred = false } = options;
  const parts = elements.map(({ on, operator, operatorClass }) =>
    [
      typeof on === "object" && "expression" in on ? `(${on.expression})` : ident(columnName(on)),
      ...(operatorClass === undefined ? [] : [operatorClass]),
      `WITH ${operator}`,
    ].join(" "),
  );
  const path = namedPath("table", schema, table);
  const locks = [{ schema, name: table, mode: "accessExclusive" as const }];
  return databaseObject({
    kind: "constraint",
    id: partPath("constraint", name, path),
    create: `ALTER TABLE ${qualified(schema, table)} ADD CONSTRAINT ${ident(name)} EXCLUDE USING ${method} (${parts.join(", ")})${
      where === undefined ? "" : ` WHERE (${where})`
    }${deferred ? " DEFERRABLE INITIALLY DEFERRED" : ""}`,
    drop: `ALTER TABLE ${qualified(schema, table)} DROP CONSTRAINT IF EXISTS ${ident(name)}`,
    dependsOn: [path],
    mentions: [...parts, where ?? ""],
    within: path,
    locks,
    dropLocks: locks,
    creates: 1,
  });
}

/** Makes a foreign key of a Drizzle table deferrable. */
export interface DeferrableOptions extends TableTarget {
  /** The constraint. */
  readonly name: string;
  /** When it is checked unless a transaction says otherwise. @default "deferred" */
  readonly initially?: "deferred" | "immediate";
}

/**
 * Makes a foreign key deferrable, so that two tables may point to each other and be written in either order.
 *
 * ALTER CONSTRAINT exists for foreign keys only; it takes SHARE ROW EXCLUSIVE on both tables for the triggers (15 and 18).
 */
export function pgDeferrable(options: DeferrableOptions): DatabaseObject {
  const { schema, name: table } = targetOf(options);
  const { name, initially = "deferred" } = options;
  const path = namedPath("table", schema, table);
  const constraint = partPath("constraint", name, path);
  const change = `ALTER TABLE ${qualified(schema, table)} ALTER CONSTRAINT ${ident(name)}`;
  const locks = [{ schema, name: table, mode: "accessExclusive" as const }];
  return databaseObject({
    kind: "constraint",
    id: `deferring of ${constraint}`,
    create: `${change} DEFERRABLE INITIALLY ${initially.toUpperCase()}`,
    drop: `${change} NOT DEFERRABLE`,
    dependsOn: [constraint],
    within: path,
    locks,
    dropLocks: locks,
  });
}
