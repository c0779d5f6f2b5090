// Long because: one world is made once, and every rule of the domain is shown in it.
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { legalTransitions, type Transitions } from "../../src/schema/project-reports/index.ts";
import { qualified } from "../../src/sql/quote.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import {
  as,
  domain,
  id,
  makeWorld,
  people,
  person,
  refusal,
  reportOf,
  reportRow,
  rowsOf,
  SCHEMA,
  type AnyDatabase,
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
  pmrTemplates,
} = domain;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ setup: makeWorld, extensions: { pg_trgm } });
});

afterAll(() => database.close());

const inWorld = (name: string, work: (db: AnyDatabase) => Promise<void>) =>
  it(name, () => database.rolledBack((db) => work(db)));

const report = reportOf(1);
const ofReport = { projectId: id(1, 1), reportId: report };
const manager = { project: 1 };
const named = (name: string) => qualified(SCHEMA, name);

const edit = (db: AnyDatabase, change: Partial<typeof pmrReports.$inferInsert>) =>
  db.update(pmrReports).set(change).where(eq(pmrReports.id, report));

const read = async (db: AnyDatabase) => {
  const [row] = await db.select().from(pmrReports).where(eq(pmrReports.id, report));
  if (row === undefined) throw new Error("there is no report");
  return row;
};

/** Each pair of states, with whether one may follow the other. */
const pairsOf = (transitions: Transitions) => {
  const states = Object.keys(transitions);
  return states.flatMap((from) =>
    states
      .filter((to) => to !== from)
      .map((to) => ({ from, to, legal: transitions[from]?.includes(to) === true })),
  );
};

/** Puts a row into a state past its guard, tries another state, and says what came of it. */
const tryPairs = async (
  db: AnyDatabase,
  table: string,
  column: string,
  transitions: Transitions,
  also: Readonly<Record<string, string>> = {},
) => {
  const wrong: object[] = [];
  for (const { from, to, legal } of pairsOf(transitions)) {
    const answer = await refusal(db, async (tx) => {
      await tx.execute(sql.raw(`alter table ${named(table)} disable trigger user`));
      const given = also[from] === undefined ? "" : `, ${also[from]}`;
      await tx.execute(sql.raw(`update ${named(table)} set ${column} = '${from}'${given}`));
      await tx.execute(sql.raw(`alter table ${named(table)} enable trigger user`));
      const next = also[`to ${to}`] === undefined ? "" : `, ${also[`to ${to}`]}`;
      await tx.execute(sql.raw(`update ${named(table)} set ${column} = '${to}'${next}`));
    });
    const expected = legal ? "done" : `23514 ${table}_${column}_transition`;
    if (answer !== expected) wrong.push({ from, to, answer });
  }
  return wrong;
};

