import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Scheme } from "../../definition/scheme.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { Step } from "../../plan/step.ts";
import { planProvision } from "../plan-provision.ts";
import { namesOf } from "../provision-names.ts";
import { readSurveys, type Survey } from "../survey.ts";
import type { Lacking } from "./premake.ts";

/** What is missing of one set of values, as the functions of its scheme say. */
export interface Premake {
  readonly parent: number;
  readonly survey: Survey;
}

/** Asks the functions of a scheme which partitions they would make. */
export async function readPremakes(
  db: Queryable,
  scheme: Scheme,
  lacking: readonly Lacking[],
): Promise<readonly Premake[]> {
  const columns = Object.entries<PgColumn>(getTableColumns(scheme.table));
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list");
  const surveys = await readSurveys(
    db,
    scheme,
    lacking.map(({ values, window }) => {
      const byKey = lists.map(({ column }, at): [string, unknown] => {
        const [key, drizzle] = columns.find(([, { name }]) => name === column) ?? [
          column,
          undefined,
        ];
        const value = values[at] ?? "";
        return [key, drizzle === undefined ? value : drizzle.mapFromDriverValue(value)];
      });
      return [Object.fromEntries(byKey), window];
    }),
  );
  return lacking.flatMap(({ parent }, at): readonly Premake[] => {
    const survey = surveys[at];
    return survey === undefined ? [] : [{ parent, survey }];
  });
}

/** The steps of the scheme's provision function for what is missing, in small transactions. */
export function premakeSteps(scheme: Scheme, premakes: readonly Premake[]): readonly Step[] {
  const { schema, table } = namesOf(scheme);
  const { steps } = planProvision(
    scheme,
    premakes.map(({ survey }) => survey),
  );
  // The same values may lack partitions now and, for rows that are ahead of the clock, later.
  return steps.map((step, at) => ({
    ...step,
    id: `premake/${schema}.${table}/${at + 1} ${step.id}`,
  }));
}
