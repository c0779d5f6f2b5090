import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { defineAccess } from "../../src/rls/index.ts";
import { CHECKS, type CheckId, type Findings } from "../../src/rls/audit/finding.ts";
import { findingsJson, findingsSarif, findingsText } from "../../src/rls/audit/present.ts";
import { auditOf, auditRls, type AuditOptions } from "../../src/rls/audit-rls.ts";
import type { Executor, Queryable } from "../../src/executor/executor.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { CLEAN, FLOOR, S, SCHEMA } from "./audit-fixture.ts";
import { SABOTAGE } from "./audit-sabotage.ts";

/** What is found besides, because one fault is several. */
const isOf = (id: CheckId, object: string) => (each: Findings[number]) =>
  each.check === id && each.object === object;

let sandbox: Sandbox;
let executor: Executor;

beforeAll(async () => {
  const { btree_gist } = await import("@electric-sql/pglite/contrib/btree_gist");
  const { unaccent } = await import("@electric-sql/pglite/contrib/unaccent");
  sandbox = await bootSandbox({ extensions: { btree_gist, unaccent } });
  executor = sandbox.executor;
  await executor.query(CLEAN);
}, 60_000);
afterAll(() => sandbox.close());

async function rolledBack<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
  const done: T[] = [];
  const back = new Error("back");
  await executor
    .transaction(async (db) => {
      done.push(await work(db));
      throw back;
    })
    .catch((error: unknown) => {
      if (error !== back) throw error;
    });
  return done[0] as T;
}

const OPTIONS: AuditOptions = { schemas: [SCHEMA, "public", "auth"] };

