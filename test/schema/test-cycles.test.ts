import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyKind } from "../../src/schema/test-cycles/index.ts";
import { openWorld, type Lob, type World } from "./test-cycles-world.ts";

describe.each<KeyKind>(["integer", "uuid"])("test cycles keyed by %s", (keys) => {
  let world: World;
  let here: Lob;
  let there: Lob;
  beforeAll(async () => {
    world = await openWorld(keys);
    ({ here, there } = world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const newUser = (email: string, lob: Lob = here, more = "") =>
    `insert into users (lob_id, email, first_name, last_name${more === "" ? "" : ", manager_id"})
     values ('${lob.lob}', '${email}', 'a', 'b'${more === "" ? "" : `, '${more}'`})`;

  it("takes an address once in a line of business, whatever the case of its letters", async () => {
    expect(await world.run(newUser("TESTER@Here.Example"))).toBe("23505 users_email_key");
    expect(await world.run(newUser("tester@here.example", there))).toEqual([]);
    // The naive form of it: a unique constraint on the column takes both.
    const naive = "create temporary table naive (email text unique)";
    expect(
      await world.run(naive, "insert into naive values ('a@b.example'), ('A@b.example')"),
    ).toEqual([]);
  });

  it.each(["", "no-at-sign", "two@signs@x.example", "a b@x.example", "a@nodot"])(
    "takes no address like %j",
    async (email) => {
      expect(await world.run(newUser(email))).toBe("23514 users_email_form");
    },
  );

  it("points to nobody of another line of business, and to nobody who is not there, alike", async () => {
    const none = keys === "integer" ? "999999" : "00000000-0000-4000-8000-000000000000";
    for (const id of [there.tester, none])
      expect(await world.run(newUser("new@here.example", here, String(id)))).toBe(
        "23503 users_manager_id_fkey",
      );
    expect(await world.run(newUser("new@here.example", here, String(here.tester)))).toEqual([]);
    const cycleReport = `insert into cycle_reports (lob_id, cycle_id, report_id) values ('${here.lob}', '${there.cycle}', '${here.report}')`;
    expect(await world.run(cycleReport)).toBe("23503 cycle_reports_cycle_id_fkey");
  });

  it("lets nobody be their own manager, and no observation its own parent", async () => {
    expect(await world.run(`update users set manager_id = user_id`)).toBe(
      "23514 users_manager_is_another",
    );
    expect(await world.run(`update observations set parent_observation_id = observation_id`)).toBe(
      "23514 observations_parent_is_another",
    );
  });

  it("waits with the two circles until the transaction ends", async () => {
    const id = keys === "integer" ? "777" : "'77777777-7777-4777-8777-777777777777'";
    const overriding = keys === "integer" ? "overriding system value" : "";
    const lob = `insert into lobs (lob_id, code, name, owner_user_id) ${overriding} values (${id}, 'new', 'New', ${id})`;
    const owner = `insert into users (user_id, lob_id, email, first_name, last_name) ${overriding} values (${id}, ${id}, 'o@new.example', 'o', 'n')`;
    const cycle = `insert into test_cycles (cycle_id, lob_id, name, start_date, current_report_id) ${overriding} values (${id}, '${here.lob}', 'autumn', '2026-09-01', '${here.report}')`;
    const report = `insert into cycle_reports (lob_id, cycle_id, report_id) values ('${here.lob}', ${id}, '${here.report}')`;
    expect(await world.run(lob, owner)).toEqual([]);
    expect(await world.run(cycle, report)).toEqual([]);
    expect(await world.run(lob)).toBe("23503 lobs_owner_user_id_fkey");
    expect(await world.run(cycle)).toBe("23503 test_cycles_current_report_id_fkey");
    // The naive form of it cannot be written in either order.
    const naive =
      "alter table test_cycles alter constraint test_cycles_current_report_id_fkey not deferrable";
    expect(await world.run(naive, cycle, report)).toBe("23503 test_cycles_current_report_id_fkey");
    expect(await world.run(naive, report, cycle)).toBe("23503 cycle_reports_cycle_id_fkey");
  });

  it("touches updated_at when a row has changed, and only then", async () => {
    const touched = (set: string) =>
      world.run(
        `update reports set ${set} where report_id = '${here.report}'`,
        `select updated_at = now() as touched from reports where report_id = '${here.report}'`,
      );
    expect(await touched("name = 'renamed'")).toEqual([{ touched: true }]);
    expect(await touched("name = name")).toEqual([{ touched: false }]);
  });

  it("records what is inserted, changed and deleted, of which row, and nothing that did not change", async () => {
    const log = `select action, entity_type, entity_id, old_values ->> 'name' as old, new_values ->> 'name' as new, user_id
      from audit_logs where entity_type = 'report' and created_at = now()`;
    const entry = { entity_type: "report", entity_id: here.report, user_id: null };
    const update = (set: string) => `update reports set ${set} where report_id = '${here.report}'`;
    expect(await world.run(update("name = 'renamed'"), log)).toEqual([
      { ...entry, action: "update", old: "first", new: "renamed" },
    ]);
    expect(await world.run(update("name = name"), log)).toEqual([]);
    const doomed = `insert into reports (lob_id, name) values ('${here.lob}', 'doomed')`;
    const rows = await world.run(doomed, "delete from reports where name = 'doomed'", log);
    expect(rows).toMatchObject([
      { action: "insert", old: null, new: "doomed" },
      { action: "delete", old: "doomed", new: null },
    ]);
  });

  it("records who made a change, and lets no persona write an entry", async () => {
    const rename = `update reports set name = 'renamed' where report_id = '${here.report}'`;
    const log = "select user_id from audit_logs where created_at = now()";
    expect(await world.as("test_manager", here, rename, log)).toEqual([{ user_id: here.manager }]);
    const forged = (user: string) =>
      `insert into audit_logs (lob_id, user_id, action, entity_type, entity_id, new_values) values ('${here.lob}', ${user}, 'insert', 'user', '${here.tester}', '{}')`;
    for (const persona of ["tester", "admin"] as const)
      for (const user of [here.tester, here.admin])
        expect(await world.as(persona, here, forged(`'${user}'`))).toBe("42501");
  });

  it("changes and deletes no entry of a log, not even for a superuser", async () => {
    for (const table of ["audit_logs", "llm_audit_logs"])
      for (const statement of [
        `update ${table} set created_at = now()`,
        `delete from ${table}`,
        `truncate ${table}`,
      ])
        expect(await world.run(statement), statement).toBe("42501 append_only");
  });

  it("refuses an entity that it does not know, and values that do not fit the action", async () => {
    const entry = (entity: string, action: string, values: string) =>
      `insert into audit_logs (lob_id, action, entity_type, entity_id, old_values, new_values) values ('${here.lob}', '${action}', '${entity}', '${here.tester}', ${values})`;
    expect(await world.run(entry("user", "update", "'{}', '{}'"))).toEqual([]);
    expect(await world.run(entry("nothing", "update", "'{}', '{}'"))).toBe(
      "23514 audit_logs_entity_type_known",
    );
    expect(await world.run(entry("user", "insert", "'{}', '{}'"))).toBe(
      "23514 audit_logs_values_of_action",
    );
  });

  it("gives a user the permissions of the roles, overruled by the user's own, until they expire", async () => {
    const may = (resource: string, action: string) =>
      `select count(*)::int as n from effective_permissions('${here.tester}') where resource = '${resource}' and action = '${action}'`;
    const own = (resource: string, action: string, granted: boolean, expires = "null") =>
      `insert into user_permissions (lob_id, user_id, permission_id, is_granted, reason, expires_at)
       select '${here.lob}', '${here.tester}', permission_id, ${granted}, 'test', ${expires} from permissions where resource = '${resource}' and action = '${action}'`;
    expect(await world.run(may("samples", "create"))).toEqual([{ n: 1 }]);
    expect(await world.run(may("cycles", "create"))).toEqual([{ n: 0 }]);
    expect(await world.run(own("samples", "create", false), may("samples", "create"))).toEqual([
      { n: 0 },
    ]);
    expect(await world.run(own("cycles", "create", true), may("cycles", "create"))).toEqual([
      { n: 1 },
    ]);
    const late = own("cycles", "create", true, "now() - interval '1 second'");
    expect(await world.run(late, may("cycles", "create"))).toEqual([{ n: 0 }]);
    expect(
      await world.run("update user_roles set expires_at = now()", may("samples", "create")),
    ).toEqual([{ n: 0 }]);
    expect(await world.as("tester", here, may("samples", "create"))).toEqual([{ n: 1 }]);
  });

  it("finds who reports to a manager, also where the line comes round", async () => {
    const under = (user: keyof Lob, manager: keyof Lob) =>
      `update users set manager_id = '${here[manager]}' where user_id = '${here[user]}'`;
    const line = `select user_id, depth from reporting_line('${here.admin}')`;
    const chain = [under("manager", "admin"), under("tester", "manager")];
    const below = [
      { user_id: here.manager, depth: 1 },
      { user_id: here.tester, depth: 2 },
    ];
    expect(await world.run(...chain, line)).toEqual(below);
    expect(await world.run(...chain, under("admin", "tester"), line)).toEqual([
      ...below,
      { user_id: here.admin, depth: 3 },
    ]);
  });

  it("tests an attribute only when it was decided on, and decides on each once", async () => {
    const decided = keys === "integer" ? "planning_attribute_id" : "id";
    const decision = `insert into cycle_report_scoping_attributes (${decided}, lob_id, phase_id) values ('${here.attribute}', '${here.lob}', '${here.phase}')`;
    expect(await world.run(decision)).toBe(
      keys === "integer"
        ? "23505 cycle_report_scoping_attributes_attribute_key"
        : "23505 cycle_report_scoping_attributes_pkey",
    );
    const again = `insert into test_executions (lob_id, phase_id, sample_id, planning_attribute_id, attempt) values ('${here.lob}', '${here.phase}', '${here.sample}', '${here.attribute}', 2)`;
    expect(await world.run(again)).toEqual([]);
    const undecided = [
      `delete from test_executions`,
      `delete from cycle_report_scoping_attributes`,
      again,
    ];
    expect(await world.run(...undecided)).toBe("23503 test_executions_planning_attribute_id_fkey");
  });

  it("leaves the name of a deleted report free", async () => {
    const same = `insert into reports (lob_id, name) values ('${here.lob}', 'FIRST')`;
    expect(await world.run(same)).toBe("23505 reports_name_key");
    const gone = `update reports set deleted_at = now(), is_active = false where report_id = '${here.report}'`;
    expect(await world.run(gone, same)).toEqual([]);
  });

  it("reads the latest reports through the index of those that are not deleted", async () => {
    const plan = await world.run(
      "set local enable_seqscan to off",
      "set local enable_sort to off",
      `explain select name from reports where lob_id = '${here.lob}' and deleted_at is null order by created_at desc limit 5`,
    );
    expect(JSON.stringify(plan)).toContain("idx_reports_created_at");
  });

  it("has a role for each persona, each with permissions", async () => {
    expect(
      await world.run(
        `select r.name, count(*)::int > 0 as permitted from roles r join role_permissions using (role_id) group by 1 order by 1`,
      ),
    ).toEqual(
      ["admin", "data_provider", "report_owner", "test_manager", "tester"].map((name) => ({
        name,
        permitted: true,
      })),
    );
  });

  it("cannot be made unique by a hash index, which would let a key in twice", async () => {
    expect(await world.run("create unique index on users using hash (user_id)")).toBe("0A000");
    const twice = [
      "create temporary table naive as select user_id from users",
      "create index on naive using hash (user_id)",
      "insert into naive select user_id from users",
      "select count(*) > count(distinct user_id) as twice from naive",
    ];
    expect(await world.run(...twice)).toEqual([{ twice: true }]);
    expect(await world.run("insert into roles select * from roles")).toMatch(/^23505|^428C9/);
  });
});
