import type { Scheme } from "../definition/scheme.ts";
import { targetOf } from "../plan/target.ts";
import { shorten } from "../sql/shorten.ts";

/** What is made in the database for a scheme, all in the schema of its table. */
export interface SchemeNames {
  readonly schema: string;
  readonly table: string;
  /** The function that makes the partitions of one set of values. */
  readonly provision: string;
  /** The function that says which of them are there. */
  readonly survey: string;
  /** The function that makes one partition, which {@link provision} calls. */
  readonly make: string;
  /** The function that finds a free name for it. */
  readonly name: string;
}

/** The names of a scheme's table and functions. */
export function namesOf({ table }: Scheme): SchemeNames {
  const { schema, name } = targetOf({ table });
  return {
    schema,
    table: name,
    ...functionNames(name),
  };
}

/** The names of the functions of a scheme, by that of its table. */
export function functionNames(table: string): Omit<SchemeNames, "schema" | "table"> {
  return {
    provision: shorten(`provision_${table}`),
    survey: shorten(`survey_${table}`),
    make: shorten(`make_partition_of_${table}`),
    name: shorten(`name_partition_of_${table}`),
  };
}