describe("an audit of row security", () => {
  it("finds nothing in a database that the library would make", async () => {
    expect(await auditRls(sandbox.client)).toEqual([]);
  });

  it.each(Object.entries(SABOTAGE) as [CheckId, readonly [string, string]][])(
    "finds %s, and its fix mends it",
    async (id, [sql, object]) => {
      await rolledBack(async (db) => {
        await db.query(sql);
        const found = await auditOf(db, OPTIONS);
        const one = found.find(isOf(id, object));
        expect(one, JSON.stringify(found, null, 1)).toBeDefined();
        expect(one?.severity).toBe(CHECKS[id][0]);
        if (id === "extension_outdated") {
          expect(one?.repair).toBe(`ALTER EXTENSION "unaccent" UPDATE`);
          return;
        }
        await db.query(one?.repair ?? "");
        const rest = await auditOf(db, OPTIONS);
        expect(rest.filter(({ check }) => check === id)).toEqual([]);
      });
    },
  );

  it("leaves out what is accepted, object by object", async () => {
    await rolledBack(async (db) => {
      await db.query(`CREATE TABLE ${S}.heap (n int); CREATE TABLE ${S}.other (n int)`);
      const accept = [
        { check: "no_primary_key", object: `table ${S}."heap"`, reason: "a log" },
      ] as const;
      const found = await auditOf(db, { ...OPTIONS, accept });
      expect(found.map(({ object }) => object)).toEqual([`table ${S}."other"`]);
    });
  });

  it("finds every membership of a persona that is declared, and the REVOKE that takes each away", async () => {
    const access = defineAccess({ schema: "audit", tenantColumn: "x", personas: ["cl'erk"] });
    const definition = defineDatabase({ name: "audit", tables: {}, access });
    await rolledBack(async (db) => {
      await db.query(
        `CREATE ROLE "audit_cl'erk"; CREATE ROLE giver; CREATE ROLE above; GRANT boss TO above; GRANT above TO giver WITH ADMIN OPTION;
         GRANT above TO "audit_cl'erk"; GRANT above TO "audit_cl'erk" GRANTED BY giver`,
      );
      const ofRoles = async (options: AuditOptions) =>
        (await auditOf(db, { ...OPTIONS, ...options })).filter(
          ({ check }) => check === "persona_widened",
        );
      expect(await ofRoles({})).toEqual([]);
      const [found] = await ofRoles({ definition });
      expect(found).toMatchObject({
        object: `role "audit_cl'erk"`,
        message: expect.stringContaining("what above and boss may") as unknown,
      });
      await db.query(found?.repair ?? "");
      expect(await ofRoles({ definition })).toEqual([]);
    });
  });

  it("takes the tenant from an option where no policy tells", async () => {
    await rolledBack(async (db) => {
      await db.query(`
        CREATE TABLE ${S}.logs (firm uuid, n int PRIMARY KEY);
        ALTER TABLE ${S}.logs ENABLE ROW LEVEL SECURITY; ALTER TABLE ${S}.logs FORCE ROW LEVEL SECURITY`);
      expect(await auditOf(db, OPTIONS)).toEqual([]);
      const found = await auditOf(db, { ...OPTIONS, tenantColumns: ["firm"] });
      expect(found.map(({ check }) => check)).toEqual(["tenant_nullable", "tenant_not_indexed"]);
    });
  });

  it("does not take a call with a column, a wrapped call or a name within a text for a call per row", async () => {
    await rolledBack(async (db) => {
      await db.query(`
        ALTER POLICY clerk_update ON ${S}.orders USING (
          owner_id = (SELECT ${S}.current_user_id()) AND lower(note) <> 'current_setting(' AND
          owner_id = ANY ((SELECT ${S}.my_orders())::uuid[]))`);
      expect(await auditOf(db, OPTIONS)).toEqual([]);
    });
  });

  const leaky = async (db: Queryable) =>
    (await auditOf(db, OPTIONS))
      .filter(({ check }) => check === "filter_not_leakproof")
      .map(({ object }) => object);

  it("takes an operator for leaking by the types that it compares, not by its family", async () => {
    await rolledBack(async (db) => {
      await db.query(`
        CREATE TYPE ${S}.mood AS ENUM ('good');
        ALTER TABLE ${S}.orders ADD at timestamptz, ADD day timestamp, ADD mood ${S}.mood, ADD paid numeric;
        CREATE INDEX by_at ON ${S}.orders (at); CREATE INDEX by_day ON ${S}.orders (day);
        CREATE INDEX by_note ON ${S}.orders (note); CREATE INDEX by_hash ON ${S}.orders USING hash (note);
        CREATE INDEX by_mood ON ${S}.orders (mood); CREATE INDEX by_paid ON ${S}.orders (paid)`);
      expect(await leaky(db)).toEqual([`index ${S}."by_mood"`, `index ${S}."by_paid"`]);
    });
  });

  it("lets an index be where every row may be read, or none by who is not trusted", async () => {
    await rolledBack(async (db) => {
      await db.query(`
        ALTER TABLE ${S}.colours ADD shades jsonb; CREATE INDEX search ON ${S}.colours USING gin (shades);
        CREATE TABLE ${S}.jobs (tenant_id uuid NOT NULL, id int, done jsonb, PRIMARY KEY (tenant_id, id));
        CREATE INDEX jobs_done ON ${S}.jobs USING gin (done);
        ALTER TABLE ${S}.jobs ENABLE ROW LEVEL SECURITY; ALTER TABLE ${S}.jobs FORCE ROW LEVEL SECURITY;
        CREATE POLICY migrator ON ${S}.jobs TO underpin_migrator USING (true) WITH CHECK (true);
        GRANT SELECT, INSERT, UPDATE, DELETE ON ${S}.jobs TO underpin_migrator`);
      expect(await leaky(db)).toEqual([]);
      await db.query(`
        ALTER POLICY everyone ON ${S}.colours USING (name <> 'puce');
        CREATE POLICY clerk ON ${S}.jobs FOR SELECT TO clerk USING (${FLOOR}); GRANT SELECT ON ${S}.jobs TO clerk`);
      expect(await leaky(db)).toEqual([`index ${S}."jobs_done"`, `index ${S}."search"`]);
    });
  });

  it("finds an exclusion constraint across tenants, and its fix holds it within one", async () => {
    await rolledBack(async (db) => {
      await db.query(`
        CREATE EXTENSION btree_gist SCHEMA ${S};
        ALTER TABLE ${S}.orders ADD during int4range;
        ALTER TABLE ${S}.orders ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&)`);
      const oracles = async () =>
        (await auditOf(db, OPTIONS)).filter(({ check }) => check === "unique_oracle");
      const [found, ...rest] = await oracles();
      expect(rest).toEqual([]);
      expect(found?.object).toBe(`index ${S}."one_at_a_time"`);
      await db.query(found?.repair ?? "");
      expect(await oracles()).toEqual([]);
    });
  });

  it("sees that a procedure which commits pins its path within, and mends one that does not", async () => {
    const make = (body: string) => `
      CREATE PROCEDURE ${S}.sweep() LANGUAGE plpgsql AS $$ DECLARE n int := 0; BEGIN ${body} END $$;
      REVOKE ALL ON PROCEDURE ${S}.sweep() FROM PUBLIC`;
    const pin = "SET LOCAL search_path TO '';";
    const found = async () =>
      (await auditOf(executor, OPTIONS)).filter(({ check }) => check === "search_path_mutable");
    try {
      for (const body of [
        `${pin} COMMIT; ${pin} n := 1; COMMIT;`,
        `${pin} LOOP COMMIT; ${pin} EXIT; END LOOP;`,
      ]) {
        await executor.query(make(body));
        expect(await found()).toEqual([]);
        await executor.query(`DROP PROCEDURE ${S}.sweep()`);
      }
      await executor.query(make(`${pin} LOOP n := n + 1; COMMIT; EXIT WHEN n > 2; END LOOP;`));
      const [finding] = await found();
      expect(finding?.object).toBe(`function ${S}."sweep"()`);
      await executor.query(finding?.repair ?? "");
      expect(await found()).toEqual([]);
      // With a setting of its own it could not commit any more (2D000).
      await executor.query(`CALL ${S}.sweep()`);
    } finally {
      await executor.query(`DROP PROCEDURE IF EXISTS ${S}.sweep()`);
    }
  });
});

