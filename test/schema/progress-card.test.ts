import { is, sql } from "drizzle-orm";
import { getTableConfig, pgSchema, PgTable, uuid } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { accessFaults } from "../../src/definition/access-faults.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { auditRls } from "../../src/rls/audit-rls.ts";
import { apply } from "../../src/run/apply.ts";
import * as entry from "../../src/schema/progress-card/index.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import { onEngines } from "../support/server.ts";

const { definition, progressCard } = entry;

const HPC_TABLES = [
  "hpc_achievements",
  "hpc_analytics",
  "hpc_approval_workflows",
  "hpc_evaluation_cycles",
  "hpc_evaluations",
  "hpc_evidence_files",
  "hpc_parameter_assignments",
  "hpc_parameters",
  "hpc_reflections",
  "hpc_reports",
  "hpc_rubrics",
];

/** What an institution has without progress cards too. */
const OTHER_TABLES = [
  "academic_terms",
  "audit_logs",
  "course_students",
  "course_teachers",
  "courses",
  "institutions",
  "user_profiles",
];

describe("the entry of progress cards", () => {
  it("exports everything that drizzle-kit has to see, once", () => {
    const exported = new Set<unknown>(Object.values(entry));
    const missing = Object.entries(definition.tables).filter(([, entity]) => !exported.has(entity));
    expect(missing.map(([name]) => name)).toEqual([]);
  });

  it("leaves no key, table or view open to another institution", () => {
    expect(accessFaults(definition)).toEqual([]);
    expect(accessFaults(progressCard({ schema: "public", rolePrefix: "hpc" }).definition)).toEqual(
      [],
    );
  });

  it("would leave a view open that reads a table with its owner's rights, barrier or not", () => {
    const open = pgSchema("progress_card")
      .view("open", { id: uuid("id") })
      .with({ securityBarrier: true })
      .as(sql`select id from "progress_card"."user_profiles"`);
    const faults = accessFaults({ ...definition, tables: { ...definition.tables, open } });
    expect(faults.map(({ table }) => table)).toEqual(["progress_card.open"]);
  });

  it("schedules the summary every 15 minutes, by the function of the role that owns it", () => {
    const schedule = definition.objects.find(({ kind }) => kind === "schedule");
    expect(schedule?.create).toContain(
      `cron.schedule('refresh progress_card.mv_hpc_student_summary', '*/15 * * * *', 'SELECT "progress_card"."refresh_mv_hpc_student_summary"()')`,
    );
  });

  it("gives every index of its schema a name of its own", () => {
    const names = Object.values(definition.tables)
      .filter((entity) => is(entity, PgTable))
      .map(getTableConfig)
      .flatMap(({ indexes, primaryKeys, uniqueConstraints }) => [
        ...indexes.map(({ config }) => config.name),
        ...primaryKeys.map((key) => key.getName()),
        ...uniqueConstraints.map((key) => key.getName()),
      ]);
    expect(names.length).toBeGreaterThan(60);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the catalog of progress cards", () => {
  let database: TestDatabase;
  let facts: Facts;
  beforeAll(async () => {
    database = await createTestDatabase({
      setup: async (_, client) => void (await apply(client, planInstall(definition))),
    });
    facts = await readFacts(database.client, { schemas: ["progress_card"] });
  });
  afterAll(() => database.close());

  const rows = async (query: string) =>
    (await database.client.query<Record<string, string>>(query)).rows;

  it("has the eleven tables of the document beside those that it changes", () => {
    const names = facts.tables.map(({ name }) => name).sort();
    expect(names.filter((name) => name.startsWith("hpc_"))).toEqual(HPC_TABLES);
    expect(names).toEqual([...OTHER_TABLES, ...HPC_TABLES].sort());
  });

  it("has the columns that the document adds, with their types", async () => {
    const columns = await rows(`
      SELECT c.relname || '.' || a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'progress_card'::regnamespace AND c.relkind = 'r' AND a.attnum > 0`);
    const types = new Map(columns.map(({ name, type }) => [name, type]));
    expect(types.get("user_profiles.parent_of")).toBe("uuid[]");
    expect(types.get("audit_logs.hpc_context")).toBe("jsonb");
    expect(types.get("hpc_evaluations.normalized_score")).toBe("numeric(5,2)");
    for (const table of ["user_profiles", "academic_terms", "courses", ...HPC_TABLES])
      expect(types.get(`${table}.institution_id`)).toBe("uuid");
  });

  it("ties every hpc_ table to its institution, and its authors through it", async () => {
    for (const table of HPC_TABLES) {
      const keys = await rows(`
        SELECT conname AS name, pg_catalog.pg_get_constraintdef(oid) AS definition
        FROM pg_catalog.pg_constraint WHERE conrelid = 'progress_card.${table}'::regclass AND contype = 'f'`);
      const texts = keys.map(({ definition: text }) => text);
      expect(texts).toContain(
        "FOREIGN KEY (institution_id) REFERENCES progress_card.institutions(id)",
      );
      for (const author of ["created_by", "updated_by"])
        expect(texts).toContain(
          `FOREIGN KEY (institution_id, ${author}) REFERENCES progress_card.user_profiles(institution_id, id)`,
        );
      expect(texts.filter((text) => !text?.includes("KEY (institution_id"))).toEqual([]);
    }
  });

  it("has the stages and stakeholders as enums", async () => {
    const enums = await rows(`
      SELECT t.typname AS name, pg_catalog.string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder) AS labels
      FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
      WHERE t.typnamespace = 'progress_card'::regnamespace GROUP BY 1 ORDER BY 1`);
    expect(enums).toHaveLength(7);
    expect(enums).toContainEqual({
      name: "hpc_stage",
      labels: "foundational preparatory middle secondary",
    });
    expect(enums).toContainEqual({ name: "hpc_stakeholder", labels: "teacher parent self peer" });
  });

  it("forces row security on every table and gives each a floor", async () => {
    const tables = await rows(`
      SELECT c.relname AS name, (SELECT pg_catalog.count(*) FROM pg_catalog.pg_policy p
        WHERE p.polrelid = c.oid AND NOT p.polpermissive)::text AS floors
      FROM pg_catalog.pg_class c WHERE c.relnamespace = 'progress_card'::regnamespace
        AND c.relkind = 'r' AND c.relrowsecurity AND c.relforcerowsecurity`);
    expect(tables).toHaveLength(18);
    expect(tables.filter(({ floors }) => floors !== "1")).toEqual([]);
  });

  it("has an index for every foreign key", async () => {
    const bare = await rows(`
      SELECT k.conname AS name FROM pg_catalog.pg_constraint k
      WHERE k.connamespace = 'progress_card'::regnamespace AND k.contype = 'f' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
          AND (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] = k.conkey)`);
    expect(bare).toEqual([]);
  });

  it("has no index that another makes superfluous", async () => {
    const superfluous = await rows(`
      SELECT a.indexrelid::regclass::text AS name, b.indexrelid::regclass::text AS by
      FROM pg_catalog.pg_index a JOIN pg_catalog.pg_index b
        ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
      JOIN pg_catalog.pg_class c ON c.oid = a.indrelid
      WHERE c.relnamespace = 'progress_card'::regnamespace
        AND NOT a.indisunique AND a.indpred IS NULL AND b.indpred IS NULL
        AND a.indexprs IS NULL AND b.indexprs IS NULL
        AND (b.indkey::int2[])[0:a.indnatts - 1] = a.indkey::int2[]
        AND (a.indnatts < b.indnatts OR b.indisunique OR a.indexrelid > b.indexrelid)`);
    expect(superfluous).toEqual([]);
  });

  it("leads every index by the institution", async () => {
    const others = await rows(`
      SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE c.relnamespace = 'progress_card'::regnamespace AND c.relname <> 'institutions'
        AND a.attname <> 'institution_id'`);
    expect(others).toEqual([]);
  });

  it("has nothing that an audit of row security would mend", async () => {
    expect(await auditRls(database.client)).toEqual([]);
  });

  it("explains every table and view in a comment", async () => {
    const silent = await rows(`
      SELECT relname AS name FROM pg_catalog.pg_class
      WHERE relnamespace = 'progress_card'::regnamespace AND relkind IN ('r', 'v', 'm')
        AND pg_catalog.obj_description(oid, 'pg_class') IS NULL`);
    expect(silent).toEqual([]);
  });
});

onEngines("progress cards", (engine) => {
  for (const [what, options] of [
    ["their own schema", { rolePrefix: "hpc_test_own" }],
    [`a schema named we"ird Schema`, { schema: `we"ird Schema`, rolePrefix: `hpc_test_we"ird` }],
    ["public", { schema: "public", rolePrefix: "hpc_test_public" }],
  ] as const) {
    it(`are installed, verified without a finding, and uninstalled without a trace in ${what}`, async () => {
      const db = engine.db();
      const domain = progressCard({ ...options, migratorRole: `${options.rolePrefix}_migrator` });
      const before = await look(db);
      const installed = await apply(db, planInstall(domain.definition));
      expect([installed.outcome, installed.failure]).toEqual(["applied", undefined]);
      expect(await verify(db, domain.definition)).toEqual([]);
      const removed = await apply(db, planUninstall(domain.definition));
      expect([removed.outcome, removed.failure]).toEqual(["applied", undefined]);
      expect(compareCatalogs(before, await look(db))).toEqual([]);
    });
  }
});

async function look(db: DatabaseLike) {
  return canonical(await readFacts(db), { leaveOut: ["underpin"] });
}
