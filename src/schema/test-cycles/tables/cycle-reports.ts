import { sql } from "drizzle-orm";
import {
  check,
  date,
  index,
  primaryKey,
  timestamp,
  unique,
  type ExtraConfigColumn,
} from "drizzle-orm/pg-core";
import { among, own, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind, type Keys } from "../keys.ts";

/** Which report is tested in which cycle: the table whose key the two forms give a different shape. */
export function cycleReportTable<K extends KeyKind, S extends string>(basis: Basis<K, S>) {
  const made =
    basis.keys.kind === "integer"
      ? byPair(basis as unknown as Basis<"integer", S>)
      : bySurrogate(basis as unknown as Basis<"uuid", S>);
  return { cycleReports: made as CycleReports<S>[K] };
}

/** The table in each form. */
export interface CycleReports<S extends string> {
  readonly integer: ReturnType<typeof byPair<S>>;
  readonly uuid: ReturnType<typeof bySurrogate<S>>;
}

/** Known by its cycle and its report. */
function byPair<S extends string>(basis: Basis<"integer", S>) {
  return basis.space
    .table("cycle_reports", columnsOf(basis.keys, basis), (t) => [
      primaryKey({ name: "cycle_reports_pkey", columns: [t.cycleId, t.reportId] }),
      ...shared(basis, t),
    ])
    .enableRLS();
}

/** Known by an id of its own; the pair stays unique, and is what others point to in both forms. */
function bySurrogate<S extends string>(basis: Basis<"uuid", S>) {
  const { keys, space } = basis;
  return space
    .table("cycle_reports", { id: keys.generated("id"), ...columnsOf(keys, basis) }, (t) => [
      primaryKey({ name: "cycle_reports_pkey", columns: [t.id] }),
      unique("uq_cycle_report").on(t.cycleId, t.reportId),
      ...shared(basis, t),
    ])
    .enableRLS();
}

function columnsOf<K extends KeyKind, S extends string>(
  keys: Keys<K>,
  { enums }: Pick<Basis<K, S>, "enums">,
) {
  return {
    lobId: keys.required("lob_id"),
    cycleId: keys.required("cycle_id"),
    reportId: keys.required("report_id"),
    testerId: keys.optional("tester_id"),
    status: enums.cycleReportStatus("status").notNull().default("not_started"),
    dueDate: date("due_date"),
    startedAt: timestamp("started_at", { withTimezone: true }),
    completedAt: timestamp("completed_at", { withTimezone: true }),
    ...writtenAt(),
  };
}

const OWN_CYCLES =
  "rows are written for cycles of one's own only: the policies refuse another's before the key is looked at";

type SharedColumn = "lobId" | "cycleId" | "reportId" | "testerId";

function shared<K extends KeyKind, S extends string>(
  { access, points, keys }: Pick<Basis<K, S>, "access" | "points" | "keys">,
  t: Readonly<Record<SharedColumn, ExtraConfigColumn>>,
) {
  return [
    unique("cycle_reports_lob_id_cycle_id_report_id_key").on(t.lobId, t.cycleId, t.reportId),
    points("cycle_reports_cycle_id_fkey", [t.lobId, t.cycleId], "test_cycles", [
      "lob_id",
      "cycle_id",
    ]),
    points("cycle_reports_report_id_fkey", [t.lobId, t.reportId], "reports", [
      "lob_id",
      "report_id",
    ]),
    points("cycle_reports_tester_id_fkey", [t.lobId, t.testerId], "users", ["lob_id", "user_id"]),
    check(
      "cycle_reports_completed_when_done",
      sql`(status = 'completed') = (completed_at is not null)`,
    ),
    check("cycle_reports_times_in_order", sql`completed_at >= started_at`),
    index("idx_cycle_reports_report_id").on(t.lobId, t.reportId),
    index("idx_cycle_reports_tester_id").on(t.lobId, t.testerId),
    ...access.rules(t, {
      globalKeys:
        keys.kind === "integer"
          ? { cycle_reports_pkey: OWN_CYCLES }
          : { cycle_reports_pkey: GIVEN_OUT, uq_cycle_report: OWN_CYCLES },
      select: {
        tester: own("testerId"),
        test_manager: tenant,
        report_owner: among("assigned_reports", "reportId"),
        data_provider: among("assigned_reports", "reportId"),
        admin: tenant,
      },
      insert: {
        test_manager: among("lob_cycles", "cycleId"),
        admin: among("lob_cycles", "cycleId"),
      },
      update: {
        test_manager: among("lob_cycles", "cycleId"),
        admin: among("lob_cycles", "cycleId"),
      },
      delete: { test_manager: tenant, admin: tenant },
    }),
  ];
}