describe("its findings", () => {
  const findings: Findings = [
    {
      check: "rls_not_forced",
      severity: "error",
      object: `table "app"."orders"`,
      message: "Its owner sees all rows.",
      repair: `ALTER TABLE "app"."orders" FORCE ROW LEVEL SECURITY`,
    },
    {
      check: "no_primary_key",
      severity: "info",
      object: `table "app"."logs"`,
      message: "Two rows may be equal.",
      repair: "SELECT 1;\nSELECT 2",
    },
  ];

  it("are text for people", () => {
    expect(findingsText(findings)).toMatchInlineSnapshot(`
      "error rls_not_forced: table "app"."orders"
        Row security does not bind the owner of the table. Its owner sees all rows.
          ALTER TABLE "app"."orders" FORCE ROW LEVEL SECURITY;
      info no_primary_key: table "app"."logs"
        A table has no primary key. Two rows may be equal.
          SELECT 1;
          SELECT 2;
      1 error, 1 info
      "
    `);
    expect(findingsText([])).toBe("Nothing found.\n");
  });

  it("are JSON for programs", () => {
    expect(JSON.parse(findingsJson(findings))).toEqual({ version: 1, findings });
  });

  it("are SARIF for code hosts, with a rule for each check", () => {
    const { version, runs } = JSON.parse(findingsSarif(findings, { artifact: "src/db.ts" })) as {
      version: string;
      runs: {
        tool: { driver: { rules: { id: string }[] } };
        results: {
          ruleId: string;
          ruleIndex: number;
          level: string;
          locations: { physicalLocation: { artifactLocation: { uri: string } } }[];
        }[];
      }[];
    };
    const [run] = runs;
    expect(version).toBe("2.1.0");
    expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual([
      "no_primary_key",
      "rls_not_forced",
    ]);
    expect(run?.results.map(({ level, ruleIndex }) => [level, ruleIndex])).toEqual([
      ["error", 1],
      ["note", 0],
    ]);
    expect(run?.results[0]?.locations[0]?.physicalLocation.artifactLocation.uri).toBe("src/db.ts");
  });
});
