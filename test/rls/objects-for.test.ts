import { expect, it } from "vitest";
import type { Queryable } from "../../src/executor/executor.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import { installedSchool } from "./installed-school.ts";
import { A, B } from "./school.ts";

onEngines("what an access makes", (engine) => {
  const { access, schema } = installedSchool(engine);
  const name = (table: string) => qualified(schema, table);

  /** Runs work as a persona, and takes everything back. */
  const as = <T>(
    persona: string,
    of: { readonly tenant: string; readonly user: string },
    work: (db: Queryable) => Promise<T>,
  ): Promise<T> => {
    const takeBack = new Error("taken back");
    const results: T[] = [];
    return engine
      .executor()
      .transaction(async (tx) => {
        await tx.query(
          `SELECT set_config('role', ${literal(access.roles[persona as "admin"])}, true), set_config('app.tenant_id', ${literal(of.tenant)}, true), set_config('app.user_id', ${literal(of.user)}, true)`,
        );
        results.push(await work(tx));
        throw takeBack;
      })
      .then(
        () => Promise.reject(new Error("unreachable")),
        (error: unknown) => {
          if (error !== takeBack) throw error;
          return results[0] as T;
        },
      );
  };
  const ids = async (persona: keyof typeof A & keyof typeof access.roles, table: string) =>
    as(persona, { tenant: A.tenant, user: A[persona] }, async (db) =>
      (await db.query<{ id: string }>(`SELECT * FROM ${name(table)}`)).map((row) => row.id),
    );
  const failure = (work: Promise<unknown>): Promise<{ code: unknown; constraint: unknown }> =>
    work.then(
      () => Promise.reject(new Error("it was allowed")),
      (error: unknown) => ({ code: sqlStateOf(error), constraint: constraintOf(error) }),
    );

  it("shows each persona its rows and no other tenant's, even where a child of another tenant is named", async () => {
    expect(await ids("student", "users")).toEqual([A.student]);
    expect((await ids("teacher", "users")).sort()).toEqual([A.student, A.teacher]);
    expect((await ids("parent", "users")).sort()).toEqual([A.student, A.parent]);
    expect(await ids("admin", "users")).toHaveLength(5);
    expect(await ids("student", "grades")).toHaveLength(1);
    expect(await ids("admin", "grades")).toHaveLength(2);
    expect(await ids("parent", "subjects")).toHaveLength(1);
  });

  it("grants only what some row class allows, and never TRUNCATE, REFERENCES or TRIGGER", async () => {
    const rows = await engine.executor().query<{ grantee: string; list: string }>(`
      SELECT coalesce(r.rolname, 'PUBLIC') AS grantee, c.relname || ': ' || string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) AS list
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
        pg_catalog.aclexplode(c.relacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
      WHERE n.nspname = ${literal(schema)} AND a.grantee <> c.relowner GROUP BY r.rolname, c.relname ORDER BY 1, 2`);
    const of = (role: string) =>
      rows.filter(({ grantee }) => grantee === role).map(({ list }) => list);
    expect(of("PUBLIC")).toEqual([]);
    expect(of(access.roles.student)).toEqual([
      "grades: SELECT",
      "standings: SELECT",
      "subjects: SELECT",
      "users: SELECT",
    ]);
    expect(of(access.roles.teacher)).toEqual([
      "audit_log: INSERT",
      "grades: INSERT SELECT UPDATE",
      "standings: SELECT",
      "subjects: SELECT",
      "teaching: SELECT",
      "users: SELECT",
    ]);
    expect(of(access.readerRole)).toEqual(["grades: SELECT", "teaching: SELECT", "users: SELECT"]);
    expect(of(access.migratorRole)).toContain("audit_log: DELETE INSERT SELECT UPDATE");
  });

  it("forces row security on every table, so that their owner sees nothing without a policy", async () => {
    expect(
      await engine.executor().query(`
        SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ${literal(schema)} AND c.relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)`),
    ).toEqual([]);
  });

  it("adds an index led by the tenant only where nothing else is led by it", async () => {
    expect(
      await engine.executor().query(`
        SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ${literal(schema)} AND c.relname LIKE '%of_policies'`),
    ).toEqual([{ name: "grades_tenant_id_of_policies" }]);
  });

  it("refuses a context that is missing, empty or malformed, each by its name", async () => {
    const read = (setting: string) =>
      failure(
        engine.executor().transaction(async (tx) => {
          await tx.query(`SET LOCAL ROLE ${ident(access.roles.admin)}; ${setting}`);
          await tx.query(`SELECT * FROM ${name("users")}`);
        }),
      );
    const user = `SELECT set_config('app.user_id', '${A.admin}', true)`;
    // A session in which the setting was never set knows nothing of it: after that it is empty.
    expect(["rls_context_missing", "rls_context_empty"]).toContain((await read(user)).constraint);
    for (const [value, constraint] of [
      ["", "rls_context_empty"],
      ["O'Brien", "rls_context_malformed"],
      [`${A.tenant}0`, "rls_context_malformed"],
      [`\\n${A.tenant}`, "rls_context_malformed"],
    ] as const)
      expect(
        await read(`${user}; SELECT set_config('app.tenant_id', ${literal(value)}, true)`),
      ).toEqual({ code: "42501", constraint });
  });

  it("answers in a parallel plan too, where an EXCEPTION block would be refused before 17", async () => {
    const plan = await as("admin", { tenant: A.tenant, user: A.admin }, async (db) => {
      await db.query(
        `SET LOCAL parallel_setup_cost TO 0; SET LOCAL parallel_tuple_cost TO 0; SET LOCAL min_parallel_table_scan_size TO 0;
         SET LOCAL enable_indexscan TO off; SET LOCAL enable_bitmapscan TO off; SET LOCAL enable_indexonlyscan TO off`,
      );
      const rows = await db.query<{ "QUERY PLAN": string }>(
        `EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM ${name("users")} WHERE name <> 'x'`,
      );
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    });
    if (engine.kind === "server") expect(plan).toContain("Gather");
    expect(plan).toContain("InitPlan");
  });

  it("writes no row of another tenant, and moves none there", async () => {
    const admin = { tenant: A.tenant, user: A.admin };
    const denied = { code: "42501", constraint: undefined };
    expect(
      await failure(
        as("admin", admin, (db) =>
          db.query(`INSERT INTO ${name("users")} (tenant_id, name) VALUES ('${B.tenant}', 'x')`),
        ),
      ),
    ).toEqual(denied);
    expect(
      await failure(
        as("admin", admin, (db) =>
          db.query(`UPDATE ${name("users")} SET tenant_id = '${B.tenant}' WHERE name = 'admin'`),
        ),
      ),
    ).toEqual(denied);
    expect(
      await as("admin", admin, (db) =>
        db.query(`UPDATE ${name("users")} SET name = 'mine' RETURNING tenant_id`),
      ),
    ).toHaveLength(5);
  });

  it("keeps append-only rows from everybody, the superuser included, and opens for the migrator who says so", async () => {
    const refused = { code: "42501", constraint: "append_only" };
    const audit = name("audit_log");
    const change = (statements: string) =>
      engine.executor().transaction(async (tx) => {
        await tx.query(statements);
        throw new Error("allowed");
      });
    for (const statement of [
      `UPDATE ${audit} SET what = ''`,
      `DELETE FROM ${audit}`,
      `TRUNCATE ${audit}`,
    ])
      expect(await failure(change(statement))).toEqual(refused);
    const migrator = `SET LOCAL ROLE ${ident(access.migratorRole)}`;
    expect(await failure(change(`${migrator}; DELETE FROM ${audit}`))).toEqual(refused);
    await expect(
      change(`${migrator}; SET LOCAL underpin.append_only TO 'off'; DELETE FROM ${audit}`),
    ).rejects.toThrow("allowed");
    expect(
      await as("teacher", { tenant: A.tenant, user: A.teacher }, (db) =>
        db.query(
          `SET LOCAL underpin.append_only TO 'off'; INSERT INTO ${audit} (tenant_id, actor_id, what) VALUES ('${A.tenant}', '${A.teacher}', 'x')`,
        ),
      ),
    ).toEqual([]);
  });

  it("shows the migrator every row, and the reader those that lookups and materialized views read", async () => {
    const count = (role: string, table: string) =>
      engine.executor().transaction(async (tx) => {
        await tx.query(`SET LOCAL ROLE ${ident(role)}`);
        return (await tx.query(`SELECT count(*)::int AS n FROM ${name(table)}`))[0]?.["n"];
      });
    expect(await count(access.migratorRole, "users")).toBe(10);
    expect(await count(access.readerRole, "users")).toBe(10);
    expect(await failure(count(access.readerRole, "audit_log"))).toMatchObject({ code: "42501" });
  });

  it("fills a materialized view as the reader, for the migrator too, and grants it to nobody", async () => {
    await engine.executor().transaction(async (tx) => {
      await tx.query(`SET LOCAL ROLE ${ident(access.migratorRole)}`);
      await tx.query(`SELECT ${name("refresh_totals")}()`);
    });
    expect(await engine.executor().query(`SELECT points::int FROM ${name("totals")}`)).toEqual([
      { points: 3 },
      { points: 3 },
    ]);
    expect(await failure(ids("admin", "totals"))).toMatchObject({ code: "42501" });
  });

  it("leaves the installing login outside of the reader", async () => {
    const [row] = await engine.executor().query(`
      SELECT count(*)::int AS n FROM pg_catalog.pg_auth_members
      WHERE roleid = ${literal(access.readerRole)}::regrole AND pg_catalog.pg_get_userbyid(member) = current_user AND NOT admin_option`);
    expect(row).toEqual({ n: 0 });
    const [create] = await engine
      .executor()
      .query(
        `SELECT has_schema_privilege(${literal(access.readerRole)}, ${literal(ident(schema))}::regnamespace::oid, 'CREATE') AS may`,
      );
    expect(create).toEqual({ may: false });
  });
});

/** Where a driver put the name of the constraint. */
function constraintOf(error: unknown): unknown {
  for (
    let at = error;
    typeof at === "object" && at !== null;
    at = (at as { cause?: unknown }).cause
  ) {
    const { constraint, constraint_name } = at as Record<string, unknown>;
    if (typeof constraint === "string") return constraint;
    if (typeof constraint_name === "string") return constraint_name;
  }
  return undefined;
}
