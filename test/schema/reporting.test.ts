import { is, sql } from "drizzle-orm";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import type { PGlite } from "@electric-sql/pglite";
import type { Sql } from "postgres";
import { beforeAll, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { apply } from "../../src/run/apply.ts";
import * as entry from "../../src/schema/reporting/index.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import { onEngines, type TestEngine } from "../support/server.ts";
import {
  domain,
  install,
  organizationOf,
  person,
  refusal,
  takenBack,
  uuid,
  type AnyDatabase,
} from "./reporting-world.ts";

const SCHEMA = 'we"ird Schema';

describe("the entry of the domain", () => {
  it("exports each table and the schema once, under its own name", () => {
    const tables = Object.entries(entry).filter(([, value]) => is(value, PgTable));
    expect(tables.map(([name]) => name).sort()).toEqual(
      Object.keys(domain.definition.tables)
        .filter((name) => name !== "reportingSchema")
        .sort(),
    );
    expect(entry.reportingSchema.schemaName).toBe("reporting");
    expect(entry.definition.name).toBe("reporting");
  });

  it("names every column, constraint and index itself", () => {
    for (const table of Object.values(domain.definition.tables)) {
      if (!is(table, PgTable)) continue;
      const { columns, indexes, primaryKeys, uniqueConstraints, foreignKeys, enableRLS } =
        getTableConfig(table);
      expect(enableRLS).toBe(true);
      expect(
        columns.filter(({ primary, isUnique, keyAsName }) => primary || isUnique || keyAsName),
      ).toEqual([]);
      expect(indexes.filter(({ config }) => config.name === undefined)).toEqual([]);
      expect(uniqueConstraints.filter(({ name }) => name === undefined)).toEqual([]);
      expect(primaryKeys.map((key) => key.getName())).toEqual([
        `${getTableConfig(table).name}_pkey`,
      ]);
      expect(foreignKeys.filter((key) => key.reference().name === undefined)).toEqual([]);
    }
  });
});

onEngines("the reporting platform", (engine) => {
  beforeAll(async () => {
    await install(engine.db(), domain.definition);
    await organizationOf(drizzleOf(engine), 1);
  });

  const rows = async (query: string): Promise<readonly Record<string, unknown>[]> =>
    engine.executor().query(query);

  it("installs, is verified without a finding, and goes without a trace", async () => {
    const own = entry.reporting({ schema: "gone", rolePrefix: "reporting_gone" }).definition;
    const before = await look(engine.db());
    await install(engine.db(), own);
    expect(await verify(engine.db(), own)).toEqual([]);
    const report = await apply(engine.db(), planUninstall(own));
    expect(report.failure).toBeUndefined();
    expect(compareCatalogs(before, await look(engine.db()))).toEqual([]);
  });

  it("has what the seed promises: ten tables, two of them by month, and what people sign in with apart", async () => {
    const kinds = await rows(`
      select c.relkind::text as kind, count(*)::int as n from pg_catalog.pg_class c
      where c.relnamespace = ${regnamespace} and not c.relispartition and c.relkind in ('r', 'p') group by 1 order by 1`);
    expect(kinds).toEqual([
      { kind: "p", n: 2 },
      { kind: "r", n: 9 },
    ]);
    const partitions = await rows(`
      select p.relname as parent, count(*)::int as n,
        bool_and(c.relrowsecurity and c.relforcerowsecurity) as forced
      from pg_catalog.pg_inherits i
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      join pg_catalog.pg_class p on p.oid = i.inhparent and p.relkind = 'p'
      where p.relnamespace = ${regnamespace} group by 1 order by 1`);
    // This month and the three after it.
    expect(partitions).toEqual([
      { parent: "audit_logs", n: 4, forced: true },
      { parent: "report_executions", n: 4, forced: true },
    ]);
  });

  it("keeps updated_at on five tables, and forces row security on all", async () => {
    const touched = await rows(`
      select c.relname as name from pg_catalog.pg_trigger t
      join pg_catalog.pg_class c on c.oid = t.tgrelid
      join pg_catalog.pg_proc p on p.oid = t.tgfoid
      where p.pronamespace = ${regnamespace} and p.proname = 'update_updated_at_column' order by 1`);
    expect(touched.map(({ name }) => name)).toEqual([
      "organizations",
      "reports",
      "template_fields",
      "templates",
      "users",
    ]);
    const open = await rows(`
      select c.relname from pg_catalog.pg_class c where c.relnamespace = ${regnamespace}
      and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)`);
    expect(open).toEqual([]);
  });

  it("has no index that another does as well, where the seed has four", async () => {
    const twice = (schema: string) => `
      select a.indexrelid::regclass::text as index from pg_catalog.pg_index a
      join pg_catalog.pg_class t on t.oid = a.indrelid and t.relnamespace = ${schema} and not t.relispartition
      where not a.indisunique and exists (
        select from pg_catalog.pg_index b
        where b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
        and b.indpred is not distinct from a.indpred and b.indexprs is not distinct from a.indexprs
        and (select relam from pg_catalog.pg_class where oid = b.indexrelid) = (select relam from pg_catalog.pg_class where oid = a.indexrelid)
        and (b.indkey::text = a.indkey::text or b.indkey::text like a.indkey::text || ' %'))`;
    expect(await rows(twice(regnamespace))).toEqual([]);
    await engine.executor().query("create schema as_written");
    for (const statement of [
      "create table as_written.organizations (id uuid primary key, name varchar(255) not null unique, slug varchar(100) not null unique)",
      "create index idx_organizations_slug on as_written.organizations (slug)",
      "create table as_written.users (id uuid primary key, email varchar(255) not null unique, username varchar(100) not null unique)",
      "create index idx_users_email on as_written.users (email)",
      "create index idx_users_username on as_written.users (username)",
      "create table as_written.templates (id uuid primary key, organization_id uuid, name text, version int, unique (organization_id, name, version))",
      "create index idx_templates_organization_id on as_written.templates (organization_id)",
    ])
      await engine.executor().query(statement);
    expect(await rows(twice("'as_written'::regnamespace"))).toHaveLength(4);
  });

  it("has an index for every foreign key", async () => {
    const bare = await rows(`
      select k.conname from pg_catalog.pg_constraint k
      join pg_catalog.pg_class t on t.oid = k.conrelid and t.relnamespace = ${regnamespace} and not t.relispartition
      where k.contype = 'f' and not exists (
        select from pg_catalog.pg_index i where i.indrelid = k.conrelid and i.indpred is null
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`);
    expect(bare).toEqual([]);
  });

  it("has the tenant in every key, and in every foreign key between tenants", async () => {
    const without = await rows(`
      select k.conname from pg_catalog.pg_constraint k
      join pg_catalog.pg_class t on t.oid = k.conrelid and t.relnamespace = ${regnamespace} and not t.relispartition
      where k.contype in ('p', 'u', 'f') and t.relname <> 'organizations'
      and not exists (select from pg_catalog.pg_attribute a where a.attrelid = k.conrelid
        and a.attnum = any (k.conkey) and a.attname = 'organization_id')`);
    expect(without).toEqual([]);
  });

  it("cannot be partitioned as the seed has it: neither the partition nor the key is legal", async () => {
    const refused = (...statements: readonly string[]) =>
      refusal(drizzleOf(engine), async (db) => {
        for (const statement of statements) await db.execute(sql.raw(statement));
      });
    // "executions" is not partitioned.
    expect(
      await refused(
        "create table as_written.executions (id uuid primary key, started_at timestamptz default now())",
        "create table as_written.executions_y2024m01 partition of as_written.executions for values from ('2024-01-01') to ('2024-02-01')",
      ),
    ).toBe("42P17");
    // The unique constraint on a partitioned table must include all partitioning columns.
    expect(
      await refused(
        "create table as_written.audit_logs (id uuid primary key, timestamp timestamptz default now()) partition by range (timestamp)",
      ),
    ).toBe("0A000");
  });

  it("takes an execution of any month that has a partition, and takes its log lines along", async () => {
    await takenBack(drizzleOf(engine), async (db) => {
      const month = sql.raw(`${ident(SCHEMA)}.provision_report_executions('2024-01-15')`);
      await db.execute(sql`select ${month}`);
      const startedAt = new Date("2024-01-15T14:30:00.123Z");
      const [execution] = await db
        .insert(domain.reportExecutions)
        .values({ ...execution1, startedAt })
        .returning({
          id: domain.reportExecutions.id,
          startedAt: domain.reportExecutions.startedAt,
        });
      expect(execution?.startedAt).toEqual(startedAt);
      await db.insert(domain.executionLogs).values({
        organizationId: execution1.organizationId,
        executionId: execution?.id ?? "",
        executionStartedAt: execution?.startedAt ?? new Date(0),
        message: "started",
      });
      const leaf = sql<string>`${domain.reportExecutions}.tableoid::regclass::text`;
      const [place] = await db.select({ leaf }).from(domain.reportExecutions);
      expect(place?.leaf).toContain("report_executions_2024_01");
      await db.delete(domain.reports);
      expect(await db.select().from(domain.executionLogs)).toEqual([]);
    });
  });

  it("would find the execution of a log line no more with microseconds, which a Date cuts off", async () => {
    const naive = await refusal(drizzleOf(engine), async (db) => {
      await db.execute(
        sql`create temp table executions (started_at timestamptz primary key) on commit drop`,
      );
      await db.execute(
        sql`create temp table logs (started_at timestamptz references executions) on commit drop`,
      );
      await db.execute(sql`insert into executions values ('2024-01-15 14:30:00.123456Z')`);
      const asRead = new Date("2024-01-15T14:30:00.123456Z").toISOString();
      await db.execute(sql`insert into logs values (${asRead}::timestamptz)`);
    });
    expect(naive).toBe("23503 logs_started_at_fkey");
  });

  it("takes an address once in an organization, in whatever letters, and again in another", async () => {
    await takenBack(drizzleOf(engine), async (db) => {
      const { id } = await organizationOf(db, 2);
      await db.insert(domain.users).values({ ...person("ada"), organizationId: id });
      const again = { ...person("other"), email: "ADA@Example.COM" };
      const into = (organizationId: string) => (at: AnyDatabase) =>
        at.insert(domain.users).values({ ...again, organizationId });
      expect(await refusal(db, into(id))).toBe("23505 users_email_key");
      expect(await refusal(db, into(uuid(1, 1)))).toBe("done");
    });
  });

  it("takes an address once everywhere where a host says so", async () => {
    const { definition, ...global } = entry.reporting({
      schema: "global",
      rolePrefix: "reporting_global",
      loginScope: "everywhere",
    });
    await install(engine.db(), definition);
    await takenBack(drizzleOf(engine), async (db) => {
      const organizations = [uuid(1, 1), uuid(1, 2)] as const;
      await db
        .insert(global.organizations)
        .values(organizations.map((id, at) => ({ id, name: `Org ${at}`, slug: `org-${at}` })));
      const [first, second] = organizations;
      await db.insert(global.users).values({ ...person("ada"), organizationId: first });
      const again = { ...person("other"), email: "ADA@example.com", organizationId: second };
      expect(await refusal(db, (at) => at.insert(global.users).values(again))).toBe(
        "23505 users_email_key",
      );
    });
    await apply(engine.db(), planUninstall(definition));
  });
});

const execution1 = {
  organizationId: uuid(1, 1),
  reportId: uuid(4, 1, 1),
  executedBy: uuid(2, 1, 1),
};

const regnamespace = `${literal(ident(SCHEMA)).trim()}::regnamespace`;

function drizzleOf(engine: TestEngine): AnyDatabase {
  return engine.kind === "pglite"
    ? drizzlePglite(engine.db() as PGlite)
    : drizzlePostgresJs(engine.db() as Sql);
}

async function look(db: DatabaseLike) {
  return canonical(await readFacts(db), { leaveOut: ["underpin"] });
}
