import type { FunctionFact } from "../../catalog/functions.ts";
import type { Scheme } from "../../definition/scheme.ts";
import type { SqlStep } from "../../plan/step.ts";
import { namesOf } from "../provision-names.ts";
import { schemeObjects } from "../scheme-objects.ts";

/** The functions that make the partitions of a scheme, where they are not there yet. */
export function schemeFunctionSteps(
  scheme: Scheme,
  functions: readonly FunctionFact[],
): readonly SqlStep[] {
  const names = namesOf(scheme);
  const wanted: readonly string[] = [names.provision, names.survey, names.make, names.name];
  const isThere = functions.some(
    ({ schema, name }) => schema === names.schema && wanted.includes(name),
  );
  if (isThere) return [];
  const objects = schemeObjects(scheme).filter(({ kind }) => kind === "function");
  return [
    {
      kind: "sql",
      id: "functions",
      title: `Make the functions that make partitions of ${names.table}`,
      sql: objects.map(({ create }) => create).join(";\n"),
      locks: [],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: objects
          .toReversed()
          .map(({ drop }) => drop)
          .join(";\n"),
        locks: [],
        transaction: "inside",
      },
    },
  ];
}
