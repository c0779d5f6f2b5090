// Long because: one installation is looked at from every side, on every engine.
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { eq, is, sql } from "drizzle-orm";
import { getTableConfig, isPgEnum, PgTable, PgView } from "drizzle-orm/pg-core";
import { beforeAll, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { accessFaults } from "../../src/definition/access-faults.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { apply } from "../../src/run/apply.ts";
import * as entry from "../../src/schema/project-reports/index.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import {
  as,
  domain,
  drizzleOf,
  hostSql,
  install,
  people,
  projectOf,
  projects,
  refusal,
  reportOf,
  rowsOf,
  SCHEMA,
  takenBack,
  team,
  type AnyDatabase,
  type Persona,
} from "./project-reports-world.ts";

const ENUMS = [
  "ai_insight_category",
  "ai_insight_priority",
  "ai_insight_type",
  "change_event_type",
  "collaboration_action_type",
  "distribution_method",
  "distribution_status",
  "export_format",
  "export_job_status",
  "participant_role",
  "pmr_status",
  "pmr_template_type",
  "session_type",
  "validation_status",
];

const TABLES = [
  "ai_insights",
  "collaboration_sessions",
  "edit_sessions",
  "export_jobs",
  "pmr_change_events",
  "pmr_collaboration",
  "pmr_comments",
  "pmr_distribution_log",
  "pmr_reports",
  "pmr_templates",
];

const VIEWS = [
  "active_collaboration_sessions",
  "active_edit_sessions",
  "ai_insights_performance",
  "export_jobs_status",
  "pmr_dashboard_summary",
  "pmr_template_analytics",
  "report_collaboration_activity",
];

const regnamespace = `${literal(ident(SCHEMA)).trim()}::regnamespace`;

describe("the entry of the domain", () => {
  it("exports every table, view, enum and schema of the definition once, under its own name", () => {
    const exported = Object.entries(entry)
      .filter(([, value]) => is(value, PgTable) || is(value, PgView) || isPgEnum(value))
      .map(([name]) => name);
    const declared = Object.entries(entry.definition.tables)
      .filter(([name]) => !name.endsWith("Schema"))
      .map(([name]) => name);
    expect(exported.sort()).toEqual(declared.sort());
    for (const [name, value] of Object.entries(entry.definition.tables))
      expect(Object.entries(entry)).toContainEqual([name, value]);
  });

  it("names every column, constraint and index itself", () => {
    for (const table of Object.values(entry.definition.tables)) {
      if (!is(table, PgTable)) continue;
      const { columns, indexes, primaryKeys, uniqueConstraints, foreignKeys, enableRLS } =
        getTableConfig(table);
      expect(enableRLS).toBe(true);
      expect(
        columns.filter((column) => column.primary || column.isUnique || column.keyAsName),
      ).toEqual([]);
      expect(indexes.filter(({ config }) => config.name === undefined)).toEqual([]);
      expect(uniqueConstraints.filter(({ name }) => name === undefined)).toEqual([]);
      expect(primaryKeys.map((key) => key.getName())).toEqual([
        `${getTableConfig(table).name}_pkey`,
      ]);
      expect(foreignKeys.filter((key) => key.reference().name === undefined)).toEqual([]);
    }
  });

  it("has no fault in its access, bound or with what stands in for a host", () => {
    expect(accessFaults(domain.definition)).toEqual([]);
    expect(accessFaults(entry.definition)).toEqual([]);
  });
});

