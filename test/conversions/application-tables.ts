import { customType, date, integer, pgSchema, text } from "drizzle-orm/pg-core";

/** Two versions of one application: the old one knows rows by integers, the new one by uuids. */
export type Version = "old" | "new";

/** What a version calls a row. */
export type Key = number | string;

/** The kinds of rows that the application writes, and those that are there for them. */
export type Kind = "users" | "samples" | "executions" | "observations" | "phases" | "attributes";

/** Where a kind is: its table, and which columns hold what all kinds have. */
export interface Place {
  readonly table: string;
  readonly id: string;
  /** A text that is given once: by it a row is known whatever its keys are. */
  readonly marker: string;
  /** A text that is changed. */
  readonly value: string;
  readonly parent: string;
  readonly parentKind: Kind;
}

/** Rows that refer to themselves, to each other in a chain, and with the tenant in every foreign key. */
export const PLACES: Readonly<Record<Kind, Place>> = {
  users: {
    ...{ table: "users", id: "user_id", marker: "email", value: "last_name" },
    ...{ parent: "manager_id", parentKind: "users" },
  },
  samples: {
    ...{ table: "samples", id: "sample_id", marker: "identifier", value: "rationale" },
    ...{ parent: "phase_id", parentKind: "phases" },
  },
  executions: {
    ...{ table: "test_executions", id: "execution_id", marker: "notes", value: "actual_value" },
    ...{ parent: "sample_id", parentKind: "samples" },
  },
  observations: {
    ...{ table: "observations", id: "observation_id", marker: "title", value: "description" },
    ...{ parent: "parent_observation_id", parentKind: "observations" },
  },
  // Nobody writes these two.
  phases: {
    ...{ table: "workflow_phases", id: "phase_id", marker: "notes", value: "notes" },
    ...{ parent: "phase_id", parentKind: "phases" },
  },
  attributes: {
    ...{ table: "cycle_report_planning_attributes", id: "id", marker: "attribute_name" },
    ...{ value: "description", parent: "phase_id", parentKind: "phases" },
  },
};

/** The name of the uuid beside an integer key, as the conversion gives it. */
export function shadowOf(column: string): string {
  return column === "id" ? "uuid" : `${column.replace(/_id$/, "")}_uuid`;
}

/** The name of a key column in a version. */
export function keyNameOf(version: Version, column: string): string {
  return version === "old" ? column : shadowOf(column);
}

/** The tables as a version of the application declares them: the same properties, mapped to other columns. */
export function tablesOf(version: Version, schema: string) {
  const space = pgSchema(schema);
  const key = (column: string) => keyTypes[version](keyNameOf(version, column));
  // What else a table asks for has properties that only its own insert names, so that all kinds have one type.
  const rows = (kind: Kind, more: object = {}) => {
    const { table, id, marker, value, parent } = PLACES[kind];
    return space.table(table, {
      id: key(id),
      lob: key("lob_id"),
      marker: text(marker),
      value: text(value),
      parent: key(parent),
      ...(more as Record<never, never>),
    });
  };
  return {
    rows: {
      users: rows("users", { firstName: text("first_name") }),
      samples: rows("samples"),
      executions: rows("executions", {
        phase: key("phase_id"),
        attribute: key("planning_attribute_id"),
        attempt: integer("attempt"),
      }),
      observations: rows("observations", { phase: key("phase_id") }),
      phases: rows("phases"),
      attributes: rows("attributes"),
    },
    lobs: space.table("lobs", {
      id: key("lob_id"),
      code: text("code"),
      name: text("name"),
      owner: key("owner_user_id"),
    }),
    reports: space.table("reports", {
      id: key("report_id"),
      lob: key("lob_id"),
      name: text("name"),
    }),
    cycles: space.table("test_cycles", {
      id: key("cycle_id"),
      lob: key("lob_id"),
      name: text("name"),
      startDate: date("start_date"),
      currentReport: key("current_report_id"),
    }),
    cycleReports: space.table("cycle_reports", {
      lob: key("lob_id"),
      cycle: key("cycle_id"),
      report: key("report_id"),
    }),
  };
}

/** The tables of one version. */
export type ApplicationTables = ReturnType<typeof tablesOf>;

/** The table of any kind. */
export type RowTable = ApplicationTables["rows"][Kind];

const keyTypes = { old: keyType("integer"), new: keyType("uuid") };

function keyType(name: string) {
  return customType<{ data: Key; driverData: Key }>({ dataType: () => name });
}
