import { eq, sql } from "drizzle-orm";
import type { PGlite } from "@electric-sql/pglite";
import type { PgInsertValue, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import {
  as,
  domain,
  install,
  organizationOf,
  person,
  refusal,
  uuid,
  type AnyDatabase,
  type Organization,
} from "./reporting-world.ts";

const setup = (_: unknown, client: PGlite): Promise<void> => install(client, domain.definition);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ setup });
});
afterAll(() => database.close());

/** A test with one organization, whose rows are gone afterwards. */
function inOrganization(
  name: string,
  work: (db: AnyDatabase, organization: Organization) => Promise<void>,
): void {
  it(name, () => database.rolledBack(async (db) => work(db, await organizationOf(db, 1))));
}

const ORGANIZATION = uuid(1, 1);
const { organizations, users, userCredentials, userSessions, templates, templateFields } = domain;
const { reports, reportExecutions, executionLogs, reportShares, auditLogs } = domain;

/** A row that is right, to be spoilt in one column. */
const RIGHT = {
  organization: { name: "Another", slug: "another" },
  user: { ...person("new"), organizationId: ORGANIZATION },
  credentials: { organizationId: ORGANIZATION, userId: uuid(2, 1), passwordHash: "$argon2id$" },
  session: {
    organizationId: ORGANIZATION,
    userId: uuid(2, 1),
    tokenHash: "0".repeat(64),
    expiresAt: new Date("2999-01-01"),
  },
  template: {
    organizationId: ORGANIZATION,
    id: uuid(3, 1, 9),
    name: "Costs",
    createdBy: uuid(2, 1),
    templateType: "chart",
  },
  field: {
    organizationId: ORGANIZATION,
    templateId: uuid(3, 1),
    name: "region",
    label: "Region",
    fieldType: "text",
  },
  report: {
    organizationId: ORGANIZATION,
    name: "Costs",
    templateId: uuid(3, 1),
    createdBy: uuid(2, 1),
  },
  execution: {
    organizationId: ORGANIZATION,
    reportId: uuid(4, 1, 1),
    executedBy: uuid(2, 1),
  },
  share: {
    organizationId: ORGANIZATION,
    reportId: uuid(4, 1, 1),
    sharedWith: uuid(2, 1, 2),
    sharedBy: uuid(2, 1),
  },
  audit: {
    organizationId: ORGANIZATION,
    userId: uuid(2, 1),
    action: "export",
    resourceType: "report",
  },
} as const;

/** The table, a right row, what spoils it, and the CHECK that says so. */
const SPOILT: readonly (readonly [PgTable, object, object, string])[] = [
  [organizations, RIGHT.organization, { slug: "AC" }, "valid_slug"],
  [organizations, RIGHT.organization, { slug: "ACME" }, "valid_slug"],
  [organizations, RIGHT.organization, { domain: "no dots" }, "valid_domain"],
  [organizations, RIGHT.organization, { subscriptionTier: "gold" }, "valid_subscription_tier"],
  [organizations, RIGHT.organization, { settings: [] }, "valid_settings"],
  [organizations, RIGHT.organization, { maxUsers: -1 }, "valid_limits"],
  [users, RIGHT.user, { role: "root" }, "valid_role"],
  [users, RIGHT.user, { email: "ada@example" }, "valid_email"],
  [users, RIGHT.user, { email: "ada @example.com" }, "valid_email"],
  [users, RIGHT.user, { username: "ab" }, "valid_username"],
  [users, RIGHT.user, { username: "a".repeat(31) }, "valid_username"],
  [userCredentials, RIGHT.credentials, { passwordHash: "" }, "valid_password_hash"],
  [userSessions, RIGHT.session, { tokenHash: "secret" }, "valid_token_hash"],
  [userSessions, RIGHT.session, { expiresAt: new Date(0) }, "expires_after_created"],
  [templates, RIGHT.template, { templateType: "pie" }, "valid_template_type"],
  [templates, RIGHT.template, { version: 0 }, "valid_version"],
  [templates, RIGHT.template, { parentTemplateId: RIGHT.template.id }, "valid_parent"],
  [templateFields, RIGHT.field, { fieldType: "colour" }, "valid_field_type"],
  [templateFields, RIGHT.field, { fieldType: "select" }, "select_has_options"],
  [templateFields, RIGHT.field, { name: "Region 1" }, "valid_name"],
  [reports, RIGHT.report, { status: "done" }, "valid_status"],
  [reports, RIGHT.report, { priority: 0 }, "valid_priority"],
  [reports, RIGHT.report, { priority: 11 }, "valid_priority"],
  [reports, RIGHT.report, { status: "scheduled" }, "scheduled_has_time"],
  [reports, RIGHT.report, { parameters: null }, "not null"],
  [reportExecutions, RIGHT.execution, { status: "queued" }, "valid_execution_status"],
  [reportExecutions, RIGHT.execution, { outputFormat: "docx" }, "valid_output_format"],
  [reportExecutions, RIGHT.execution, { executionTimeMs: -1 }, "valid_execution_time"],
  [reportExecutions, RIGHT.execution, { completedAt: new Date(0) }, "completed_at_after_started"],
  [reportShares, RIGHT.share, { permission: "own" }, "valid_permission"],
  [auditLogs, RIGHT.audit, { action: "peek" }, "valid_action"],
  [auditLogs, RIGHT.audit, { resourceType: "invoice" }, "valid_resource_type"],
];

