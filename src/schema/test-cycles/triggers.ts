import type { DatabaseObject } from "../../objects/object.ts";
import { pgDeferrable } from "../../objects/pg-constraint.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import type { EntityType } from "./entity-types.ts";
import type { functionsOf } from "./functions.ts";
import { TRANSITIONS, type Transitions } from "./transitions.ts";

const TOUCHED = [
  "lobs",
  "users",
  "roles",
  "permissions",
  "reports",
  "test_cycles",
  "cycle_reports",
  "workflow_phases",
  "cycle_report_planning_attributes",
  "cycle_report_scoping_attributes",
  "samples",
  "test_executions",
  "observations",
  "requests_for_information",
  "data_profiles",
];

/**
 * What says of which phase, and of whom, a row is. The lookups read it, so that who could change it would choose what they may see: a policy
 * compares neither with what was there before.
 */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  workflow_phases: ["cycle_id", "report_id", "phase_name"],
  requests_for_information: ["phase_id", "sample_id", "requested_by"],
};

/** What is written down, with the column whose value says of which row. */
const AUDITED: readonly (readonly [table: string, entity: EntityType, column: string])[] = [
  ["lobs", "lob", "lob_id"],
  ["users", "user", "user_id"],
  ["user_roles", "user", "user_id"],
  ["user_permissions", "user", "user_id"],
  ["reports", "report", "report_id"],
  ["test_cycles", "test_cycle", "cycle_id"],
  ["cycle_reports", "test_cycle", "cycle_id"],
  ["workflow_phases", "workflow_phase", "phase_id"],
  ["observations", "observation", "observation_id"],
  ["requests_for_information", "request_for_information", "request_id"],
];

/** The triggers of the domain, and the foreign keys that wait for the end of the transaction. */
export function triggersOf(
  schema: string,
  functions: ReturnType<typeof functionsOf>,
): readonly DatabaseObject[] {
  const { touchUpdatedAt, enforceTransition, keepPhaseOrder, stampProgress } = functions;
  const { keepIdentity, recordChange } = functions;
  const touched = TOUCHED.map((table) =>
    pgTrigger({
      schema,
      table,
      name: "touch_updated_at",
      timing: "before",
      events: ["update"],
      when: "OLD.* IS DISTINCT FROM NEW.*",
      execute: touchUpdatedAt,
    }),
  );
  const guarded = Object.entries<Transitions>(TRANSITIONS).map(([table, transitions]) =>
    pgTrigger({
      schema,
      table,
      name: "enforce_transition",
      timing: "before",
      events: ["insert", { updateOf: ["status"] }],
      execute: enforceTransition,
      arguments: [
        transitions.first,
        ...Object.entries(transitions.next).flatMap(([from, next]) =>
          next.map((to) => `${from}>${to}`),
        ),
      ],
    }),
  );
  const stamped = ["cycle_reports", "workflow_phases"].map((table) =>
    pgTrigger({
      schema,
      table,
      name: "stamp_progress",
      timing: "before",
      events: [{ updateOf: ["status"] }],
      execute: stampProgress,
    }),
  );
  const ordered = pgTrigger({
    schema,
    table: "workflow_phases",
    name: "keep_phase_order",
    timing: "before",
    events: [{ updateOf: ["status"] }],
    when: "NEW.status = 'in_progress' AND OLD.status = 'not_started'",
    execute: keepPhaseOrder,
  });
  const row = (of: "OLD" | "NEW", columns: readonly string[]) =>
    `(${columns.map((column) => `${of}.${column}`).join(", ")})`;
  const kept = Object.entries(KEPT).map(([table, columns]) =>
    pgTrigger({
      schema,
      table,
      name: "keep_identity",
      timing: "before",
      events: ["update"],
      when: `${row("OLD", columns)} IS DISTINCT FROM ${row("NEW", columns)}`,
      execute: keepIdentity,
      arguments: columns,
    }),
  );
  const audited = AUDITED.map(([table, entity, column]) =>
    pgTrigger({
      schema,
      table,
      name: "record_change",
      timing: "after",
      events: ["insert", "update", "delete"],
      execute: recordChange,
      arguments: [entity, column],
    }),
  );
  // lobs and users point to each other, and so do test_cycles and cycle_reports: either row may be written first.
  const deferred = [
    pgDeferrable({ schema, table: "lobs", name: "lobs_owner_user_id_fkey" }),
    pgDeferrable({ schema, table: "test_cycles", name: "test_cycles_current_report_id_fkey" }),
  ];
  return [...touched, ...guarded, ...stamped, ordered, ...kept, ...audited, ...deferred];
}
