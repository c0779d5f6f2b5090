import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  date,
  index,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";
import { among, anyOf, own, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

/** The reports that are tested, and the cycles in which they are. */
export function cycleTables<K extends KeyKind, S extends string>({
  keys,
  space,
  enums,
  access,
  points,
}: Basis<K, S>) {
  const reports = space
    .table(
      "reports",
      {
        reportId: keys.generated("report_id"),
        lobId: keys.required("lob_id"),
        name: varchar("name", { length: 200 }).notNull(),
        regulation: varchar("regulation", { length: 120 }),
        description: text("description"),
        frequency: varchar("frequency", { length: 20 }).notNull().default("quarterly"),
        reportOwnerId: keys.optional("report_owner_id"),
        isActive: boolean("is_active").notNull().default(true),
        ...writtenAt(),
        deletedAt: timestamp("deleted_at", { withTimezone: true }),
      },
      (t) => [
        primaryKey({ name: "reports_pkey", columns: [t.reportId] }),
        unique("reports_lob_id_report_id_key").on(t.lobId, t.reportId),
        // A deleted report leaves its name free.
        uniqueIndex("reports_name_key")
          .on(t.lobId, sql`lower(name)`)
          .where(sql`deleted_at is null`),
        points("reports_lob_id_fkey", [t.lobId], "lobs", ["lob_id"]),
        points("reports_report_owner_id_fkey", [t.lobId, t.reportOwnerId], "users", [
          "lob_id",
          "user_id",
        ]),
        check("reports_name_filled", sql`btrim(name) <> ''`),
        check(
          "reports_frequency_known",
          sql`frequency in ('daily', 'weekly', 'monthly', 'quarterly', 'semiannual', 'annual', 'ad_hoc')`,
        ),
        check("reports_deleted_is_inactive", sql`deleted_at is null or not is_active`),
        index("idx_reports_created_at")
          .on(t.lobId, t.createdAt)
          .where(sql`deleted_at is null`),
        index("idx_reports_report_owner_id").on(t.lobId, t.reportOwnerId),
        ...access.rules(t, {
          globalKeys: { reports_pkey: GIVEN_OUT },
          select: {
            tester: among("assigned_reports", "reportId"),
            test_manager: tenant,
            report_owner: anyOf(own("reportOwnerId"), among("assigned_reports", "reportId")),
            data_provider: among("assigned_reports", "reportId"),
            admin: tenant,
          },
          insert: { test_manager: tenant, admin: tenant },
          update: { test_manager: tenant, report_owner: own("reportOwnerId"), admin: tenant },
        }),
      ],
    )
    .enableRLS();

  // Not `testCycles`, which is the domain.
  const cycles = space
    .table(
      "test_cycles",
      {
        cycleId: keys.generated("cycle_id"),
        lobId: keys.required("lob_id"),
        name: varchar("name", { length: 200 }).notNull(),
        description: text("description"),
        testManagerId: keys.optional("test_manager_id"),
        currentReportId: keys.optional("current_report_id"),
        startDate: date("start_date").notNull(),
        endDate: date("end_date"),
        status: enums.cycleStatus("status").notNull().default("planning"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "test_cycles_pkey", columns: [t.cycleId] }),
        unique("test_cycles_lob_id_cycle_id_key").on(t.lobId, t.cycleId),
        unique("test_cycles_name_key").on(t.lobId, t.name),
        points("test_cycles_lob_id_fkey", [t.lobId], "lobs", ["lob_id"]),
        points("test_cycles_test_manager_id_fkey", [t.lobId, t.testManagerId], "users", [
          "lob_id",
          "user_id",
        ]),
        // Points back at what points here: a cycle and its first report are written in one transaction.
        points(
          "test_cycles_current_report_id_fkey",
          [t.lobId, t.cycleId, t.currentReportId],
          "cycle_reports",
          ["lob_id", "cycle_id", "report_id"],
        ),
        check("test_cycles_name_filled", sql`btrim(name) <> ''`),
        check("test_cycles_dates_in_order", sql`end_date >= start_date`),
        index("idx_test_cycles_test_manager_id").on(t.lobId, t.testManagerId),
        index("idx_test_cycles_current_report_id").on(t.lobId, t.cycleId, t.currentReportId),
        ...access.rules(t, {
          globalKeys: { test_cycles_pkey: GIVEN_OUT },
          select: {
            tester: among("assigned_cycles", "cycleId"),
            test_manager: tenant,
            report_owner: among("assigned_cycles", "cycleId"),
            data_provider: among("assigned_cycles", "cycleId"),
            admin: tenant,
          },
          insert: { test_manager: tenant, admin: tenant },
          update: { test_manager: tenant, admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { reports, cycles };
}
