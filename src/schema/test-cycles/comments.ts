import type { DatabaseObject } from "../../objects/object.ts";
import { pgComment } from "../../objects/pg-comment.ts";
import type { KeyKind } from "./keys.ts";

const TABLES: Readonly<Record<string, string>> = {
  lobs: "Lines of business: the tenants.",
  users: "The people of a line of business. Passwords are kept by whoever signs them in.",
  roles: "What a person is. The same in every line of business.",
  permissions: "What may be done to what. The same in every line of business.",
  role_permissions: "What a role may do.",
  user_roles: "Which roles a person has, and until when.",
  user_permissions: "What a person is given or denied beside their roles.",
  reports: "The regulatory reports that are tested.",
  test_cycles: "One round of testing in a line of business.",
  cycle_reports: "Which report is tested in which cycle, and by whom.",
  workflow_phases: "How far a report of a cycle is, phase by phase.",
  cycle_report_planning_attributes: "The attributes of a report that testing is planned for.",
  cycle_report_scoping_attributes: "Whether a planned attribute is tested: one decision for each.",
  samples: "The rows of a report that are looked at.",
  test_executions: "How one attribute of one sample did, attempt by attempt.",
  observations: "What was found, also as a thread under another observation.",
  requests_for_information: "What a data provider is asked.",
  data_profiles: "What the values of an attribute look like.",
  audit_logs: "Who changed what. Rows are only ever added.",
  llm_audit_logs: "What was asked of language models, and the answers. Rows are only ever added.",
};

const COLUMNS: readonly (readonly [table: string, column: string, text: string])[] = [
  [
    "lobs",
    "owner_user_id",
    "Points to a user, who points back: checked at the end of a transaction.",
  ],
  ["users", "email", "Unique in its line of business whatever the case of its letters."],
  ["users", "manager_id", "Another user of the same line of business."],
  ["users", "last_login_at", "When the latest token was given out."],
  ["user_permissions", "is_granted", "False takes away what a role gives."],
  ["reports", "deleted_at", "Set instead of deleting: cycles go on pointing here."],
  [
    "test_cycles",
    "current_report_id",
    "The report that is worked on, of this cycle: checked at the end of a transaction.",
  ],
  [
    "workflow_phases",
    "phase_name",
    "In the order of work: a phase begins when those before it are completed or skipped.",
  ],
  ["test_executions", "planning_attribute_id", "An attribute that was decided on."],
  [
    "audit_logs",
    "entity_id",
    "A key of the table that entity_type names; no foreign key can hold it.",
  ],
  ["audit_logs", "user_id", "Null where a migration made the change."],
  ["llm_audit_logs", "context", "Keys of other tables as values: cycle_id, report_id, phase_id."],
];

const OF_INTEGERS: typeof COLUMNS = [
  [
    "cycle_report_scoping_attributes",
    "attribute_id",
    "A key beside planning_attribute_id: redundant.",
  ],
];

const OF_UUIDS: typeof COLUMNS = [
  ["cycle_reports", "id", "For what must name one row by one value. Others point to the pair."],
  ["cycle_report_scoping_attributes", "id", "The id of the planned attribute."],
];

/** What people read in psql about the tables and their less obvious columns. */
export function commentsOf(schema: string, kind: KeyKind): readonly DatabaseObject[] {
  const columns = [...COLUMNS, ...(kind === "integer" ? OF_INTEGERS : OF_UUIDS)];
  return [
    ...Object.entries(TABLES).map(([table, text]) => pgComment({ schema, table, text })),
    ...columns.map(([table, column, text]) => pgComment({ schema, table, column, text })),
    pgComment({
      schema,
      table: "cycle_report_progress",
      on: "view",
      text: "How far each report of a cycle is: phases done, the present one, and observations that are open.",
    }),
  ];
}