describe("binding", () => {
  const bound = (rest: object = {}) => ({
    projects: projects.id,
    users: people.id,
    members: { projectId: team.projectId, userId: team.personId },
    ...rest,
  });

  it("refuses columns of two tables as members", () => {
    expect(() =>
      entry.projectReports({
        ...bound(),
        members: { projectId: projects.id, userId: team.personId },
      }),
    ).toThrow(/columns of two tables/);
  });

  it("is a compile error where a column is no uuid", () => {
    // @ts-expect-error mail is text
    const users = entry.projectReports({ ...bound(), users: people.mail });
    // @ts-expect-error mail is text
    const simulations = entry.projectReports({ ...bound(), simulations: people.mail });
    for (const { definition } of [users, simulations])
      expect(() => planInstall(definition)).toThrow(/points to/);
  });

  it("does without simulations", () => {
    const { pmrReports } = entry.projectReports({ ...bound(), schema: "without" });
    const names = getTableConfig(pmrReports).foreignKeys.map((key) => key.getName());
    expect(names).not.toContain("pmr_reports_simulation_fkey");
    expect(getTableConfig(domain.pmrReports).foreignKeys).toHaveLength(names.length + 1);
  });

  it("points to simulations by their id, or by project and id where the host has that key", () => {
    const columnsOf = (table: PgTable) =>
      getTableConfig(table)
        .foreignKeys.filter((key) => key.getName() === "pmr_reports_simulation_fkey")
        .map((key) => key.reference().columns.map(({ name }) => name));
    expect(columnsOf(domain.pmrReports)).toEqual([["monte_carlo_simulation_id"]]);
    expect(columnsOf(entry.pmrReports)).toEqual([["project_id", "monte_carlo_simulation_id"]]);
  });

  it("makes plain tables and enums for public", () => {
    const plain = entry.projectReports({ ...bound(), schema: "public", rolePrefix: "pmr_public" });
    expect(getTableConfig(plain.pmrReports).schema).toBeUndefined();
    expect(plain.pmrStatus.schema).toBeUndefined();
    expect(accessFaults(plain.definition)).toEqual([]);
  });
});

