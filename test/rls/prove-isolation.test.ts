import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planInstall } from "../../src/install/plan-install.ts";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Queryable } from "../../src/executor/executor.ts";
import type { Proof } from "../../src/rls/proof/proof.ts";
import { proveIsolation } from "../../src/rls/prove-isolation.ts";
import { apply } from "../../src/run/apply.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { ident } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import { school } from "./school.ts";

const SCHEMA = `we"ird Schema`;
const S = ident(SCHEMA);

onEngines("the proof of a small school", (engine) => {
  const made = school(SCHEMA, `proof_${randomBytes(4).toString("hex")}`);
  const db = () => engine.db();
  let proof: Proof;

  beforeAll(async () => {
    const report = await apply(db(), planInstall(made.definition));
    expect(report.outcome).toBe("applied");
    proof = await proveIsolation(db(), made.definition);
  });
  afterAll(async () => {
    const { roles, readerRole, migratorRole } = made.access;
    if (engine.server === undefined) return;
    for (const role of [...Object.values(roles), readerRole, migratorRole].map(ident))
      await engine.executor().query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });

  it("holds, and every mutation turns a cell red", () => {
    expect(proof.cells.filter(({ status }) => status !== "held")).toEqual([]);
    expect(proof.mutations.filter(({ status }) => status !== "shown")).toEqual([]);
    expect(proof.problems).toEqual([]);
    expect(proof.ok).toBe(true);
    expect(proof.score.total).toBeGreaterThan(130);
    expect(proof.score.byBehaviour).toBeGreaterThan(80);
  });

  it("puts every persona into every other, and into a third role that reaches everything", () => {
    const tried = proof.mutations.map(({ title, object }) => `${object}: ${title}`);
    for (const role of Object.values(made.access.roles)) {
      expect(tried).toContain(`role ${ident(role)}: let it in through a third role`);
      for (const other of Object.values(made.access.roles))
        if (other !== role)
          expect(tried).toContain(`role ${ident(role)}: put it into ${ident(other)}`);
    }
  });

  it("tries every persona in every context", () => {
    const tried = new Set(proof.cells.map(({ persona, context }) => `${persona} ${context}`));
    for (const persona of ["student", "teacher", "parent", "admin"])
      for (const context of [
        "right",
        "other tenant",
        "switched",
        "missing",
        "empty",
        "malformed",
        "leftover",
      ])
        expect(tried).toContain(`${persona} ${context}`);
  });

  it("says of a context that was never set that it is missing, and not that it is empty", () => {
    const told = (context: string) =>
      new Set(proof.cells.filter((cell) => cell.context === context).map(({ actual }) => actual));
    expect(told("missing")).toContain("refused rls_context_missing");
    expect(told("missing")).not.toContain("refused rls_context_empty");
    expect(told("empty")).toContain("refused rls_context_empty");
  });

  it("lets a student see its own grade and no other", () => {
    const of = (persona: string, command: string) =>
      proof.cells.find(
        (cell) =>
          cell.persona === persona &&
          cell.command === command &&
          cell.context === "right" &&
          cell.object === `table ${S}."grades"`,
      )?.expected;
    expect(of("student", "select")).toMatch(/^[12] of 8 rows$/);
    expect(of("student", "insert")).toBe("refused privilege");
    expect(of("admin", "select")).toBe("4 of 8 rows");
    expect(of("teacher", "update to another tenant")).toBe("refused policy");
  });

  it("asks for keys of another tenant and of nobody, and gets the same answer", () => {
    const pairs = proof.cells.filter(({ command }) => command.includes(": a key of "));
    expect(pairs.length).toBeGreaterThan(6);
    expect(pairs.some(({ actual }) => actual.startsWith("error 23503"))).toBe(true);
    expect(pairs.every(({ status }) => status === "held")).toBe(true);
  });

  it("leaves nothing behind", async () => {
    const [row] = await engine.executor().query<{ n: number; roles: number }>(`
      SELECT (SELECT count(*) FROM ${S}.users)::int AS n,
        (SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname LIKE 'underpin_proof%')::int AS roles`);
    expect(row).toEqual({ n: 0, roles: 0 });
  });

  it("makes the same rows from the same seed, and others from another", async () => {
    const quick = (seed: number) => proveIsolation(db(), made.definition, { mutate: false, seed });
    const [a, b, c] = [await quick(1), await quick(1), await quick(2)];
    const plain = ({ cells }: Proof) => JSON.stringify(cells);
    expect(plain(a)).toBe(plain(b));
    expect(c.ok).toBe(true);
  });

  it("holds with three tenants of six rows", async () => {
    const three = await proveIsolation(db(), made.definition, {
      mutate: false,
      tenants: 3,
      rowsPerTenant: 6,
    });
    expect(three.cells.filter(({ status }) => status !== "held")).toEqual([]);
    expect(three.rows[`table ${S}."users"`]).toBe(18);
  });
});

