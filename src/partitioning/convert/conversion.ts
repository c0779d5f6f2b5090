import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { IndexFact } from "../../catalog/indexes.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import type { ViewFact } from "../../catalog/views.ts";
import type { Scheme } from "../../definition/scheme.ts";
import type { KeyColumn, RelationName } from "../../plan/step.ts";
import { shorten } from "../../sql/shorten.ts";
import type { TwinNames, Twins } from "../flat/twins.ts";
import type { CarriedMaterializedView } from "./materialized-views.ts";
import type { OutgoingKey } from "../reshape-of.ts";

/** A plain table that becomes a partitioned one. */
export interface Conversion extends Twins {
  readonly scheme: Scheme;
  /** The scheme of the table beside, which makes partitions until it has the name. */
  readonly aside: Scheme;
  /** By which the copy goes through the rows. */
  readonly copyKey: readonly KeyColumn[];
  readonly shapes: readonly IndexShape[];
  readonly outgoing: readonly (OutgoingKey & { readonly comment: string | null })[];
  readonly incoming: readonly IncomingKey[];
  /** Comments of constraints that stand on an index. */
  readonly keyComments: readonly { readonly name: string; readonly text: string }[];
  /** Views that read the table. */
  readonly views: readonly ViewFact[];
  readonly materialized: readonly CarriedMaterializedView[];
  /** Policies of other tables that look into this one. */
  readonly lookers: readonly PolicyFact[];
  /** The tables that its own policies look into. */
  readonly consulted: readonly RelationName[];
  /** Storage parameters, which partitions get and a partitioned table cannot have. */
  readonly options: readonly string[];
  /** The unique index over the new key that the first table gets too, for an application that names it before the swap. */
  readonly wideKey: string | null;
  /** What it does to uniqueness, in words. */
  readonly loosened: readonly string[];
}

/** What an index of the table is on the partitioned one. */
export interface IndexShape {
  readonly index: IndexFact;
  readonly becomes:
    | "same"
    /** These columns are added. */
    | { readonly unique: true; readonly constraint: boolean; readonly columns: readonly string[] }
    | { readonly unique: false };
}

/** A foreign key of another table, as it is and as it will be; without `becomes` it is dropped. */
export interface IncomingKey {
  readonly constraint: ConstraintFact;
  readonly becomes: { readonly columns: readonly string[]; readonly definition: string } | null;
}

/** The names of what a conversion makes. */
export function conversionNames(table: string): TwinNames {
  const name = (what: string) => shorten(`${table}_${what}`);
  return {
    beside: name("parts"),
    parked: name("unpartitioned"),
    log: name("parts_log"),
    watch: name("parts_watch"),
    watchBack: name("parts_watch_back"),
    trigger: "zz_underpin_parts",
    endings: { beside: "parts", parked: "unpartitioned" },
  };
}