describe("a check", () => {
  for (const [table, right, spoilt, check] of SPOILT)
    inOrganization(`refuses ${JSON.stringify(spoilt)} by ${check}`, async (db) => {
      const insert = (row: object) => (at: AnyDatabase) =>
        at.insert(table).values(row as PgInsertValue<PgTable>);
      expect(await refusal(db, insert(right))).toBe("done");
      expect(await refusal(db, insert({ ...right, ...spoilt }))).toBe(
        check === "not null" ? "23502" : `23514 ${check}`,
      );
    });

  inOrganization("of the seed takes a status that is NULL, and a slug in capitals", async (db) => {
    await db.execute(sql`create temp table as_written (
      status varchar(50) default 'draft' check (status in ('draft', 'scheduled')),
      slug varchar(100) check (slug ~* '^[a-z0-9-]{3,50}$')) on commit drop`);
    expect(
      await refusal(db, (at) => at.execute(sql`insert into as_written values (null, 'ACME')`)),
    ).toBe("done");
  });
});

describe("a key between rows", () => {
  inOrganization("never leads into another organization", async (db, { id }) => {
    const other = await organizationOf(db, 2);
    const pointing: readonly (readonly [PgTable, object])[] = [
      [templates, { ...RIGHT.template, createdBy: other.users.user }],
      [templates, { ...RIGHT.template, parentTemplateId: other.template }],
      [templateFields, { ...RIGHT.field, templateId: other.template }],
      [reports, { ...RIGHT.report, templateId: other.template }],
      [reports, { ...RIGHT.report, createdBy: other.users.user }],
      [reportExecutions, { ...RIGHT.execution, reportId: other.reports[0] }],
      [reportShares, { ...RIGHT.share, sharedWith: other.users.user }],
      [userCredentials, { ...RIGHT.credentials, userId: other.users.user }],
      [userSessions, { ...RIGHT.session, userId: other.users.user }],
      [auditLogs, { ...RIGHT.audit, userId: other.users.user }],
    ];
    for (const [table, row] of pointing)
      expect(
        await refusal(db, (at) => at.insert(table).values(row as PgInsertValue<PgTable>)),
      ).toMatch(/^23503 /);
    expect(id).not.toBe(other.id);
  });

  inOrganization("lets an organization go with all that is its own", async (db, { id }) => {
    await db.insert(reportExecutions).values(RIGHT.execution);
    await db.delete(organizations).where(eq(organizations.id, id));
    expect(await db.select().from(executionLogs)).toEqual([]);
    expect(await db.select().from(reportExecutions)).toEqual([]);
    expect(await db.select().from(users)).toEqual([]);
  });

  inOrganization("as the seed has it keeps an organization that ever ran a report", async (db) => {
    const kept = await refusal(db, async (at) => {
      await at.execute(sql`create temp table o (id int primary key) on commit drop`);
      await at.execute(
        sql`create temp table u (id int primary key, o int references o on delete cascade) on commit drop`,
      );
      await at.execute(
        sql`create temp table r (id int primary key, o int references o on delete cascade) on commit drop`,
      );
      await at.execute(
        sql`create temp table e (r int references r on delete cascade, u int references u on delete restrict) on commit drop`,
      );
      await at.execute(
        sql`with a as (insert into o values (1)), b as (insert into u values (1, 1)), c as (insert into r values (1, 1)) insert into e values (1, 1)`,
      );
      await at.execute(sql`delete from o`);
    });
    expect(kept).toMatch(/^(?:23001|23503) e_u_fkey$/);
  });

  inOrganization("keeps who is in the audit log", async (db, { users: people }) => {
    await db.insert(auditLogs).values({ ...RIGHT.audit, userId: people.report_viewer });
    expect(
      await refusal(db, (at) => at.delete(users).where(eq(users.id, people.report_viewer))),
    ).toBe("23503 audit_logs_user_fk");
  });

  inOrganization(
    "has each version of a template once, and knows where it came from",
    async (db) => {
      const next = { ...RIGHT.template, name: "Sales", version: 2, parentTemplateId: uuid(3, 1) };
      expect(await refusal(db, (at) => at.insert(templates).values({ ...next, version: 1 }))).toBe(
        "23505 unique_template_name_version",
      );
      await db.insert(templates).values(next);
      expect(
        await refusal(db, (at) => at.delete(templates).where(eq(templates.id, uuid(3, 1)))),
      ).toMatch(/^23503 /);
    },
  );
});