describe("a report", () => {
  inWorld("goes its way and says when and by whom", async (db) => {
    await as(db, "member", manager, (tx) => edit(tx, { status: "review" }));
    expect(await read(db)).toMatchObject({ submittedBy: person.member(1) });
    await as(db, "manager", manager, (tx) => edit(tx, { status: "approved" }));
    await as(db, "manager", manager, (tx) => edit(tx, { status: "distributed" }));
    await as(db, "system", manager, (tx) => edit(tx, { status: "archived" }));
    const row = await read(db);
    expect(row.approvedBy).toBe(person.manager(1));
    for (const at of [row.submittedAt, row.approvedAt, row.distributedAt, row.archivedAt])
      expect(at).toBeInstanceOf(Date);
    expect(row.auditLog.map(({ from, to, by }) => [from, to, by])).toEqual([
      [undefined, undefined, null],
      ["draft", "review", person.member(1)],
      ["review", "approved", person.manager(1)],
      ["approved", "distributed", person.manager(1)],
      ["distributed", "archived", null],
    ]);
  });

  inWorld("goes only where its status lets it", async (db) => {
    const dated = "approved_at = now(), distributed_at = now()";
    expect(
      await tryPairs(db, "pmr_reports", "status", legalTransitions.pmrStatus, {
        approved: dated,
        distributed: dated,
        archived: "archived_at = now()",
      }),
    ).toEqual([]);
  });

  inWorld("begins as a draft, where a CHECK would let it begin anywhere", async (db) => {
    const born = reportRow(1, { version: 2, status: "approved", approvedAt: new Date() });
    expect(await refusal(db, (tx) => tx.insert(pmrReports).values(born))).toBe(
      "23514 pmr_reports_status_transition",
    );
  });

  inWorld("is approved and reopened by managers only", async (db) => {
    await edit(db, { status: "review" });
    const by = (persona: "member" | "manager", status: "approved" | "review") =>
      refusal(db, (tx) => as(tx, persona, manager, (at) => edit(at, { status })));
    expect(await by("member", "approved")).toBe("42501 pmr_reports_approval");
    expect(await by("manager", "approved")).toBe("done");
    await edit(db, { status: "approved" });
    expect(await by("member", "review")).toBe("42501 pmr_reports_approval");
    expect(await by("manager", "review")).toBe("done");
  });

  inWorld("keeps its content once approved, and takes present figures on", async (db) => {
    await edit(db, { status: "review" });
    await edit(db, { status: "approved" });
    expect(await refusal(db, (tx) => edit(tx, { title: "February" }))).toBe(
      "23514 pmr_reports_content_is_final",
    );
    expect(await refusal(db, (tx) => edit(tx, { realTimeMetrics: { risk: 1 } }))).toBe("done");
  });

  inWorld("counts its edits itself", async (db) => {
    await as(db, "member", manager, (tx) => edit(tx, { title: "January 2026" }));
    await as(db, "member", manager, (tx) => edit(tx, { totalEdits: 99 }));
    await edit(db, { realTimeMetrics: { risk: 1 } });
    await edit(db, { title: "January 2026" });
    expect(await read(db)).toMatchObject({ totalEdits: 1, lastEditedBy: person.member(1) });
  });

  inWorld("records each field and each section that changed, with both values", async (db) => {
    const section = (name: string, content: string) => ({ id: name, content });
    await edit(db, { sections: [section("a", "1"), section("b", "1")] });
    await as(db, "member", manager, (tx) =>
      edit(tx, { title: "New", sections: [section("b", "2"), section("c", "1")] }),
    );
    const events = await db.select().from(pmrChangeEvents);
    const told = events
      .filter(({ userId }) => userId === person.member(1))
      .map((each) => [each.eventType, each.field, each.sectionId, each.oldValue, each.newValue])
      .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
    expect(told).toEqual([
      ["content_updated", "title", null, "January", "New"],
      ["section_added", "sections", "c", null, section("c", "1")],
      ["section_removed", "sections", "a", section("a", "1"), null],
      ["section_updated", "sections", "b", section("b", "1"), section("b", "2")],
    ]);
    expect(events).toHaveLength(6);
  });

  inWorld(
    "keeps the last hundred changes in its log, and all of them in the events",
    async (db) => {
      await db.execute(
        sql.raw(
          `do $$ begin for n in 1..120 loop update ${named("pmr_reports")} set title = 'T' || n; end loop; end $$`,
        ),
      );
      const { auditLog, totalEdits } = await read(db);
      expect(auditLog).toHaveLength(100);
      expect(totalEdits).toBe(120);
      expect(await db.$count(pmrChangeEvents)).toBe(120);
    },
  );

  inWorld("is known by its project and id, which never change", async (db) => {
    expect(await refusal(db, (tx) => edit(tx, { id: id(4, 8) }))).toBe(
      "23514 pmr_reports_identity",
    );
  });

  inWorld("is of a month, once for each version", async (db) => {
    const add = (rest: object) =>
      refusal(db, (tx) => tx.insert(pmrReports).values(reportRow(1, rest)));
    expect(await add({})).toBe("23505 pmr_reports_month_key");
    expect(await add({ version: 2 })).toBe("done");
    expect(await add({ reportMonth: "2026-02-02" })).toBe("23514 pmr_reports_month_begins");
    for (const wrong of [{ title: "no id" }, { id: 7 }, "summary", [{ id: "inside" }], null])
      expect(await add({ version: 2, sections: [wrong] })).toBe("23514 pmr_reports_sections_form");
  });

  inWorld("has its old insights readable still, and their scores in range", async (db) => {
    await edit(db, { aiGeneratedInsights: [{ text: "old" }], aiConfidenceScores: { budget: 0.5 } });
    expect(await read(db)).toMatchObject({
      aiGeneratedInsights: [{ text: "old" }],
      aiConfidenceScores: { budget: 0.5 },
    });
    for (const wrong of [1.5, -0.1, "high", null, [0.5]])
      expect(
        await refusal(db, (tx) => edit(tx, { aiConfidenceScores: { budget: wrong as number } })),
      ).toBe("23514 pmr_reports_ai_confidence_scores_range");
  });

  inWorld(
    "can be deleted while nothing has happened to it, and not once it has a history",
    async (db) => {
      const remove = (tx: AnyDatabase) => as(tx, "manager", manager, (at) => at.delete(pmrReports));
      await db.insert(pmrComments).values({ ...ofReport, sectionId: "a", content: "x" });
      expect(await refusal(db, remove)).toBe("done");
      await edit(db, { title: "edited" });
      expect(await refusal(db, remove)).toBe("23503 pmr_change_events_report_fkey");
    },
  );
});