onEngines(
  "project reports",
  (engine) => {
    beforeAll(async () => {
      await engine.executor().query(hostSql);
      await install(engine.db(), domain.definition);
      await projectOf(drizzleOf(engine), 1);
    });

    const rows = (query: string) => rowsOf(drizzleOf(engine), query);
    const names = async (query: string) => (await rows(query)).map(({ name }) => name);

    it("are verified without a finding", async () => {
      expect(await verify(engine.db(), domain.definition)).toEqual([]);
    });

    it("install with what stands in for a host, and go without a trace", async () => {
      const before = await look(engine.db());
      await install(engine.db(), entry.definition);
      expect(await verify(engine.db(), entry.definition)).toEqual([]);
      const report = await apply(engine.db(), planUninstall(entry.definition));
      expect(report.failure).toBeUndefined();
      expect(compareCatalogs(before, await look(engine.db()))).toEqual([]);
    });

    it("have ten tables, seven views that ask as the reader, and fourteen enums, where the seed counts twelve", async () => {
      const kind = (relkind: string) =>
        names(
          `select relname as name from pg_catalog.pg_class where relnamespace = ${regnamespace} and relkind = '${relkind}' order by 1`,
        );
      expect(await kind("r")).toEqual(TABLES);
      expect(await kind("v")).toEqual(VIEWS);
      expect(
        await names(`select relname as name from pg_catalog.pg_class where relnamespace = ${regnamespace}
          and relkind = 'v' and not 'security_invoker=true' = any (reloptions)`),
      ).toEqual([]);
      expect(
        await names(
          `select typname as name from pg_catalog.pg_type where typnamespace = ${regnamespace} and typtype = 'e' order by 1`,
        ),
      ).toEqual(ENUMS);
    });

    it("have the ten functions with the arguments of the seed, none of which runs as its owner or for PUBLIC", async () => {
      const functions = await rows(`
        select p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' as name from pg_catalog.pg_proc p
        where p.pronamespace = ${regnamespace} and p.prorettype <> 'trigger'::regtype and not p.prosecdef
        and p.proname !~ '^current_' order by 1`);
      expect(functions.map(({ name }) => name)).toEqual([
        "archive_old_pmr_reports(integer)",
        "calculate_pmr_completeness(uuid)",
        "cleanup_old_collaboration_sessions(integer)",
        "cleanup_old_edit_sessions(integer)",
        "get_active_collaborators(uuid)",
        "get_ai_insights_summary(uuid)",
        "get_export_job_statistics(integer)",
        "get_latest_pmr_report(uuid)",
        "get_unresolved_comments(uuid)",
        "pmr_maintenance_job()",
      ]);
      expect(
        await names(`
          select p.proname as name from pg_catalog.pg_proc p where p.pronamespace = ${regnamespace}
          and (p.proacl is null or exists (select from pg_catalog.aclexplode(p.proacl) a where a.grantee = 0)
            or not exists (select from pg_catalog.unnest(p.proconfig) c where c like 'search_path=%'))`),
      ).toEqual([]);
    });

    it("have fifty indexes and more beside those of the keys, none of which another makes useless", async () => {
      const [count] = await rows(`
        select count(*)::int as n from pg_catalog.pg_index i join pg_catalog.pg_class t on t.oid = i.indrelid
        where t.relnamespace = ${regnamespace} and i.indisvalid
        and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))`);
      expect(count?.n).toBe(58);
      const twice = await names(`
        select a.indexrelid::regclass::text as name from pg_catalog.pg_index a
        join pg_catalog.pg_class t on t.oid = a.indrelid and t.relnamespace = ${regnamespace}
        where not a.indisunique and exists (
          select from pg_catalog.pg_index b
          where b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
          and (b.indpred is null or pg_get_expr(b.indpred, b.indrelid) = pg_get_expr(a.indpred, a.indrelid))
          and (b.indkey::text = a.indkey::text or b.indkey::text like a.indkey::text || ' %')
          and (select relam from pg_catalog.pg_class where oid = b.indexrelid) = (select relam from pg_catalog.pg_class where oid = a.indexrelid)
          and (a.indpred is null or b.indpred is not null))`);
      expect(twice).toEqual([]);
    });

    it("have an index that begins with the columns of each foreign key", async () => {
      const bare = await names(`
        select k.conname as name from pg_catalog.pg_constraint k
        join pg_catalog.pg_class t on t.oid = k.conrelid and t.relnamespace = ${regnamespace}
        where k.contype = 'f' and not exists (
          select from pg_catalog.pg_index i where i.indrelid = k.conrelid and i.indpred is null
          and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`);
      expect(bare).toEqual([]);
    });

    it("force row security on every table, each with policies", async () => {
      const open = await names(`
        select c.relname as name from pg_catalog.pg_class c where c.relnamespace = ${regnamespace} and c.relkind = 'r'
        and not (c.relrowsecurity and c.relforcerowsecurity
          and exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid))`);
      expect(open).toEqual([]);
    });

    it("touch the eight tables that change, guard eight, and let the two of the audit trail be", async () => {
      const of = (pattern: string) =>
        names(`select c.relname as name from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
          where c.relnamespace = ${regnamespace} and not t.tgisinternal and t.tgname ~ '${pattern}' order by 1`);
      const trail = ["pmr_change_events", "pmr_collaboration"];
      const changing = TABLES.filter((table) => !trail.includes(table));
      expect(await of("_touch$")).toEqual(changing);
      expect(await of("_guard$")).toEqual(changing);
      expect(await of("^append_only$")).toEqual(trail);
    });

    it("bring four templates, again only where one is missing", async () => {
      const table = qualified(SCHEMA, "pmr_templates");
      expect(await names(`select name from ${table} order by 1`)).toEqual([
        "Executive summary",
        "Financial review",
        "Standard monthly report",
        "Technical report",
      ]);
    });

    it("are refused by name where the host lacks its tables", async () => {
      const elsewhere = entry.projectReports({
        projects: entry.projects.id,
        users: entry.users.id,
        members: {
          projectId: entry.projectMembers.projectId,
          userId: entry.projectMembers.userId,
        },
        simulations: entry.monteCarloSimulations,
        schema: "elsewhere",
      });
      const { outcome, failure } = await apply(engine.db(), planInstall(elsewhere.definition));
      expect(outcome).not.toBe("applied");
      for (const table of ["projects", "project_members", "monte_carlo_simulations"])
        expect(JSON.stringify(failure)).toContain(table);
      expect(JSON.stringify(failure)).toContain("users");
      expect(
        await names(
          `select nspname as name from pg_catalog.pg_namespace where nspname = 'elsewhere'`,
        ),
      ).toEqual([]);
    });

    it("find a template by a part of its name through the trigram index, whoever asks", async () => {
      for (const persona of ["manager", "member", "viewer", "system"] as const)
        expect(await searchPlan(drizzleOf(engine), persona)).toContain(
          "pmr_templates_name_trigram",
        );
    });

    it("would read all templates if a policy showed some only, since LIKE is not leakproof", async () => {
      await takenBack(drizzleOf(engine), async (db) => {
        const table = qualified(SCHEMA, "pmr_templates");
        await db.execute(sql.raw(`drop policy "viewer_select" on ${table}`));
        await db.execute(
          sql.raw(
            `create policy naive on ${table} for select to pmr_test_viewer using (is_active)`,
          ),
        );
        expect(await searchPlan(db, "viewer")).not.toContain("pmr_templates_name_trigram");
      });
    });

    it("name the operator class with its schema, without which CREATE INDEX finds none", async () => {
      const { generateDrizzleJson, generateMigration } = await import("drizzle-kit/api");
      const statements = await generateMigration(
        generateDrizzleJson({}),
        generateDrizzleJson({ ...entry }),
      );
      const trigram = statements.find((text) => text.includes("pmr_templates_name_trigram")) ?? "";
      const here = (text: string) =>
        text.replace('"project_reports"', ident(SCHEMA)).replace("name_trigram", "name_again");
      expect(trigram).toContain('"extensions".gin_trgm_ops');
      expect(await refusal(drizzleOf(engine), (db) => db.execute(sql.raw(here(trigram))))).toBe(
        "done",
      );
      const bare = here(trigram).replace('"extensions".', "");
      expect(await refusal(drizzleOf(engine), (db) => db.execute(sql.raw(bare)))).toBe("42704");
    });

    it("count every edit of ten editors at once", async () => {
      const editors = Array.from({ length: 10 }, (_, at) => at);
      const report = reportOf(1);
      await Promise.all(
        editors.map((at) =>
          as(drizzleOf(engine), "member", { project: 1 }, (db) =>
            db
              .update(domain.pmrReports)
              .set({ title: `Edit ${at}` })
              .where(eq(domain.pmrReports.id, report)),
          ),
        ),
      );
      const [row] = await drizzleOf(engine).select().from(domain.pmrReports);
      expect(row?.totalEdits).toBe(10);
      expect(await drizzleOf(engine).$count(domain.pmrChangeEvents)).toBe(10);
    });

    it("ask who is asking once for each statement, where the seed's policies ask once for each row", async () => {
      const plan = await as(drizzleOf(engine), "member", { project: 1 }, (db) =>
        rowsOf(db, `explain (verbose) select title from ${qualified(SCHEMA, "pmr_reports")}`),
      );
      const text = JSON.stringify(plan);
      expect(text).toContain("InitPlan");
      expect(text).not.toContain("SubPlan");
    });
  },
  { extensions: { pg_trgm } },
);

/** How a persona's search in the names of templates is run. */
async function searchPlan(db: AnyDatabase, persona: Persona): Promise<string> {
  const search = `explain select name from ${qualified(SCHEMA, "pmr_templates")} where name ilike '%nancial%'`;
  return as(db, persona, { project: 1 }, async (tx) => {
    // Whether the index can serve is asked, not whether a table of this size needs it.
    for (const way of ["seqscan", "indexscan", "indexonlyscan"])
      await tx.execute(sql.raw(`set local enable_${way} = off`));
    return JSON.stringify(await rowsOf(tx, search));
  });
}

async function look(db: DatabaseLike) {
  return canonical(await readFacts(db), { leaveOut: ["underpin"] });
}