describe("a trigger", () => {
  inOrganization("sets updated_at, whatever was given", async (db, { reports: [report] }) => {
    const old = new Date("2001-01-01");
    for (const table of [organizations, users, templates, reports]) {
      const [row] = await db.update(table).set({ updatedAt: old }).returning();
      expect(row?.updatedAt.getTime()).toBeGreaterThan(old.getTime());
    }
    expect(report).toBe(uuid(4, 1, 1));
  });

  inOrganization("counts executions without calling the report edited", async (db) => {
    const [before] = await db
      .select()
      .from(reports)
      .where(eq(reports.id, uuid(4, 1, 1)));
    const startedAt = new Date();
    await db.insert(reportExecutions).values([
      { ...RIGHT.execution, startedAt },
      { ...RIGHT.execution, startedAt: new Date(startedAt.getTime() - 1) },
    ]);
    const [after] = await db
      .select()
      .from(reports)
      .where(eq(reports.id, uuid(4, 1, 1)));
    expect(after).toEqual({ ...before, executionCount: 2, lastExecuted: startedAt });
  });

  inOrganization("keeps the author of a report", async (db, organization) => {
    const take = (at: AnyDatabase) =>
      as(at, organization, "report_manager", (inside) =>
        inside.update(reports).set({ createdBy: organization.users.report_manager }),
      );
    expect(await refusal(db, take)).toBe("42501 created_by_is_kept");
    await db.insert(reportShares).values(RIGHT.share);
    const shareAs = (at: AnyDatabase) =>
      as(at, organization, "org_admin", (inside) =>
        inside.update(reportShares).set({ sharedBy: organization.users.report_manager }),
      );
    expect(await refusal(db, shareAs)).toBe("42501 created_by_is_kept");
  });

  inOrganization("leaves an organization its terms", async (db, organization) => {
    const set = (values: Partial<typeof organizations.$inferInsert>) => (at: AnyDatabase) =>
      as(at, organization, "org_admin", (inside) => inside.update(organizations).set(values));
    expect(await refusal(db, set({ settings: { theme: "dark" } }))).toBe("done");
    for (const values of [
      { subscriptionTier: "enterprise" },
      { maxUsers: 999 },
      { slug: "taken" },
    ] as const)
      expect(await refusal(db, set(values))).toBe("42501 organization_terms");
  });

  inOrganization("lets nobody raise their own role", async (db, organization) => {
    const raise =
      (persona: "org_admin" | "user", role: "org_admin" | "super_admin" | "report_viewer") =>
      (at: AnyDatabase) =>
        as(at, organization, persona, (inside) =>
          inside.update(users).set({ role }).where(eq(users.id, organization.users[persona])),
        );
    expect(await refusal(db, raise("user", "org_admin"))).toBe("42501 role_is_given");
    expect(await refusal(db, raise("org_admin", "super_admin"))).toBe(
      "42501 super_admin_is_the_providers",
    );
    expect(await refusal(db, raise("org_admin", "report_viewer"))).toBe("done");
  });
});
