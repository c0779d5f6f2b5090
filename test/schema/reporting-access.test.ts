import { getTableColumns, eq, is, sql } from "drizzle-orm";
import type { PGlite } from "@electric-sql/pglite";
import { PgTable, type PgInsertValue } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sqlStateOf } from "../../src/errors.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import {
  as,
  domain,
  install,
  organizationOf,
  refusal,
  takenBack,
  type AnyDatabase,
  type Organization,
  type Persona,
} from "./reporting-world.ts";

const setup = (_: unknown, client: PGlite): Promise<void> => install(client, domain.definition);
const PERSONAS = ["org_admin", "report_manager", "report_viewer", "user"] as const;
const { reports, reportExecutions, executionLogs, reportShares, auditLogs, users } = domain;
const { userCredentials } = domain;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ setup });
});
afterAll(() => database.close());

/** A test with two organizations that look alike; in each the manager's report was run. */
function inTwo(
  name: string,
  work: (db: AnyDatabase, own: Organization, other: Organization) => Promise<void>,
): void {
  it(name, () =>
    database.rolledBack(async (db) => {
      const own = await organizationOf(db, 1);
      const other = await organizationOf(db, 2);
      for (const organization of [own, other]) await runReport(db, organization);
      await work(db, own, other);
    }),
  );
}

async function runReport(
  db: AnyDatabase,
  { id, users: people, reports: [, second] }: Organization,
) {
  const startedAt = new Date();
  const [execution] = await db
    .insert(reportExecutions)
    .values({ organizationId: id, reportId: second, executedBy: people.report_manager, startedAt })
    .returning({ id: reportExecutions.id });
  await db.insert(executionLogs).values({
    organizationId: id,
    executionId: execution?.id ?? "",
    executionStartedAt: startedAt,
    message: "started",
  });
  await db.insert(auditLogs).values({
    organizationId: id,
    userId: people.org_admin,
    action: "login",
    resourceType: "user",
  });
}

/** How many rows a persona sees of a table; `denied` where it may not look. */
async function seen(
  db: AnyDatabase,
  own: Organization,
  persona: Persona,
  table: PgTable,
): Promise<number | "denied"> {
  try {
    return await as(db, own, persona, async (inside) => {
      const columns = { ...getTableColumns(table) };
      if (table === userCredentials) delete columns["passwordHash"];
      const rows: readonly object[] = await inside.select(columns).from(table);
      for (const row of rows) {
        const { organizationId, id } = row as { organizationId?: string; id: string };
        expect(organizationId ?? id).toBe(own.id);
      }
      return rows.length;
    });
  } catch (error) {
    if (sqlStateOf(error) === "42501") return "denied";
    throw error;
  }
}

const write =
  (own: Organization, persona: Persona, table: PgTable, row: object) => (db: AnyDatabase) =>
    as(db, own, persona, (inside) => inside.insert(table).values(row as PgInsertValue<PgTable>));

