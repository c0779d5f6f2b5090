import { pgSchema, pgTable, primaryKey, uuid } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { combine, defineDatabase, pgFunction } from "../../src/index.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { snapshot } from "../../src/install/snapshot.ts";
import { verify } from "../../src/install/verify.ts";
import { defineAccess, tenant } from "../../src/rls/index.ts";
import { apply } from "../../src/run/apply.ts";
import { onEngines, type TestEngine } from "../support/server.ts";
import { shop } from "./shop.ts";

onEngines("a definition beside what the host has", (engine) => {
  const run = (sql: string) => engine.executor().query(sql);

  it("takes no name that is the host's", async () => {
    await run(
      "CREATE FUNCTION public.touch_host() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    );
    const theirs = pgTable("host_taken", { id: uuid("id").primaryKey() });
    const touch = pgFunction({
      name: "touch_host",
      returns: "trigger",
      language: "plpgsql",
      volatility: "volatile",
      body: "BEGIN NEW.id := NULL; RETURN NEW; END",
    });
    const definition = defineDatabase({ name: "taken", tables: { theirs }, objects: [touch] });
    expect(await ended(engine, definition, planInstall)).toMatch(
      /touch_host.+is taken by what is there/,
    );
    const [row] = await engine.executor().query<{
      body: string;
    }>("SELECT prosrc AS body FROM pg_catalog.pg_proc WHERE proname = 'touch_host'");
    expect(row?.body).toBe("BEGIN RETURN NEW; END");
  });

  it("is not uninstalled where the host's view needs it, and not a row is gone", async () => {
    const definition = shop("host_shop", "host_shop");
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    await run(`INSERT INTO host_shop.tenants (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'one');
      INSERT INTO host_shop.events (tenant_id) VALUES ('00000000-0000-4000-8000-000000000001');
      CREATE VIEW public.host_orders AS SELECT id FROM host_shop.orders`);
    expect(await ended(engine, definition, planUninstall)).toMatch(/view host_orders/);
    const [row] = await engine.executor().query<{ events: number; keys: number }>(
      `SELECT (SELECT count(*)::int FROM host_shop.events) AS events,
        (SELECT count(*)::int FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = 'host_shop.orders'::regclass) AS keys`,
    );
    expect(row).toEqual({ events: 1, keys: 1 });
    await run("DROP VIEW public.host_orders");
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });

  it("is not uninstalled where the host uses the type of its rows, or inherits from it", async () => {
    const definition = shop("host_rows", "host_rows");
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    for (const [make, named, drop] of [
      [
        "CREATE FUNCTION public.host_recent() RETURNS SETOF host_rows.orders LANGUAGE sql STABLE AS 'SELECT * FROM host_rows.orders'",
        /function host_recent/,
        "DROP FUNCTION public.host_recent",
      ],
      [
        "CREATE TABLE public.host_copies (one host_rows.orders, several host_rows.orders[])",
        /column one of table host_copies/,
        "DROP TABLE public.host_copies",
      ],
      [
        "CREATE TABLE public.host_child () INHERITS (host_rows.orders)",
        /table host_child/,
        "DROP TABLE public.host_child",
      ],
    ] as const) {
      await run(make);
      expect(await ended(engine, definition, planUninstall)).toMatch(named);
      await run(drop);
    }
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });

  it("is told of what was added to its tables and may refuse rows", async () => {
    const definition = shop("host_added", "host_added");
    const expected = await snapshot(definition);
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    await run(`ALTER TABLE host_added.orders ADD CONSTRAINT host_check CHECK (true), ADD COLUMN host_column integer NOT NULL, ADD COLUMN host_default integer NOT NULL DEFAULT 1, ADD COLUMN host_free integer;
      CREATE UNIQUE INDEX host_unique ON host_added.orders (host_free); CREATE INDEX host_index ON host_added.orders (host_free)`);
    const findings = await verify(engine.db(), definition, { expected });
    expect(findings.map(({ check, severity, object }) => [check, severity, object])).toEqual(
      [
        ["column-undeclared", 'column "host_column"'],
        ["constraint-undeclared", 'constraint "host_check"'],
        ["index-undeclared", 'index "host_unique"'],
      ].map(([check, object]) => [check, "warning", `${object} of table "host_added"."orders"`]),
    );
    await run(
      `ALTER TABLE host_added.orders DROP CONSTRAINT host_check, DROP COLUMN host_column, DROP COLUMN host_default, DROP COLUMN host_free`,
    );
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });

  it("keeps the append-only rows of a partition from a TRUNCATE by its name", async () => {
    const definition = shop("host_cut", "host_cut");
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    const [leaf] = await engine.executor().query<{
      name: string;
    }>(`SELECT inhrelid::regclass::text AS name FROM pg_catalog.pg_inherits WHERE inhparent = 'host_cut.events'::regclass ORDER BY 1 LIMIT 1`);
    await expect(run(`TRUNCATE ${leaf?.name ?? ""}`)).rejects.toThrow(/never changed or removed/);
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });

  it("may have dollar signs in its names", async () => {
    const definition = shop("host$$ $body$", "host_dollar");
    const expected = await snapshot(definition);
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    expect(await verify(engine.db(), definition, { expected })).toEqual([]);
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });

  it("leaves a role and a schema that were there before", async () => {
    await run(`DO $$ BEGIN CREATE ROLE host_kept_clerk NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
      CREATE SCHEMA host_kept`);
    const definition = shop("host_kept", "host_kept");
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
    const [row] = await engine.executor().query<{ kept: boolean; ours: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'host_kept_clerk')
         AND EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'host_kept') AS kept,
       EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'host_kept_owner') AS ours`,
    );
    expect(row).toEqual({ kept: true, ours: false });
    await run("DROP SCHEMA host_kept; DROP ROLE host_kept_clerk");
  });

  it("is looked at down to its partitions", async () => {
    const definition = shop("host_parts", "host_parts");
    const expected = await snapshot(definition);
    expect(await ended(engine, definition, planInstall)).toBe("applied");
    const [leaf] = await engine.executor().query<{
      name: string;
    }>(`SELECT inhrelid::regclass::text AS name FROM pg_catalog.pg_inherits WHERE inhparent = 'host_parts.events'::regclass ORDER BY 1 LIMIT 1`);
    const name = leaf?.name ?? "";
    for (const [check, sabotage] of [
      ["partition-trigger", `ALTER TABLE ${name} DISABLE TRIGGER append_only`],
      ["partition-trigger-missing", `DROP TRIGGER append_only_truncate ON ${name}`],
      [
        "partition-trigger-undeclared",
        `CREATE TRIGGER host_trigger BEFORE DELETE ON ${name} FOR EACH STATEMENT EXECUTE FUNCTION host_parts.refuse_change()`,
      ],
      ["partition-policy", `CREATE POLICY leak ON ${name} USING (true)`],
      ["partition-privileges", `GRANT TRUNCATE ON ${name} TO PUBLIC`],
      ["partition-owner", `ALTER TABLE ${name} OWNER TO host_parts_owner`],
      ["partition-row-security", `ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY`],
      ["role-membership", "GRANT host_parts_migrator TO host_parts_clerk"],
      ["role-powers", "ALTER ROLE host_parts_reader CREATEROLE"],
      ["partition-missing", `DROP TABLE ${name}`],
    ] as const) {
      await run(sabotage);
      const findings = await verify(engine.db(), definition, { expected });
      expect(
        findings.map((finding) => finding.check),
        sabotage,
      ).toContain(check);
      for (const { repair } of findings) if (repair !== null) await run(repair);
      expect(await verify(engine.db(), definition, { expected }), sabotage).toEqual([]);
    }
    expect(await ended(engine, definition, planUninstall)).toBe("applied");
  });
});

describe("combine", () => {
  it("refuses two accesses that would be one", () => {
    const domain = (name: string) => {
      const access = defineAccess({ schema: "both", tenantColumn: "firm", personas: ["admin"] });
      const both = pgSchema("both");
      const table = both
        .table(name, { firm: uuid("firm").notNull(), id: uuid("id").notNull() }, (t) => [
          primaryKey({ name: `${name}_pkey`, columns: [t.firm, t.id] }),
          ...access.rules(t, { select: { admin: tenant } }),
        ])
        .enableRLS();
      return defineDatabase({ name, tables: { both, table }, access });
    };
    expect(() => combine(domain("one"), domain("two"))).toThrow(
      "schema both holds the functions of two accesses",
    );
  });
});

async function ended(
  engine: TestEngine,
  definition: ReturnType<typeof shop>,
  make: typeof planInstall,
): Promise<string> {
  const { outcome, failure } = await apply(engine.db(), make(definition));
  return failure === undefined ? outcome : `${failure.message} ${JSON.stringify(failure)}`;
}
