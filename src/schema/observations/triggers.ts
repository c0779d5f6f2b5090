import type { DatabaseObject } from "../../objects/object.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import type { TriggerFunctions } from "./functions.ts";

const TOUCHED = [
  "companies",
  "users",
  "pilot_programs",
  "sites",
  "submissions",
  "petri_observations",
  "gasifier_observations",
];

const KEYS = [
  "company_id",
  "program_id",
  "site_id",
  "created_at",
  "observation_id",
  "submission_id",
];

/** The triggers of the domain. Those of a partitioned table are on its partitions too. */
export function triggersOf(schema: string, functions: TriggerFunctions): readonly DatabaseObject[] {
  const { touch, locate, copyBySubmission, refuseDirectWrite, refuseTruncate, requestPartitions } =
    functions;
  return [
    ...TOUCHED.map((table) =>
      pgTrigger({
        schema,
        table,
        name: "touch_updated_at",
        timing: "before",
        events: ["update"],
        // A row that a trigger copies keeps the time that it has.
        when: "pg_catalog.pg_trigger_depth() = 0",
        execute: touch,
      }),
    ),
    ...(["petri", "gasifier"] as const).flatMap((kind) => [
      pgTrigger({
        schema,
        table: `${kind}_observations`,
        name: "locate_observation",
        timing: "after",
        events: ["insert", "delete", { updateOf: KEYS }],
        execute: locate,
        arguments: [kind],
      }),
      pgTrigger({
        schema,
        table: `${kind}_observations`,
        name: "refuse_truncate",
        timing: "before",
        events: ["truncate"],
        forEach: "statement",
        execute: refuseTruncate,
      }),
    ]),
    pgTrigger({
      schema,
      table: "petri_observations",
      // Triggers fire by name: the locator's, which says what is wrong with an id, goes first.
      name: "mirror_by_submission",
      timing: "after",
      events: ["insert", "update", "delete"],
      execute: copyBySubmission,
    }),
    ...["observation_locator", "petri_observations_by_submission"].map((table) =>
      pgTrigger({
        schema,
        table,
        name: "refuse_direct_write",
        timing: "before",
        events: ["insert", "update", "delete"],
        execute: refuseDirectWrite,
      }),
    ),
    ...(["program", "site"] as const).map((level) =>
      pgTrigger({
        schema,
        table: level === "program" ? "pilot_programs" : "sites",
        name: "request_partitions",
        timing: "after",
        events: ["insert"],
        execute: requestPartitions,
        arguments: [level],
      }),
    ),
  ];
}