describe("the circle of reports and sessions", () => {
  const session = { ...ofReport, id: id(6, 1), startedBy: person.member(1) };

  inWorld("is written from either end in one transaction", async (db) => {
    await edit(db, { collaborationSessionId: session.id });
    await db.insert(collaborationSessions).values(session);
    await db.execute(sql.raw("set constraints all immediate"));
    const second = reportRow(1, { id: id(4, 2), version: 2, collaborationSessionId: id(6, 2) });
    await db.execute(sql.raw("set constraints all deferred"));
    await db.insert(pmrReports).values(second);
    await db.insert(collaborationSessions).values({ ...session, reportId: id(4, 2), id: id(6, 2) });
    await db.execute(sql.raw("set constraints all immediate"));
  });

  inWorld("would not close with a foreign key that is looked at at once", async (db) => {
    const key = `alter table ${named("pmr_reports")} alter constraint pmr_reports_collaboration_session_fkey not deferrable`;
    await db.execute(sql.raw(key));
    expect(await refusal(db, (tx) => edit(tx, { collaborationSessionId: session.id }))).toBe(
      "23503 pmr_reports_collaboration_session_fkey",
    );
  });

  inWorld("holds each report to a session of its own", async (db) => {
    await db.insert(pmrReports).values(reportRow(1, { id: id(4, 2), version: 2 }));
    await db.insert(collaborationSessions).values({ ...session, reportId: id(4, 2) });
    const foreign = (tx: AnyDatabase) =>
      edit(tx, { collaborationSessionId: session.id }).then(() =>
        tx.execute(sql.raw("set constraints all immediate")),
      );
    expect(await refusal(db, foreign)).toBe("23503 pmr_reports_collaboration_session_fkey");
  });

  inWorld("goes as a whole with a report that has no history", async (db) => {
    await db.insert(collaborationSessions).values(session);
    await db.insert(editSessions).values({
      ...ofReport,
      collaborationSessionId: session.id,
      userId: person.member(1),
    });
    await edit(db, { collaborationSessionId: session.id });
    await db.delete(pmrReports);
    await db.execute(sql.raw("set constraints all immediate"));
    expect(await db.$count(collaborationSessions)).toBe(0);
    expect(await db.$count(editSessions)).toBe(0);
  });
});

