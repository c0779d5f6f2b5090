import { shorten } from "../../sql/shorten.ts";

/** What an attach makes beside its table, and what the table is called once it is a partition. */
export interface AttachNames {
  /** The new root, until it takes the name of the table. */
  readonly root: string;
  /** The table, once it is a partition. */
  readonly legacy: string;
  /** Which values, or up to which bound, there are rows. */
  readonly values: string;
  /** A table of one column that is cut as the root: of its partitions PostgreSQL says what a bound means. */
  readonly cut: string;
  /** The trigger function that notes what came since. */
  readonly note: string;
  readonly trigger: string;
  /** The CHECK that proves the bound, and the function that it calls. */
  readonly bound: string;
}

/** The names of what an attach makes. */
export function attachNames(table: string): AttachNames {
  const name = (what: string) => shorten(`${table}_${what}`);
  return {
    root: name("root"),
    legacy: legacyName(table),
    values: name("attach_values"),
    cut: name("attach_cut"),
    note: name("attach_note"),
    trigger: "zz_underpin_attach",
    bound: name("attach_bound"),
  };
}

/** The name of an index, constraint or table that belongs to the partition. */
export function legacyName(name: string): string {
  return shorten(`${name}_legacy`);
}

/** The name of an index or sequence of the root, until it takes that of the table's. */
export function rootName(name: string): string {
  return shorten(`${name}_root`);
}

/** The name of what is unique in the partition alone, and kept for the way back. */
export function narrowName(name: string): string {
  return shorten(`${name}_narrow`);
}
