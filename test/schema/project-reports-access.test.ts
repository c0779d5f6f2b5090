// Long because: who sees what, what the functions and views say to whom, and the same on Supabase's way of asking, are one question.
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { and, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { combine } from "../../src/definition/combine.ts";
import { authUsersStandIn } from "../../src/schema/auth-stand-in.ts";
import { proveIsolation } from "../../src/rls/prove-isolation.ts";
import { definition, projectReports } from "../../src/schema/project-reports/index.ts";
import { qualified } from "../../src/sql/quote.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import {
  as,
  domain,
  id,
  install,
  makeWorld,
  person,
  projectOf,
  PROOF_ROWS,
  projects,
  refusal,
  reportOf,
  reportRow,
  rowsOf,
  SCHEMA,
  sims,
  team,
  type AnyDatabase,
  type Persona,
} from "./project-reports-world.ts";

const {
  aiInsights,
  collaborationSessions,
  editSessions,
  exportJobs,
  pmrChangeEvents,
  pmrCollaboration,
  pmrComments,
  pmrDistributionLog,
  pmrReports,
} = domain;

const tables = {
  aiInsights,
  collaborationSessions,
  editSessions,
  exportJobs,
  pmrChangeEvents,
  pmrCollaboration,
  pmrComments,
  pmrDistributionLog,
  pmrReports,
};

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({
    setup: async (db, client) => {
      await makeWorld(db, client);
      await projectOf(db, 2);
      for (const project of [1, 2]) await fill(db, project);
    },
    extensions: { pg_trgm },
  });
});

afterAll(() => database.close());

const inWorld = (name: string, work: (db: AnyDatabase) => Promise<void>) =>
  it(name, () => database.rolledBack((db) => work(db)));

const named = (name: string) => qualified(SCHEMA, name);

/** One row in every table of a project. */
async function fill(db: AnyDatabase, project: number): Promise<void> {
  const ofReport = { projectId: id(1, project), reportId: reportOf(project) };
  const userId = person.member(project);
  const session = { ...ofReport, id: id(6, project), startedBy: userId };
  await db.insert(collaborationSessions).values(session);
  await db.insert(editSessions).values({ ...ofReport, userId, collaborationSessionId: session.id });
  await db.insert(exportJobs).values({ ...ofReport, exportFormat: "pdf", requestedBy: userId });
  await db.insert(pmrCollaboration).values({ ...ofReport, userId, actionType: "viewed" });
  await db.insert(pmrComments).values({ ...ofReport, userId, sectionId: "a", content: "?" });
  await db.insert(pmrDistributionLog).values({ ...ofReport, method: "portal", recipient: "board" });
  await db.insert(aiInsights).values({
    ...ofReport,
    insightType: "alert",
    category: "risk",
    priority: "critical",
    title: "Risk",
    content: "A risk.",
    confidenceScore: 0.5,
  });
  await db
    .update(pmrReports)
    .set({ executiveSummary: "All is well.", collaborationSessionId: session.id })
    .where(eq(pmrReports.projectId, id(1, project)));
}

/** The projects whose rows somebody sees, in each table that has any. */
async function seen(
  db: AnyDatabase,
  persona: Persona,
  who: { readonly project: number; readonly user?: string },
): Promise<Readonly<Record<string, readonly string[]>>> {
  return as(db, persona, who, async (tx) => {
    const found: Record<string, readonly string[]> = {};
    for (const [name, table] of Object.entries(tables)) {
      const rows = await tx.selectDistinct({ project: table.projectId }).from(table);
      if (rows.length > 0) found[name] = rows.map(({ project }) => project);
    }
    return found;
  });
}

const everyTable = (project: number) =>
  Object.fromEntries(Object.keys(tables).map((name) => [name, [id(1, project)]]));

