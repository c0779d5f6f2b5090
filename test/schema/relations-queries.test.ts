import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pglite";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { emit } from "../../src/definition/emit/emit.ts";
import { orderObjects } from "../../src/definition/order.ts";
import type { Definition } from "../../src/index.ts";
import { withTenant } from "../../src/rls/with-tenant.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import * as observations from "../../src/schema/observations/index.ts";
import * as observationsRelations from "../../src/schema/observations/relations.ts";
import * as progressCard from "../../src/schema/progress-card/index.ts";
import * as progressCardRelations from "../../src/schema/progress-card/relations.ts";
import { projectReports } from "../../src/schema/project-reports/index.ts";
import { projectReportsRelations } from "../../src/schema/project-reports/relations.ts";
import * as reporting from "../../src/schema/reporting/index.ts";
import * as reportingRelations from "../../src/schema/reporting/relations.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import { testCyclesRelations } from "../../src/schema/test-cycles/relations.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";
import * as host from "./project-reports-world.ts";
import { person } from "./reporting-world.ts";

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const [HERE, THERE] = [uuid(1), uuid(2)];

// Keys, triggers and policies of four domains are left out: a join needs tables, and they take twenty seconds.
const KINDS: ReadonlySet<string> = new Set(["schema", "type", "sequence", "table"]);

const numbered = testCycles({ keys: "integer" });
const pmr = projectReports({
  projects: host.projects.id,
  users: host.people.id,
  members: { projectId: host.team.projectId, userId: host.team.personId },
});

describe("a relational query", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await bootSandbox();
    await sandbox.client.exec(host.hostSql);
    const definitions: readonly Definition[] = [
      progressCard.definition,
      observations.definition,
      numbered.definition,
      pmr.definition,
    ];
    for (const { tables } of definitions) {
      const objects = emit(Object.values(tables)).filter(({ kind }) => KINDS.has(kind));
      for (const { create } of orderObjects(objects)) await sandbox.client.exec(create);
    }
  });
  afterAll(() => sandbox.close());

  it("of observations finds the visit of a dish by the four columns that they share", async () => {
    const db = drizzle(sandbox.client, { schema: { ...observations, ...observationsRelations } });
    const place = { programId: "abc", siteId: "north" };
    for (const [at, companyId] of [HERE, THERE].entries()) {
      const user = {
        companyId,
        id: uuid(10),
        email: `a${at}@example.org`,
        displayName: `Ada ${at}`,
      };
      await db.insert(observations.users).values({ ...user, role: "operator" });
      const visit = { companyId, ...place, submissionId: uuid(20) };
      await db.insert(observations.submissions).values({ ...visit, submittedBy: uuid(10) });
    }
    await db
      .insert(observations.petriObservations)
      .values({ companyId: HERE, ...place, submissionId: uuid(20), dishCode: "D1" });
    const visits = await db.query.submissions.findMany({
      columns: { companyId: true },
      with: { submittedByUser: true, petriObservations: { columns: { dishCode: true } } },
      orderBy: observations.submissions.companyId,
    });
    expect(visits).toMatchObject([
      {
        companyId: HERE,
        submittedByUser: { displayName: "Ada 0" },
        petriObservations: [{ dishCode: "D1" }],
      },
      { companyId: THERE, submittedByUser: { displayName: "Ada 1" }, petriObservations: [] },
    ]);
    const dish = await db.query.petriObservations.findFirst({ with: { submission: true } });
    expect(dish?.submission.submittedBy).toBe(uuid(10));
  });

  it("of progress cards tells the student of an evaluation from who evaluates", async () => {
    const db = drizzle(sandbox.client, { schema: { ...progressCard, ...progressCardRelations } });
    const own = { institutionId: HERE };
    const profile = (n: number, role: "student" | "teacher") => ({
      ...own,
      id: uuid(n),
      fullName: `${role} ${n}`,
      email: `p${n}@example.org`,
      role,
      stage: role === "student" ? ("middle" as const) : null,
    });
    await db
      .insert(progressCard.userProfiles)
      .values([profile(30, "student"), profile(31, "teacher")]);
    await db.insert(progressCard.hpcEvaluations).values({
      ...own,
      cycleId: uuid(40),
      studentId: uuid(30),
      evaluatorId: uuid(31),
      parameterId: uuid(41),
      rubricId: uuid(42),
      stage: "middle",
      stakeholder: "teacher",
      scaleMin: "1",
      scaleMax: "5",
      score: "4",
    });
    const [student] = await db.query.userProfiles.findMany({
      where: eq(progressCard.userProfiles.id, uuid(30)),
      columns: { fullName: true },
      with: {
        hpcEvaluationsByStudent: {
          with: { evaluator: { columns: { fullName: true } }, rubric: true },
        },
        hpcEvaluationsByEvaluator: true,
      },
    });
    expect(student).toMatchObject({
      fullName: "student 30",
      hpcEvaluationsByStudent: [
        // Joined rows come as JSON, in which 75.00 is 75.
        { normalizedScore: "75", evaluator: { fullName: "teacher 31" }, rubric: null },
      ],
      hpcEvaluationsByEvaluator: [],
    });
  });

  it("of test cycles with integer keys follows a circle, and the key that only they have twice", async () => {
    const schema = { ...numbered, ...testCyclesRelations(numbered) };
    const db = drizzle(sandbox.client, { schema });
    await db.insert(numbered.lobs).values({ code: "retail", name: "Retail" });
    await db.insert(numbered.reports).values({ lobId: 1, name: "Balance" });
    await db.insert(numbered.cycles).values({ lobId: 1, name: "Q1", startDate: "2025-01-01" });
    await db.insert(numbered.cycleReports).values({ lobId: 1, cycleId: 1, reportId: 1 });
    await db.update(numbered.cycles).set({ currentReportId: 1 });
    const [cycle] = await db.query.cycles.findMany({
      with: { lob: true, currentReport: { with: { report: true } }, cycleReportsByCycle: true },
    });
    expect(cycle).toMatchObject({
      lob: { code: "retail" },
      currentReport: { report: { reportId: 1 } },
    });
    expect(cycle?.cycleReportsByCycle).toHaveLength(1);
    expectTypeOf(cycle?.currentReport?.report.reportId).toEqualTypeOf<number | undefined>();
    const scoped = db.query.cycleReportScopingAttributes.findMany({
      with: { planningAttribute: true },
    });
    expect(scoped.toSQL().sql).toContain('"planning_attribute_id"');
    expect(await scoped).toEqual([]);
  });

  it("of project reports goes to the projects and people of the host, under their own names", async () => {
    const relations = projectReportsRelations(pmr, {
      projects: host.projects.id,
      users: host.people.id,
    });
    const { people, projects } = host;
    const db = drizzle(sandbox.client, { schema: { ...pmr, ...relations, people, projects } });
    await db.insert(people).values({ id: uuid(50), mail: "ada@example.org" });
    await db.insert(projects).values({ id: HERE });
    const report = { projectId: HERE, id: uuid(60), createdBy: uuid(50) };
    await db.insert(pmr.pmrReports).values({ ...report, title: "May", reportMonth: "2025-05-01" });
    const comment = { projectId: HERE, reportId: uuid(60), userId: uuid(50), sectionId: "costs" };
    await db.insert(pmr.pmrComments).values([
      { ...comment, id: uuid(70), content: "Why?" },
      { ...comment, id: uuid(71), content: "So.", parentCommentId: uuid(70), depth: 1 },
    ]);
    const [found] = await db.query.pmrReports.findMany({
      with: {
        project: true,
        createdByUser: true,
        pmrComments: {
          where: eq(pmr.pmrComments.id, uuid(70)),
          with: { pmrCommentsByParentComment: { with: { user: true } } },
        },
      },
    });
    expectTypeOf(found?.createdByUser?.mail).toEqualTypeOf<string | null | undefined>();
    expect(found).toMatchObject({
      project: { id: HERE },
      createdByUser: { mail: "ada@example.org" },
      pmrComments: [{ pmrCommentsByParentComment: [{ id: uuid(71), user: { id: uuid(50) } }] }],
    });
  });
});