describe("sessions", () => {
  inWorld("know three ways out of a conflict", async (db) => {
    for (const conflictResolutionStrategy of ["last_write_wins", "manual", "merge"] as const)
      expect(
        await refusal(db, (tx) =>
          tx.insert(collaborationSessions).values({ ...ofReport, conflictResolutionStrategy }),
        ),
      ).toBe("done");
    const fourth = { ...ofReport, conflictResolutionStrategy: "dice" as "merge" };
    expect(await refusal(db, (tx) => tx.insert(collaborationSessions).values(fourth))).toBe(
      "23514 collaboration_sessions_strategy",
    );
  });

  inWorld("are open once for a report, end with a date, and stay ended", async (db) => {
    await db.insert(collaborationSessions).values(ofReport);
    expect(await refusal(db, (tx) => tx.insert(collaborationSessions).values(ofReport))).toBe(
      "23505 collaboration_sessions_one_active_key",
    );
    await db.update(collaborationSessions).set({ isActive: false });
    const [ended] = await db.select().from(collaborationSessions);
    expect(ended?.endedAt).toBeInstanceOf(Date);
    await db.insert(collaborationSessions).values(ofReport);
    expect(
      await refusal(db, (tx) =>
        tx
          .update(collaborationSessions)
          .set({ isActive: true, endedAt: null })
          .where(eq(collaborationSessions.id, ended?.id ?? "")),
      ),
    ).toBe("23514 collaboration_sessions_is_over");
  });

  inWorld("take as many participants as they say", async (db) => {
    const participants = [1, 2, 3].map((at) => ({ userId: id(2, 1, at), role: "editor" as const }));
    const add = (rest: object) =>
      refusal(db, (tx) => tx.insert(collaborationSessions).values({ ...ofReport, ...rest }));
    expect(await add({ participants, maxParticipants: 3 })).toBe("done");
    expect(await add({ participants, maxParticipants: 2 })).toBe(
      "23514 collaboration_sessions_participants_form",
    );
    expect(await add({ participants: {} })).toBe("23514 collaboration_sessions_participants_form");
  });

  inWorld("of an editor count the edits", async (db) => {
    await db.insert(editSessions).values([
      { ...ofReport, userId: person.member(1) },
      { ...ofReport, userId: person.other(1) },
    ]);
    await as(db, "member", manager, (tx) => edit(tx, { title: "once" }));
    await as(db, "member", manager, (tx) => edit(tx, { title: "twice" }));
    const counts = await db
      .select({ user: editSessions.userId, n: editSessions.editCount })
      .from(editSessions);
    expect(counts).toContainEqual({ user: person.member(1), n: 2 });
    expect(counts).toContainEqual({ user: person.other(1), n: 0 });
  });
});