describe("membership", () => {
  inWorld("shows everybody in a project all of it, and nothing of another", async (db) => {
    for (const persona of ["manager", "member", "viewer", "system"] as const)
      for (const project of [1, 2])
        expect(await seen(db, persona, { project })).toEqual(everyTable(project));
  });

  inWorld("shows nothing in a context that names a project of others", async (db) => {
    for (const persona of ["manager", "member", "viewer"] as const)
      for (const user of [person.manager(1), person.member(1), person.outside])
        expect(await seen(db, persona, { project: 2, user })).toEqual({});
  });

  inWorld("ends with the membership, for one's own rows too", async (db) => {
    await db.delete(team).where(eq(team.personId, person.member(1)));
    expect(await seen(db, "member", { project: 1 })).toEqual({});
    const own = { projectId: id(1, 1), reportId: reportOf(1), userId: person.member(1) };
    const comment = { ...own, sectionId: "a", content: "Still here?" };
    const write = (tx: AnyDatabase) =>
      as(tx, "member", { project: 1 }, (at) => at.insert(pmrComments).values(comment));
    expect(await refusal(db, write)).toBe("42501");
    const change = await as(db, "member", { project: 1 }, (at) =>
      at.update(pmrComments).set({ content: "!" }).returning({ id: pmrComments.id }),
    );
    expect(change).toEqual([]);
  });

  inWorld("would not end with a rule that asks for the author only", async (db) => {
    const table = named("pmr_comments");
    const me = `(select ${named("current_user_id")}())`;
    await db.execute(sql.raw(`drop policy member_select on ${table}`));
    await db.execute(
      sql.raw(
        `create policy naive on ${table} for select to pmr_test_member using (user_id = ${me})`,
      ),
    );
    await db.delete(team).where(eq(team.personId, person.member(1)));
    expect(await seen(db, "member", { project: 1 })).toEqual({ pmrComments: [id(1, 1)] });
  });

  inWorld("lets nobody write into another project, whether it is there or not", async (db) => {
    const insert = (projectId: string, reportId: string) =>
      refusal(db, (tx) =>
        as(tx, "member", { project: 1 }, (at) =>
          at.insert(pmrComments).values({
            projectId,
            reportId,
            userId: person.member(1),
            sectionId: "a",
            content: "x",
          }),
        ),
      );
    expect(await insert(id(1, 1), reportOf(1))).toBe("done");
    for (const project of [2, 3]) {
      expect(await insert(id(1, project), reportOf(project))).toBe("42501");
      expect(await insert(id(1, 1), reportOf(project))).toBe("23503 pmr_comments_report_fkey");
    }
  });

  inWorld("lets a viewer read and ask for an export, nothing else", async (db) => {
    const ofReport = { projectId: id(1, 1), reportId: reportOf(1) };
    const userId = person.viewer(1);
    const may = (work: (at: AnyDatabase) => Promise<unknown>) =>
      refusal(db, (tx) => as(tx, "viewer", { project: 1 }, work));
    expect(
      await may((at) =>
        at.insert(exportJobs).values({ ...ofReport, exportFormat: "pdf", requestedBy: userId }),
      ),
    ).toBe("done");
    expect(await may((at) => at.update(pmrReports).set({ title: "x" }))).toBe("42501");
    expect(await may((at) => at.delete(pmrComments))).toBe("42501");
    expect(
      await may((at) =>
        at.insert(pmrComments).values({ ...ofReport, userId, sectionId: "a", content: "x" }),
      ),
    ).toBe("42501");
  });
});

describe("the proof of isolation", () => {
  it("holds in every cell, over what stands in for a host", async () => {
    await using own = await createTestDatabase({ extensions: { pg_trgm } });
    await install(own.client, definition);
    const proof = await proveIsolation(own.client, definition, {
      generate: PROOF_ROWS,
      mutate: false,
    });
    expect(proof.problems).toEqual([]);
    expect(proof.cells.filter(({ status }) => status !== "held")).toEqual([]);
    expect(proof.cells.length).toBeGreaterThan(900);
  });
});

