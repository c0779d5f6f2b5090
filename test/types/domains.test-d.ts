import { bigint, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { expectTypeOf, it } from "vitest";
import { progressCard } from "../../src/schema/progress-card/progress-card.ts";
import { projectReports } from "../../src/schema/project-reports/project-reports.ts";
import { reporting } from "../../src/schema/reporting/reporting.ts";
import * as reportingValidation from "../../src/schema/reporting/validation.ts";
import { testCycles } from "../../src/schema/test-cycles/test-cycles.ts";

const projects = pgTable("projects", { id: uuid("id").primaryKey(), number: integer("number") });
const users = pgTable("users", {
  id: uuid("id").primaryKey(),
  email: text("email"),
  serial: bigint("serial", { mode: "number" }),
});
const members = pgTable("members", {
  projectId: uuid("project_id").notNull(),
  userId: uuid("user_id").notNull(),
  role: text("role"),
});
const bound = {
  projects: projects.id,
  users: users.id,
  members: { projectId: members.projectId, userId: members.userId },
};

it("binds a domain to columns of the right type", () => {
  expectTypeOf(projectReports(bound).pmrReports.$inferSelect.projectId).toEqualTypeOf<string>();
  expectTypeOf(
    progressCard({ accounts: users.id }).userProfiles.$inferSelect.id,
  ).toEqualTypeOf<string>();
});

it("is a compile error where a column is of another type than what points to it", () => {
  // @ts-expect-error an integer is no uuid
  projectReports({ ...bound, projects: projects.number });
  // @ts-expect-error neither is a text
  projectReports({ ...bound, users: users.email });
  // @ts-expect-error nor a bigint
  projectReports({ ...bound, members: { ...bound.members, userId: users.serial } });
  // @ts-expect-error nor the role of a member
  projectReports({ ...bound, members: { ...bound.members, projectId: members.role } });
  // @ts-expect-error nor the number of a project
  projectReports({ ...bound, simulations: projects.number });
  // @ts-expect-error nor the address of an account
  progressCard({ accounts: users.email });
  // @ts-expect-error a name is no column
  projectReports({ ...bound, projects: "projects.id" });
});

it("keeps the two forms of test cycles apart", () => {
  const numbered = testCycles({ keys: "integer" });
  const { cycles } = testCycles();
  expectTypeOf(numbered.cycles.$inferSelect.cycleId).toEqualTypeOf<number>();
  expectTypeOf(cycles.$inferSelect.cycleId).toEqualTypeOf<string>();
});

it("keeps the schema in the type of a table", () => {
  const { reports } = reporting({ schema: "rpt" });
  expectTypeOf(reports.$inferInsert.name).toEqualTypeOf<string>();
  // @ts-expect-error there is no such column
  void reports.nonesuch;
});

it("infers from a schema what a table takes", () => {
  const row = reportingValidation.reports.insert.parse({});
  expectTypeOf(row.name).toEqualTypeOf<string>();
  expectTypeOf(row.priority).toEqualTypeOf<number | undefined>();
  expectTypeOf(row.scheduledAt).toEqualTypeOf<Date | null | undefined>();
  const change = reportingValidation.reports.update.parse({});
  expectTypeOf(change.name).toEqualTypeOf<string | undefined>();
  const read = reportingValidation.reports.select.parse({});
  expectTypeOf(read.status).toEqualTypeOf<
    "draft" | "scheduled" | "processing" | "completed" | "failed" | "cancelled"
  >();
});