describe("comments", () => {
  const comment = (rest: object = {}) => ({
    ...ofReport,
    sectionId: "summary",
    content: "Why?",
    userId: person.member(1),
    ...rest,
  });

  inWorld("make threads that know their depth, nine deep at most", async (db) => {
    for (let at = 0; at <= 8; at += 1)
      await db
        .insert(pmrComments)
        .values(
          comment({ id: id(7, 1, at), ...(at === 0 ? {} : { parentCommentId: id(7, 1, at - 1) }) }),
        );
    const depths = await db
      .select({ depth: pmrComments.depth })
      .from(pmrComments)
      .orderBy(pmrComments.id);
    expect(depths.map(({ depth }) => depth)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(
      await refusal(db, (tx) =>
        tx.insert(pmrComments).values(comment({ parentCommentId: id(7, 1, 8) })),
      ),
    ).toBe("23514 pmr_comments_depth_range");
    await db.delete(pmrComments).where(eq(pmrComments.id, id(7, 1, 0)));
    expect(await db.$count(pmrComments)).toBe(0);
  });

  inWorld("answer comments of their own report only", async (db) => {
    await db.insert(pmrReports).values(reportRow(1, { id: id(4, 2), version: 2 }));
    await db.insert(pmrComments).values(comment({ id: id(7, 1), reportId: id(4, 2) }));
    for (const parentCommentId of [id(7, 1), id(7, 9)])
      expect(
        await refusal(db, (tx) => tx.insert(pmrComments).values(comment({ parentCommentId }))),
      ).toBe("23503 pmr_comments_parent_fkey");
  });

  inWorld(
    "cannot go round, as two rows of one INSERT may under a foreign key alone",
    async (db) => {
      const round = [
        comment({ id: id(7, 1), parentCommentId: id(7, 2) }),
        comment({ id: id(7, 2), parentCommentId: id(7, 1) }),
      ];
      const own = [comment({ id: id(7, 1), parentCommentId: id(7, 1) })];
      for (const rows of [round, own])
        expect(await refusal(db, (tx) => tx.insert(pmrComments).values(rows))).toBe(
          "23503 pmr_comments_parent_fkey",
        );
      const naive = await refusal(db, async (tx) => {
        await tx.execute(
          sql`create temp table naive (id int primary key, parent int references naive)`,
        );
        await tx.execute(sql`insert into naive values (1, 2), (2, 1)`);
      });
      expect(naive).toBe("done");
      await db.insert(pmrComments).values([comment({ id: id(7, 1) }), comment({ id: id(7, 2) })]);
      const move = (tx: AnyDatabase) =>
        tx
          .update(pmrComments)
          .set({ parentCommentId: id(7, 1) })
          .where(eq(pmrComments.id, id(7, 2)));
      expect(await refusal(db, move)).toBe("23514 pmr_comments_identity");
    },
  );

  inWorld(
    "are resolved by name and date, and say what only their author makes them say",
    async (db) => {
      await db.insert(pmrComments).values(comment());
      await as(db, "manager", manager, (tx) => tx.update(pmrComments).set({ isResolved: true }));
      const [resolved] = await db.select().from(pmrComments);
      expect(resolved?.resolvedBy).toBe(person.manager(1));
      expect(resolved?.resolvedAt).toBeInstanceOf(Date);
      const rewrite = (persona: "manager" | "member") =>
        refusal(db, (tx) =>
          as(tx, persona, manager, (at) => at.update(pmrComments).set({ content: "!" })),
        );
      expect(await rewrite("manager")).toBe("42501 pmr_comments_authorship");
      expect(await rewrite("member")).toBe("done");
    },
  );

  inWorld("are nobody else's afterwards, and neither is a report", async (db) => {
    await db.insert(pmrComments).values(comment());
    const take = (table: typeof pmrComments | typeof pmrReports, set: object) =>
      refusal(db, (tx) => as(tx, "manager", manager, (at) => at.update(table).set(set)));
    const mine = { userId: person.manager(1) };
    expect(await take(pmrComments, mine)).toBe("42501 pmr_comments_author");
    // Else who takes a comment may say what is in it, and remove it.
    expect(await take(pmrComments, { ...mine, content: "!" })).toBe("42501 pmr_comments_author");
    expect(await take(pmrReports, { createdBy: person.manager(1) })).toBe(
      "42501 pmr_reports_author",
    );
    expect(await take(pmrReports, { createdBy: null })).toBe("42501 pmr_reports_author");
  });
});

describe("insights", () => {
  const insight = (rest: object = {}) => ({
    ...ofReport,
    insightType: "prediction" as const,
    category: "budget" as const,
    title: "Overrun",
    content: "By ten per cent.",
    confidenceScore: 0.8,
    ...rest,
  });

  inWorld("have scores from nought to one, and from nought to five", async (db) => {
    const add = (rest: object) => refusal(db, (tx) => tx.insert(aiInsights).values(insight(rest)));
    expect(await add({ confidenceScore: 1, impactScore: 0, feedbackScore: 5 })).toBe("done");
    expect(await add({ confidenceScore: 1.001 })).toBe("23514 ai_insights_confidence_range");
    expect(await add({ impactScore: -0.001 })).toBe("23514 ai_insights_impact_range");
    expect(await add({ feedbackScore: 5.01 })).toBe("23514 ai_insights_feedback_range");
  });

  inWorld("are validated step by step", async (db) => {
    await db.insert(aiInsights).values(insight());
    expect(
      await tryPairs(db, "ai_insights", "validation_status", legalTransitions.validationStatus, {
        validated: "validated_at = now()",
        rejected: "validated_at = now()",
      }),
    ).toEqual([]);
    await as(db, "member", manager, (tx) =>
      tx.update(aiInsights).set({ validationStatus: "validated", feedbackScore: 4.5 }),
    );
    const [row] = await db.select().from(aiInsights);
    expect(row).toMatchObject({ validatedBy: person.member(1), feedbackScore: 4.5 });
  });

  inWorld("are written by the service, and not by those who judge them", async (db) => {
    await as(db, "system", manager, (tx) => tx.insert(aiInsights).values(insight()));
    const write = (persona: "manager" | "member" | "system") =>
      refusal(db, (tx) =>
        as(tx, persona, manager, (at) => at.update(aiInsights).set({ content: "By one." })),
      );
    expect(await write("manager")).toBe("42501 ai_insights_authorship");
    expect(await write("member")).toBe("42501 ai_insights_authorship");
    expect(await write("system")).toBe("done");
    expect(
      await refusal(db, (tx) =>
        as(tx, "manager", manager, (at) => at.insert(aiInsights).values(insight())),
      ),
    ).toBe("42501");
  });
});

describe("exports and distribution", () => {
  const job = { ...ofReport, exportFormat: "pdf" as const, requestedBy: person.member(1) };
  const done = { status: "completed" as const, fileUrl: "s3://a", fileSizeBytes: 10 };

  inWorld("go their way", async (db) => {
    await as(db, "member", manager, (tx) => tx.insert(exportJobs).values(job));
    const timed = "started_at = now(), completed_at = now(), file_url = 'x', error_message = 'x'";
    expect(
      await tryPairs(db, "export_jobs", "status", legalTransitions.exportJobStatus, {
        processing: timed,
        completed: timed,
        failed: timed,
        cancelled: timed,
        queued: timed,
      }),
    ).toEqual([]);
    await as(db, "system", manager, (tx) => tx.update(exportJobs).set({ status: "processing" }));
    expect(await refusal(db, (tx) => tx.update(exportJobs).set({ status: "completed" }))).toBe(
      "23514 export_jobs_completion",
    );
    expect(await refusal(db, (tx) => tx.update(exportJobs).set({ status: "failed" }))).toBe(
      "23514 export_jobs_failure",
    );
    await as(db, "system", manager, (tx) => tx.update(exportJobs).set(done));
    const [row] = await db.select().from(exportJobs);
    expect(row).toMatchObject({ attempts: 1, progressPercent: 100 });
  });

  inWorld("are called off by whoever asked, who may do nothing else to them", async (db) => {
    await as(db, "member", manager, (tx) => tx.insert(exportJobs).values(job));
    const by = (user: string, set: object) =>
      refusal(db, (tx) =>
        as(tx, "member", { project: 1, user }, async (at) => {
          const changed = await at.update(exportJobs).set(set).returning({ id: exportJobs.id });
          if (changed.length === 0) throw Object.assign(new Error("no row"), { code: "00000" });
        }),
      );
    expect(await by(person.member(1), { status: "cancelled" })).toBe("done");
    expect(await by(person.member(1), { status: "processing" })).toBe(
      "42501 export_jobs_authorship",
    );
    expect(await by(person.member(1), { fileUrl: "s3://mine" })).toBe(
      "42501 export_jobs_authorship",
    );
    expect(await by(person.other(1), { status: "cancelled" })).toBe("00000");
  });

  inWorld("send to addresses, step by step", async (db) => {
    const sent = { ...ofReport, method: "email" as const, recipient: "a@example.com" };
    await db.insert(pmrDistributionLog).values(sent);
    const failed = "error_message = 'x'";
    expect(
      await tryPairs(db, "pmr_distribution_log", "status", legalTransitions.distributionStatus, {
        failed,
        bounced: failed,
        "to failed": failed,
        "to bounced": failed,
      }),
    ).toEqual([]);
    expect(
      await refusal(db, (tx) =>
        tx.insert(pmrDistributionLog).values({ ...sent, recipient: "nobody" }),
      ),
    ).toBe("23514 pmr_distribution_log_recipient_form");
    await db.update(pmrDistributionLog).set({ status: "sent" });
    const [row] = await db.select().from(pmrDistributionLog);
    expect(row?.sentAt).toBeInstanceOf(Date);
  });

  inWorld("name an export of their own report", async (db) => {
    await db.insert(pmrReports).values(reportRow(1, { id: id(4, 2), version: 2 }));
    await db.insert(exportJobs).values({ ...job, id: id(8, 1), reportId: id(4, 2) });
    const sent = {
      ...ofReport,
      method: "portal" as const,
      recipient: "board",
      exportJobId: id(8, 1),
    };
    expect(await refusal(db, (tx) => tx.insert(pmrDistributionLog).values(sent))).toBe(
      "23503 pmr_distribution_log_export_job_fkey",
    );
  });
});

describe("templates", () => {
  inWorld("are changed by who made them, and the default ones by nobody", async (db) => {
    const mine = { name: "Mine", createdBy: person.manager(1) };
    await as(db, "manager", manager, (tx) => tx.insert(pmrTemplates).values(mine));
    const changed = await as(db, "manager", manager, (tx) =>
      tx.update(pmrTemplates).set({ description: "x" }).returning({ name: pmrTemplates.name }),
    );
    expect(changed).toEqual([{ name: "Mine" }]);
    expect(
      await refusal(db, (tx) =>
        as(tx, "manager", manager, (at) => at.insert(pmrTemplates).values({ name: "Nobody's" })),
      ),
    ).toBe("42501");
  });

  inWorld("take nothing from the service, which works in one project", async (db) => {
    const suggest = (tx: AnyDatabase) =>
      as(tx, "system", manager, (at) => at.update(pmrTemplates).set({ aiSuggestions: { a: 1 } }));
    expect(await refusal(db, suggest)).toBe("42501");
  });

  inWorld(
    "have a rating from nought to five, and outlive the account of who made them",
    async (db) => {
      const mine = { name: "Mine", createdBy: person.manager(1) };
      await db.insert(pmrTemplates).values(mine);
      expect(await refusal(db, (tx) => tx.update(pmrTemplates).set({ rating: 5.5 }))).toBe(
        "23514 pmr_templates_rating_range",
      );
      await db.delete(people).where(eq(people.id, person.manager(1)));
      const [left] = await db.select().from(pmrTemplates).where(eq(pmrTemplates.name, "Mine"));
      expect(left?.createdBy).toBeNull();
    },
  );

  inWorld("stay while a report is made from them", async (db) => {
    const [template] = await db.select().from(pmrTemplates).limit(1);
    await edit(db, { templateId: template?.id ?? null });
    expect(await refusal(db, (tx) => tx.delete(pmrTemplates))).toBe(
      "23503 pmr_reports_template_fkey",
    );
  });
});

describe("the audit trail", () => {
  inWorld("is never changed or removed, not even by the owner", async (db) => {
    await edit(db, { title: "edited" });
    await db.insert(pmrCollaboration).values({ ...ofReport, actionType: "viewed" });
    for (const table of ["pmr_change_events", "pmr_collaboration"])
      for (const statement of [
        `delete from ${named(table)}`,
        `update ${named(table)} set section_id = 'x'`,
        `truncate ${named(table)}`,
      ])
        expect(await refusal(db, (tx) => tx.execute(sql.raw(statement)))).toBe("42501 append_only");
  });

  inWorld("outlives the accounts that it names", async (db) => {
    await as(db, "member", manager, (tx) => edit(tx, { title: "edited" }));
    await db.delete(people).where(eq(people.id, person.member(1)));
    expect(await read(db)).toMatchObject({ createdBy: null, lastEditedBy: null });
    const [event] = await db.select().from(pmrChangeEvents);
    expect(event?.userId).toBe(person.member(1));
  });

  inWorld("is written under one's own name only", async (db) => {
    const forged = { ...ofReport, userId: person.other(1), actionType: "approved" as const };
    expect(
      await refusal(db, (tx) =>
        as(tx, "member", manager, (at) => at.insert(pmrCollaboration).values(forged)),
      ),
    ).toBe("42501");
    const own = { ...forged, userId: person.member(1) };
    expect(
      await refusal(db, (tx) =>
        as(tx, "member", manager, (at) => at.insert(pmrCollaboration).values(own)),
      ),
    ).toBe("done");
  });
});

describe("updated_at", () => {
  inWorld("is what the trigger says", async (db) => {
    await edit(db, { updatedAt: new Date("2001-01-01") });
    expect((await read(db)).updatedAt.getFullYear()).toBeGreaterThan(2001);
    expect(
      await rowsOf(db, `select 1 from ${named("pmr_reports")} where updated_at = now()`),
    ).toHaveLength(1);
  });
});