describe("functions and views", () => {
  const call = (db: AnyDatabase, persona: Persona, text: string) =>
    as(db, persona, { project: 1 }, (at) => rowsOf(at, text));
  const of = (project: number) => `'${reportOf(project)}'`;

  inWorld("say of a report of others what they say of none", async (db) => {
    for (const name of [
      "get_active_collaborators",
      "get_unresolved_comments",
      "get_ai_insights_summary",
    ]) {
      const asked = (project: number) =>
        call(db, "member", `select * from ${named(name)}(${of(project)})`);
      expect(await asked(1)).toHaveLength(1);
      expect(await asked(2)).toEqual(await asked(7));
    }
    const score = `select ${named("calculate_pmr_completeness")}`;
    expect(await call(db, "member", `${score}(${of(2)}) as score`)).toEqual(
      await call(db, "member", `${score}(${of(7)}) as score`),
    );
    const latest = `select id from ${named("get_latest_pmr_report")}`;
    expect(await call(db, "member", `${latest}('${id(1, 2)}')`)).toEqual([]);
    expect(await call(db, "member", `${latest}('${id(1, 1)}')`)).toEqual([{ id: reportOf(1) }]);
  });

  inWorld("find the latest month, and in it the latest version", async (db) => {
    await db
      .insert(pmrReports)
      .values([
        reportRow(1, { id: id(4, 5), reportMonth: "2026-02-01" }),
        reportRow(1, { id: id(4, 6), reportMonth: "2026-02-01", version: 2 }),
        reportRow(1, { id: id(4, 7), reportMonth: "2025-12-01", version: 9 }),
      ]);
    expect(
      await call(db, "member", `select id from ${named("get_latest_pmr_report")}('${id(1, 1)}')`),
    ).toEqual([{ id: id(4, 6) }]);
  });

  inWorld("count what is complete", async (db) => {
    const score = async () => {
      const [row] = await call(
        db,
        "member",
        `select ${named("calculate_pmr_completeness")}(${of(1)})::float as score`,
      );
      return row?.score;
    };
    expect(await score()).toBe(20);
    const [template] = await rowsOf(
      db,
      `select id from ${named("pmr_templates")} where name = 'Technical report'`,
    );
    await db
      .update(pmrReports)
      .set({
        templateId: String(template?.id),
        sections: [{ id: "progress", content: "Done." }],
        metrics: { done: 1 },
        visualizations: [{ kind: "line" }],
      })
      .where(eq(pmrReports.id, reportOf(1)));
    // One of four sections of the template.
    expect(await score()).toBe(20 + 10 + 15 + 10);
    await db.update(aiInsights).set({ validationStatus: "validated" });
    expect(await score()).toBe(70);
  });

  inWorld("count exports", async (db) => {
    await db.update(exportJobs).set({ status: "processing" });
    await db.update(exportJobs).set({ status: "completed", fileUrl: "s3://a", fileSizeBytes: 7 });
    const [row] = await call(
      db,
      "viewer",
      `select * from ${named("get_export_job_statistics")}(1)`,
    );
    expect(row).toMatchObject({
      export_format: "pdf",
      total_jobs: 1,
      completed_jobs: 1,
      failed_jobs: 0,
    });
    expect(Number(row?.success_rate)).toBe(1);
    expect(
      await call(db, "viewer", `select * from ${named("get_export_job_statistics")}(0)`),
    ).toEqual([]);
  });

  inWorld("summarise the project of the context, each view by itself", async (db) => {
    const view = async (name: string) => {
      const rows = await call(db, "viewer", `select * from ${named(name)}`);
      return rows.map((row) => ({ ...row }));
    };
    expect(await view("pmr_dashboard_summary")).toEqual([
      expect.objectContaining({
        project_id: id(1, 1),
        total_reports: 1,
        draft_reports: 1,
        latest_report_id: reportOf(1),
        total_insights: 1,
        insights_to_validate: 1,
        critical_insights: 1,
        open_comments: 1,
        active_sessions: 1,
      }),
    ]);
    expect(await view("active_edit_sessions")).toEqual([
      expect.objectContaining({ user_id: person.member(1), chat_message_count: 0 }),
    ]);
    expect(await view("active_collaboration_sessions")).toEqual([
      expect.objectContaining({
        session_id: id(6, 1),
        active_editor_count: 1,
        locked_section_count: 0,
      }),
    ]);
    expect(await view("export_jobs_status")).toEqual([
      expect.objectContaining({ status: "queued", run_seconds: null, is_expired: false }),
    ]);
    expect(await view("ai_insights_performance")).toEqual([
      expect.objectContaining({
        category: "risk",
        total_insights: 1,
        open_count: 1,
        acceptance_rate: null,
      }),
    ]);
    expect(
      (await view("report_collaboration_activity")).map(({ source }) => source).sort(),
    ).toEqual(["action", "change", "comment"]);
    const templates = await view("pmr_template_analytics");
    expect(templates.map(({ usage_count: n }) => n)).toEqual([0, 0, 0, 0]);
  });
});