describe("a proof of what is broken", () => {
  const made = school("app", "broken");
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await bootSandbox();
    await apply(sandbox.client, planInstall(made.definition));
  });
  afterAll(() => sandbox.close());

  /** What is red after a change, which is taken back by another. */
  async function redAfter(change: string, back: string): Promise<readonly string[]> {
    const db: Queryable = sandbox.executor;
    await db.query(change);
    const proof = await proveIsolation(sandbox.client, made.definition, { mutate: false });
    await db.query(back);
    expect(proof.ok).toBe(false);
    return proof.cells
      .filter(({ status }) => status !== "held")
      .map(({ persona, command, object }) => `${persona}: ${command} of ${object}`);
  }

  it("names who sees what through a policy that is true for all", async () => {
    const red = await redAfter(
      "ALTER POLICY student_select ON app.grades USING (true)",
      "ALTER POLICY student_select ON app.grades USING (student_id = (SELECT app.current_user_id()))",
    );
    expect(red).toContain(`student: select of table "app"."grades"`);
    expect(red).toContain(`catalog: row security, policies and privileges of table "app"."grades"`);
  });

  it("names the unique key that tells what other tenants have", async () => {
    const red = await redAfter(
      "CREATE UNIQUE INDEX oracle ON app.grades (id)",
      "DROP INDEX app.oracle",
    );
    expect(red).toContainEqual(
      expect.stringMatching(/unique key oracle: a key of another tenant of table "app"\."grades"$/),
    );
  });

  it("names the foreign key that reaches another tenant", async () => {
    const red = await redAfter(
      `ALTER TABLE app.users ADD CONSTRAINT by_id UNIQUE (id); ALTER TABLE app.grades DROP CONSTRAINT grades_student_fk;
       ALTER TABLE app.grades ADD CONSTRAINT grades_student_fk FOREIGN KEY (student_id) REFERENCES app.users (id)`,
      `ALTER TABLE app.grades DROP CONSTRAINT grades_student_fk; ALTER TABLE app.users DROP CONSTRAINT by_id;
       ALTER TABLE app.grades ADD CONSTRAINT grades_student_fk FOREIGN KEY (tenant_id, student_id) REFERENCES app.users (tenant_id, id)`,
    );
    expect(red).toContainEqual(
      expect.stringMatching(
        /foreign key grades_student_fk: a key of another tenant of table "app"\."grades"$/,
      ),
    );
  });

  it("names a relation and a function that nobody declared", async () => {
    const red = await redAfter(
      `CREATE TABLE app.copy AS SELECT * FROM app.grades; GRANT SELECT ON app.copy TO broken_student;
       CREATE FUNCTION app.everything() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM app.grades'`,
      "DROP TABLE app.copy; DROP FUNCTION app.everything()",
    );
    expect(red).toEqual(["catalog: reachable of everything"]);
  });

  it("names a view that reads as its owner", async () => {
    const red = await redAfter(
      "ALTER VIEW app.standings SET (security_invoker = false)",
      "ALTER VIEW app.standings SET (security_invoker = true)",
    );
    expect(red).toContain(`student: select of view "app"."standings"`);
  });

  it("is vacuous where a table has no rows", async () => {
    await sandbox.executor.query(
      "ALTER TABLE app.grades ADD CONSTRAINT never CHECK (points < 0 AND points > 0)",
    );
    const proof = await proveIsolation(sandbox.client, made.definition, { mutate: false });
    expect(proof.ok).toBe(false);
    expect(proof.problems).toEqual([
      expect.stringMatching(
        /^table "app"\."grades": 23514 .* "never"; give its values by generate$/,
      ),
    ]);
    const grades = proof.cells.filter(
      ({ object, status }) => object === `table "app"."grades"` && status === "vacuous",
    );
    expect(grades.length).toBeGreaterThan(10);
    await sandbox.executor.query("ALTER TABLE app.grades DROP CONSTRAINT never");
  });

  it("takes values that cannot be guessed from the caller", async () => {
    await sandbox.executor.query(
      "ALTER TABLE app.grades ADD CONSTRAINT odd CHECK (md5(points::text) LIKE '%f5')",
    );
    const fits = async (): Promise<string> => {
      const [row] = await sandbox.executor.query<{ n: string }>(
        "SELECT n::text FROM generate_series(100, 100000) AS n WHERE md5(n::text) LIKE '%f5' LIMIT 1",
      );
      return row?.n ?? "";
    };
    const points = await fits();
    const without = await proveIsolation(sandbox.client, made.definition, { mutate: false });
    expect(without.problems.length).toBeGreaterThan(0);
    const proof = await proveIsolation(sandbox.client, made.definition, {
      mutate: false,
      generate: { grades: () => ({ points }) },
    });
    expect(proof.problems).toEqual([]);
    expect(proof.ok).toBe(true);
    await sandbox.executor.query("ALTER TABLE app.grades DROP CONSTRAINT odd");
  });

  it("is refused where there is nothing to prove, or nothing to prove it with", async () => {
    await expect(
      proveIsolation(sandbox.client, defineDatabase({ name: "none", tables: {} })),
    ).rejects.toThrow('the definition "none" declares no access');
    await expect(
      proveIsolation(sandbox.client, school("elsewhere", "broken").definition),
    ).rejects.toThrow(/"elsewhere"\."subjects" of "school" is not in the database/);
    await sandbox.client.exec("CREATE ROLE plain; SET ROLE plain");
    await expect(proveIsolation(sandbox.client, made.definition)).rejects.toThrow(
      "plain is no superuser",
    );
    await sandbox.client.exec("RESET ROLE");
  });

  it("is red, and no failure, where what policies call is gone", async () => {
    await sandbox.executor.query("DROP FUNCTION app.current_user_id() CASCADE");
    const proof = await proveIsolation(sandbox.client, made.definition, { mutate: false });
    const red = proof.cells.find(
      ({ object, persona }) => object === `table "app"."grades"` && persona === "catalog",
    );
    expect(red?.reason).toMatch(/^what is declared cannot be written: error 42883 /);
  });
});