describe("a persona", () => {
  inTwo(
    "sees rows of its own organization only, and of those what its role shows",
    async (db, own) => {
      const counts: Record<string, readonly (number | "denied")[]> = {};
      for (const [name, table] of Object.entries(domain.definition.tables)) {
        if (!is(table, PgTable)) continue;
        const each: (number | "denied")[] = [];
        for (const persona of PERSONAS) each.push(await seen(db, own, persona, table));
        counts[name] = each;
      }
      expect(counts).toEqual({
        //                org_admin, report_manager, report_viewer, user
        organizations: [1, 1, 1, 1],
        users: [4, 4, 1, 1],
        userCredentials: [0, 0, 0, 0],
        userSessions: [0, 0, 0, 0],
        templates: [1, 1, 1, 1],
        templateFields: [0, 0, 0, 0],
        reports: [2, 2, 0, 1],
        reportExecutions: [1, 1, 0, 0],
        executionLogs: [1, 1, "denied", "denied"],
        reportShares: [0, 0, 0, 0],
        auditLogs: [1, "denied", "denied", "denied"],
      });
    },
  );

  inTwo("sees a report, and how it was run, while it is shared", async (db, own) => {
    const share = {
      organizationId: own.id,
      reportId: own.reports[1],
      sharedBy: own.users.report_manager,
    };
    await db.insert(reportShares).values([
      { ...share, sharedWith: own.users.report_viewer },
      {
        ...share,
        sharedWith: own.users.user,
        createdAt: new Date("2001-01-01"),
        expiresAt: new Date("2002-01-01"),
      },
    ]);
    expect(await seen(db, own, "report_viewer", reports)).toBe(1);
    expect(await seen(db, own, "report_viewer", reportExecutions)).toBe(1);
    expect(await seen(db, own, "user", reports)).toBe(1);
    expect(await seen(db, own, "user", reportExecutions)).toBe(0);
  });

  inTwo("writes nothing into another organization", async (db, own, other) => {
    const report = {
      organizationId: other.id,
      name: "Theirs",
      templateId: other.template,
      createdBy: own.users.org_admin,
    };
    expect(await refusal(db, write(own, "org_admin", reports, report))).toBe("42501");
    const moved = (at: AnyDatabase) =>
      as(at, own, "org_admin", (inside) =>
        inside.update(reports).set({ organizationId: other.id }),
      );
    expect(await refusal(db, moved)).toBe("42501");
  });

  inTwo("cannot share or run a report that it may not edit, and so open it", async (db, own) => {
    const of = (reportId: string) => ({ organizationId: own.id, reportId });
    const [mine, theirs] = own.reports;
    const toFriend = { sharedWith: own.users.report_viewer, sharedBy: own.users.user };
    const shareOf = (report: string) =>
      write(own, "user", reportShares, { ...of(report), ...toFriend });
    expect(await refusal(db, shareOf(theirs))).toBe("42501");
    expect(await refusal(db, shareOf(mine))).toBe("done");
    const runOf = (report: string) =>
      write(own, "user", reportExecutions, { ...of(report), executedBy: own.users.user });
    expect(await refusal(db, runOf(theirs))).toBe("42501");
    expect(await refusal(db, runOf(mine))).toBe("done");
  });

  inTwo("may edit and run what is shared with it to edit", async (db, own) => {
    const [, theirs] = own.reports;
    const edit = (at: AnyDatabase) =>
      as(at, own, "user", async (inside) => {
        const changed = await inside
          .update(reports)
          .set({ name: "Edited" })
          .where(eq(reports.id, theirs))
          .returning({ id: reports.id });
        expect(changed).toHaveLength(1);
        await inside
          .insert(reportExecutions)
          .values({ organizationId: own.id, reportId: theirs, executedBy: own.users.user });
        const [run] = await inside.select().from(reports).where(eq(reports.id, theirs));
        expect(run?.executionCount).toBe(2);
      });
    const share = {
      organizationId: own.id,
      reportId: theirs,
      sharedWith: own.users.user,
      sharedBy: own.users.report_manager,
    } as const;
    await db.insert(reportShares).values({ ...share, permission: "edit" });
    expect(await refusal(db, edit)).toBe("done");
  });

  inTwo("writes of itself into the audit log, and changes nothing there", async (db, own) => {
    const row = { organizationId: own.id, action: "export", resourceType: "report" };
    const by = (userId: string | null) =>
      write(own, "report_viewer", auditLogs, { ...row, userId });
    expect(await refusal(db, by(own.users.report_viewer))).toBe("done");
    expect(await refusal(db, by(own.users.org_admin))).toBe("42501");
    expect(await refusal(db, by(null))).toBe("42501");
    const rewritten = (at: AnyDatabase) => at.update(auditLogs).set({ action: "read" });
    expect(await refusal(db, rewritten)).toBe("42501 append_only");
    expect(await refusal(db, (at) => at.delete(auditLogs))).toBe("42501 append_only");
  });

  inTwo("reads no hash of a password, its own neither, and sets its own", async (db, own) => {
    const { passwordHash, ...readable } = getTableColumns(userCredentials);
    const rows = Object.values(own.users).map((userId) => ({
      organizationId: own.id,
      userId,
      passwordHash: "$argon2id$v=19$…",
    }));
    await db.insert(userCredentials).values(rows);
    for (const persona of PERSONAS) {
      const inside = (work: (at: AnyDatabase) => Promise<unknown>) =>
        refusal(db, (at) => as(at, own, persona, work));
      const set = { passwordHash: "$argon2id$other" };
      expect(await inside((at) => at.select({ passwordHash }).from(userCredentials))).toBe("42501");
      expect(await inside((at) => at.select().from(userCredentials))).toBe("42501");
      expect(
        await inside((at) =>
          at
            .select({ id: userCredentials.userId })
            .from(userCredentials)
            .where(eq(passwordHash, "$")),
        ),
      ).toBe("42501");
      expect(
        await inside((at) => at.update(userCredentials).set(set).returning({ passwordHash })),
      ).toBe("42501");
      const changed = await takenBack(db, (at) =>
        as(at, own, persona, async (inner) => {
          await inner.update(userCredentials).set(set);
          return inner.select(readable).from(userCredentials);
        }),
      );
      expect(changed).toMatchObject([{ userId: own.users[persona] }]);
      // Of everybody whom it sees it sees all that users holds.
      expect(await inside((at) => at.select().from(users))).toBe("done");
    }
    const first = (persona: Persona) =>
      refusal(db, async (at) => {
        await at.delete(userCredentials);
        await as(at, own, persona, (inner) => inner.insert(userCredentials).values(rows));
      });
    expect(await first("org_admin")).toBe("done");
    expect(await first("report_manager")).toBe("42501");
  });

  inTwo("learns nothing of another organization's keys", async (db, own, other) => {
    const account = (email: string) =>
      write(own, "org_admin", users, {
        organizationId: own.id,
        email,
        username: "someone",
        firstName: "A",
        lastName: "B",
      });
    await db.update(users).set({ email: "only@there.com" }).where(eq(users.id, other.users.user));
    expect(await refusal(db, account("only@there.com"))).toBe("done");
    const withId = (id: string) =>
      write(own, "org_admin", reports, {
        organizationId: own.id,
        id,
        name: "Same id",
        templateId: own.template,
        createdBy: own.users.org_admin,
      });
    expect(await refusal(db, withId(other.reports[0]))).toBe("done");
    expect(await refusal(db, withId(own.reports[0]))).toBe("23505 reports_pkey");
  });

  inTwo("reaches no partition past its table", async (db, own) => {
    const [leaf] = await db
      .select({ name: sql<string>`tableoid::regclass::text` })
      .from(reportExecutions);
    const direct = (at: AnyDatabase) =>
      as(at, own, "org_admin", (inside) =>
        inside.execute(sql.raw(`select * from ${leaf?.name ?? ""}`)),
      );
    expect(await refusal(db, direct)).toBe("42501");
  });
});