describe("maintenance", () => {
  const age = async (db: AnyDatabase, table: string, column: string, ago: string) => {
    // A table with deferred checks to come cannot be altered.
    await db.execute(sql.raw("set constraints all immediate"));
    await db.execute(sql.raw(`alter table ${named(table)} disable trigger user`));
    const started =
      column === "last_activity_at" ? `, started_at = now() - interval '9 years'` : "";
    await db.execute(
      sql.raw(`update ${named(table)} set ${column} = now() - interval '${ago}'${started}`),
    );
    await db.execute(sql.raw(`alter table ${named(table)} enable trigger user`));
  };

  const grow = async (db: AnyDatabase, edit: string, session: string, report: string) => {
    await db.update(pmrReports).set({ status: "review" });
    await db.update(pmrReports).set({ status: "approved" });
    await db.update(pmrReports).set({ status: "distributed" });
    await age(db, "edit_sessions", "last_activity_at", edit);
    await age(db, "collaboration_sessions", "last_activity_at", session);
    await age(db, "pmr_reports", "distributed_at", report);
  };

  const job = `select task, affected from ${named("pmr_maintenance_job")}()`;
  const counts = (n: number) => [
    { task: "cleanup_old_edit_sessions", affected: n },
    { task: "cleanup_old_collaboration_sessions", affected: n },
    { task: "archive_old_pmr_reports", affected: n },
  ];

  const asMigrator = async (db: AnyDatabase) => {
    await db.execute(sql.raw("set local role underpin_migrator"));
    const rows = await rowsOf(db, job);
    await db.execute(sql.raw("reset role"));
    return rows;
  };

  inWorld(
    "ends what is older than 30 days, 24 hours and 12 months, in all projects, once",
    async (db) => {
      await grow(db, "31 days", "25 hours", "13 months");
      expect(await asMigrator(db)).toEqual(counts(2));
      expect(await asMigrator(db)).toEqual(counts(0));
      const reports = await db.select().from(pmrReports);
      for (const { status, collaborationSessionId } of reports)
        expect({ status, collaborationSessionId }).toEqual({
          status: "archived",
          collaborationSessionId: null,
        });
      const open = and(eq(editSessions.isActive, true));
      expect(await db.$count(editSessions, open)).toBe(0);
      expect(await db.$count(editSessions)).toBe(2);
      expect(await rowsOf(db, `select 1 from ${named("active_collaboration_sessions")}`)).toEqual(
        [],
      );
    },
  );

  inWorld("leaves what is younger", async (db) => {
    await grow(db, "29 days", "23 hours", "11 months");
    expect(await asMigrator(db)).toEqual(counts(0));
  });

  inWorld("by the service is of its own project only", async (db) => {
    await grow(db, "31 days", "25 hours", "13 months");
    expect(await as(db, "system", { project: 1 }, (at) => rowsOf(at, job))).toEqual(counts(1));
    const archived = await db.select().from(pmrReports).where(eq(pmrReports.status, "archived"));
    expect(archived.map(({ projectId }) => projectId)).toEqual([id(1, 1)]);
  });

  inWorld("is nobody else's, and takes no age below nought", async (db) => {
    const by = (persona: Persona, text: string) =>
      refusal(db, (tx) => as(tx, persona, { project: 1 }, (at) => at.execute(sql.raw(text))));
    for (const persona of ["manager", "member", "viewer"] as const)
      expect(await by(persona, job)).toBe("42501");
    for (const call of [
      "cleanup_old_edit_sessions(-1)",
      "cleanup_old_collaboration_sessions(null)",
      "archive_old_pmr_reports(-1)",
    ])
      expect(await by("system", `select ${named("x").replace('"x"', call)}`)).toBe("22023");
  });
});

