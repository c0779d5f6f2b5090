import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getTableColumns, getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import {
  activeSessions,
  activeWorkflows,
  duplicateEmails,
  userMigrationReadiness,
  type KeyKind,
} from "../../src/schema/test-cycles/index.ts";
import {
  domainOf,
  openWorld,
  PERSONAS,
  type Lob,
  type Persona,
  type World,
} from "./test-cycles-world.ts";

const PERSONA_NAMES = Object.keys(PERSONAS) as Persona[];

describe.each<KeyKind>(["integer", "uuid"])("access to test cycles keyed by %s", (keys) => {
  let world: World;
  let here: Lob;
  let there: Lob;
  const tables = Object.values(domainOf(keys).definition.tables)
    .filter((entity) => is(entity, PgTable))
    .map((table) => ({ name: getTableName(table), columns: getTableColumns(table) }));
  const ofLobs = tables.filter(({ columns }) => columns["lobId"] !== undefined);
  beforeAll(async () => {
    world = await openWorld(keys);
    ({ here, there } = world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("has rows of both lines of business in every table to be kept apart", async () => {
    expect(ofLobs).toHaveLength(17);
    for (const { name } of ofLobs)
      expect(await world.run(`select count(distinct lob_id)::int as n from ${name}`), name).toEqual(
        [{ n: 2 }],
      );
  });

  it("shows each persona its rows and none of another line of business", async () => {
    const seen: Record<string, Record<string, number>> = {};
    for (const persona of PERSONA_NAMES)
      for (const { name } of ofLobs) {
        const rows = await world.as(
          persona,
          here,
          `select count(*)::int as n, (count(*) filter (where lob_id <> '${here.lob}'))::int as foreign from ${name}`,
        );
        if (typeof rows === "string") {
          expect(rows, `${persona} reads ${name}`).toBe("42501");
          continue;
        }
        expect(rows[0], `${persona} reads ${name}`).toMatchObject({ foreign: 0 });
        (seen[name] ??= {})[persona] = Number(rows[0]?.["n"]);
      }
    // 9 phases of the first report; the second report and its phase are nobody's but the manager's.
    const all = { tester: 1, test_manager: 1, report_owner: 1, data_provider: 1, admin: 1 };
    expect(seen).toMatchObject({
      lobs: all,
      users: { tester: 5, test_manager: 5, report_owner: 5, data_provider: 1, admin: 5 },
      user_roles: { tester: 1, test_manager: 5, report_owner: 1, data_provider: 1, admin: 5 },
      reports: { tester: 1, test_manager: 2, report_owner: 1, data_provider: 1, admin: 2 },
      test_cycles: all,
      cycle_reports: { tester: 1, test_manager: 2, report_owner: 1, data_provider: 1, admin: 2 },
      workflow_phases: {
        tester: 9,
        test_manager: 10,
        report_owner: 9,
        data_provider: 1,
        admin: 10,
      },
      samples: all,
      observations: { tester: 1, test_manager: 1, report_owner: 1, admin: 1 },
      requests_for_information: all,
      llm_audit_logs: { tester: 1, test_manager: 1, admin: 1 },
    });
    expect(seen["data_profiles"]).not.toHaveProperty("data_provider");
    expect(seen["llm_audit_logs"]).not.toHaveProperty("report_owner");
  });

  it("shows the view as who asks", async () => {
    const look = "select count(*)::int as n from cycle_report_progress";
    // A data provider does not see observations, which it counts.
    const counts = [];
    for (const persona of PERSONA_NAMES) counts.push(await world.as(persona, here, look));
    expect(counts).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 1 }], "42501", [{ n: 2 }]]);
  });

  it("lets all read the roles and permissions, and nobody write them", async () => {
    for (const persona of PERSONA_NAMES) {
      expect(await world.as(persona, here, "select count(*)::int as n from roles")).toEqual([
        { n: 5 },
      ]);
      for (const name of ["roles", "permissions", "role_permissions"])
        expect(await world.as(persona, here, `delete from ${name}`)).toBe("42501");
    }
  });

  it("moves no row into another line of business, and changes and deletes none there", async () => {
    for (const { name } of ofLobs) {
      const update = await world.as("admin", here, `update ${name} set lob_id = '${there.lob}'`);
      // 428C9: a key that PostgreSQL gives out cannot be set.
      const refused = name === "lobs" && keys === "integer" ? "428C9" : "42501";
      expect(update, `admin moves ${name}`).toBe(refused);
      const removed = await world.as(
        "admin",
        there,
        `delete from ${name} where lob_id = '${here.lob}' returning 1`,
      );
      if (typeof removed === "string") expect(removed).toBe("42501");
      else expect(removed).toEqual([]);
    }
  });

  it("answers alike for a cycle of another line of business and for one that is nowhere", async () => {
    const none = keys === "integer" ? "999999" : "00000000-0000-4000-8000-000000000000";
    const insert = (cycle: unknown, report: unknown) =>
      `insert into cycle_reports (lob_id, cycle_id, report_id) values ('${here.lob}', '${String(cycle)}', '${String(report)}')`;
    const move = (cycle: unknown, report: unknown) =>
      `update cycle_reports set cycle_id = '${String(cycle)}', report_id = '${String(report)}' where report_id = '${here.other_report}'`;
    for (const write of [insert, move])
      for (const [cycle, report] of [
        [there.cycle, there.report],
        [there.cycle, none],
        [none, there.report],
        [none, none],
      ])
        expect(await world.as("test_manager", here, write(cycle, report))).toBe("42501");
    // The positive control, and what the key by itself would tell whoever may write.
    const fresh = `insert into reports (lob_id, name) values ('${here.lob}', 'third') returning report_id`;
    expect(
      await world.as(
        "test_manager",
        here,
        `with fresh as (${fresh}) select count(*)::int as n from fresh`,
      ),
    ).toEqual([{ n: 1 }]);
    const key = keys === "integer" ? "cycle_reports_pkey" : "uq_cycle_report";
    expect(await world.run(insert(there.cycle, there.report))).toBe(`23505 ${key}`);
    expect(await world.run(insert(none, none))).toBe("23503 cycle_reports_cycle_id_fkey");
  });

  it("lets the manager put a report into a cycle, and the tester not", async () => {
    const insert = `insert into cycle_reports (lob_id, cycle_id, report_id, tester_id)
      select '${here.lob}', '${here.cycle}', report_id, '${here.tester}' from reports where name = 'third'`;
    const third = `insert into reports (lob_id, name) values ('${here.lob}', 'third')`;
    expect(await world.as("test_manager", here, third, insert)).toEqual([]);
    expect(await world.as("tester", here, insert)).toBe("42501");
    expect(await world.as("tester", here, third)).toBe("42501");
  });

  it("lets a tester work in assigned phases only, and a data provider answer only what was asked of them", async () => {
    const sample = (phase: unknown) =>
      `insert into samples (lob_id, phase_id, identifier) values ('${here.lob}', '${String(phase)}', 'row 2')`;
    expect(await world.as("tester", here, sample(here.phase))).toEqual([]);
    expect(await world.as("tester", here, sample(here.other_phase))).toBe("42501");
    expect(await world.as("data_provider", here, sample(here.phase))).toBe("42501");
    const answer =
      "update requests_for_information set answer = 'so', submitted_at = now(), status = 'submitted' returning 1 as n";
    expect(await world.as("data_provider", here, answer)).toEqual([{ n: 1 }]);
    const stranger = { ...here, provider: here.owner };
    expect(await world.as("data_provider", stranger, answer)).toEqual([]);
  });

  it("lets nobody choose the phase that they are asked about, nor the report that a phase is of", async () => {
    const request = (set: string) => `update requests_for_information set ${set}`;
    const phase = (set: string) =>
      `update workflow_phases set ${set} where phase_id = '${here.phase}'`;
    for (const persona of ["data_provider", "tester", "test_manager", "admin"] as const) {
      expect(await world.as(persona, here, request(`phase_id = '${here.other_phase}'`))).toMatch(
        /^42501/,
      );
      expect(await world.as(persona, here, request(`sample_id = '${here.sample}'`))).toBe(
        "42501 keep_identity",
      );
      expect(await world.as(persona, here, request(`requested_by = '${here.provider}'`))).toBe(
        "42501 keep_identity",
      );
    }
    for (const persona of ["tester", "test_manager", "admin"] as const)
      expect(await world.as(persona, here, phase(`report_id = '${here.other_report}'`))).toBe(
        "42501 keep_identity",
      );
    // Who is not a persona mends what is wrong.
    const mine = `where lob_id = '${here.lob}'`;
    expect(await world.run(request(`phase_id = '${here.other_phase}' ${mine}`))).toEqual([]);
    // Whom a request is put to may change: the phase stays.
    expect(
      await world.as("test_manager", here, request(`data_provider_id = '${here.owner}'`)),
    ).toEqual([]);
  });

  it("shows nothing where the context is missing, and says why", async () => {
    const nobody = { ...here, lob: "" };
    expect(await world.as("tester", nobody, "select * from samples")).toMatch(/^42501/);
  });

  it("says what stands in the way of other keys, to who sees all lines of business", async () => {
    // The queries are the same for both forms; their types are those of one.
    const domain = domainOf(keys) as ReturnType<typeof domainOf<"uuid">>;
    const { db } = world;
    expect(await duplicateEmails(db, domain)).toEqual([]);
    expect(await activeSessions(db, domain)).toEqual([]);
    expect(await activeWorkflows(db, domain)).toEqual([]);
    await world.client.exec(`begin;
      insert into users (lob_id, email, first_name, last_name) values ('${there.lob}', 'Tester@HERE.example', 'a', 'b');
      update users set last_login_at = now() - interval '29 minutes' where user_id = '${here.tester}';
      update users set last_login_at = now() - interval '31 minutes' where user_id = '${here.owner}';
      update users set last_login_at = now(), is_active = false where user_id = '${here.admin}';
      update workflow_phases set status = 'in_progress' where phase_id = '${here.phase}'`);
    try {
      const readiness = await userMigrationReadiness(db, domain);
      expect(readiness).toEqual({
        duplicateEmails: [{ email: "tester@here.example", users: 2 }],
        activeSessions: [{ userId: here.tester, lastLoginAt: expect.any(Date) as Date }],
        activeWorkflows: [
          {
            phaseId: here.phase,
            cycleId: here.cycle,
            reportId: here.report,
            phaseName: "planning",
          },
        ],
      });
      const longer = await activeSessions(db, domain, { lifetime: "1 hour" });
      expect(longer.map(({ userId }) => userId)).toEqual([here.tester, here.owner]);
      // The naive form of it, which compares letters as they are, finds nobody.
      const { rows } = await world.client.query(
        "select email from users group by email having count(*) > 1",
      );
      expect(rows).toEqual([]);
    } finally {
      await world.client.exec("rollback");
    }
  });
});
