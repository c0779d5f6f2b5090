import type { ColumnFact } from "../../catalog/columns.ts";
import type { GrantFact } from "../../catalog/grants.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import type { SequenceFact } from "../../catalog/sequences.ts";
import type { TableFact } from "../../catalog/tables.ts";
import type { TriggerFact } from "../../catalog/triggers.ts";
import { shorten } from "../../sql/shorten.ts";

/** A table, and the one beside it that takes its place: either may be partitioned. Both are in one schema. */
export interface Twins {
  readonly schema: string;
  readonly table: TableFact;
  readonly names: TwinNames;
  readonly columns: readonly ColumnFact[];
  /** Columns that can be written. */
  readonly writable: readonly string[];
  /** By which rows are found in both: what the log holds. */
  readonly key: readonly { readonly name: string; readonly type: string }[];
  readonly indexes: readonly IndexFact[];
  readonly triggers: readonly TriggerFact[];
  readonly policies: readonly PolicyFact[];
  readonly grants: readonly GrantFact[];
  readonly sequences: readonly SequenceFact[];
}

/** What is made beside the table, and what the table is called once the other has its name. */
export interface TwinNames {
  readonly beside: string;
  readonly parked: string;
  readonly log: string;
  readonly watch: string;
  readonly watchBack: string;
  /** What the triggers are called that log changes. */
  readonly trigger: string;
  /** What the names of indexes and sequences end with while the other table has them. */
  readonly endings: { readonly beside: string; readonly parked: string };
}

interface Named {
  readonly names: Pick<TwinNames, "endings">;
}

/** The name of an index or sequence of the table beside, until the swap. */
export function besideName({ names }: Named, name: string): string {
  return shorten(`${name}_${names.endings.beside}`);
}

/** The name of an index or sequence of the first table, once the other has its name. */
export function parkedName({ names }: Named, name: string): string {
  return shorten(`${name}_${names.endings.parked}`);
}