describe("on Supabase's way of asking", () => {
  const auth = authUsersStandIn();
  const bound = projectReports({
    projects: projects.id,
    users: auth.users.id,
    members: { projectId: team.projectId, userId: team.personId },
    simulations: sims.id,
    schema: "pmr",
    rolePrefix: "pmr_supabase",
    target: "supabase",
  });

  it("installs with what stands in for auth, and asks by the token's claims", async () => {
    await using own = await createTestDatabase({
      setup: async (db, client) => {
        await makeWorld(db, client);
        await projectOf(db, 2);
      },
      extensions: { pg_trgm },
    });
    await install(own.client, combine(auth.definition, bound.definition));
    const { db } = own;
    await db.insert(auth.users).values([1, 2].map((at) => ({ id: person.member(at) })));
    for (const at of [1, 2]) await db.insert(bound.pmrReports).values(reportRow(at));
    const seenBy = (sub: string, project: number, persona: string) =>
      db.transaction(async (tx) => {
        const claims = {
          sub,
          role: "authenticated",
          app_metadata: { tenant_id: id(1, project), persona },
        };
        await tx.execute(
          sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`,
        );
        await tx.execute(sql.raw("set local role authenticated"));
        const [who] = await rowsOf(tx, "select auth.uid() as uid, auth.role() as role");
        expect(who).toEqual({ uid: sub, role: "authenticated" });
        const changed = await tx
          .update(bound.pmrReports)
          .set({ title: "Mine" })
          .returning({ project: bound.pmrReports.projectId, by: bound.pmrReports.lastEditedBy });
        return changed;
      });
    expect(await seenBy(person.member(1), 1, "member")).toEqual([
      { project: id(1, 1), by: person.member(1) },
    ]);
    expect(await seenBy(person.member(1), 2, "member")).toEqual([]);
    expect(await seenBy(person.member(1), 1, "viewer")).toEqual([]);
  });

  it("reads claims as Supabase does, in one setting or one by one", async () => {
    await using own = await createTestDatabase();
    await install(own.client, auth.definition);
    const { db } = own;
    const asked = async (settings: Readonly<Record<string, string>>) =>
      db.transaction(async (tx) => {
        for (const [name, value] of Object.entries(settings))
          await tx.execute(sql`select set_config(${name}, ${value}, true)`);
        const [row] = await rowsOf(
          tx,
          "select auth.uid() as uid, auth.role() as role, auth.jwt() as jwt",
        );
        return row;
      });
    const sub = person.outside;
    const nobody = { uid: null, role: null, jwt: null };
    expect(await asked({})).toEqual(nobody);
    expect(await asked({ "request.jwt.claims": JSON.stringify({ sub, role: "anon" }) })).toEqual({
      uid: sub,
      role: "anon",
      jwt: { sub, role: "anon" },
    });
    expect(await asked({ "request.jwt.claim.sub": sub, "request.jwt.claim.role": "x" })).toEqual({
      uid: sub,
      role: "x",
      jwt: null,
    });
    // Once set, a setting is empty and not NULL ever after.
    expect(await asked({})).toEqual(nobody);
    expect(await db.$count(auth.users)).toBe(0);
  });
});