describe("a relational query of a tenant", () => {
  it("joins its own rows, and null for one that row security hides", async () => {
    const { access, organizations, reports, reportShares, templates, users } = reporting;
    const schema = { ...reporting, ...reportingRelations };
    await using test = await createTestDatabase(reporting.definition, { schema });
    for (const [at, organizationId] of [HERE, THERE].entries()) {
      const row = { organizationId, createdBy: uuid(10) };
      await test.db
        .insert(organizations)
        .values({ id: organizationId, name: `Org ${at}`, slug: `org-${at}` });
      await test.db.insert(users).values([
        { ...person("manager"), organizationId, id: uuid(10), role: "report_manager" },
        { ...person("viewer"), organizationId, id: uuid(11), role: "report_viewer" },
      ]);
      await test.db
        .insert(templates)
        .values({ ...row, id: uuid(20), name: `Template ${at}`, templateType: "tabular" });
      await test.db
        .insert(reports)
        .values({ ...row, id: uuid(30), templateId: uuid(20), name: "May" });
      const share = { organizationId, reportId: uuid(30), sharedWith: uuid(11) };
      await test.db.insert(reportShares).values({ ...share, sharedBy: uuid(10) });
    }
    const asked = (persona: "org_admin" | "report_viewer") =>
      withTenant(test.db, { access, persona, tenant: HERE, user: uuid(11) }, (tx) =>
        tx.query.reports.findMany({
          where: eq(reports.id, uuid(30)),
          columns: { name: true },
          with: {
            organization: { columns: { name: true } },
            createdByUser: { columns: { username: true } },
            reportShares: { with: { sharedWithUser: { columns: { username: true } } } },
          },
        }),
      );
    const shares = [{ sharedWithUser: { username: "viewer" } }];
    const found = { name: "May", organization: { name: "Org 0" }, reportShares: shares };
    expect(await asked("org_admin")).toMatchObject([
      { ...found, createdByUser: { username: "manager" } },
    ]);
    expect(await asked("report_viewer")).toMatchObject([{ ...found, createdByUser: null }]);
  });
});
