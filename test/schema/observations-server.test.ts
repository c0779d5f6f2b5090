import { randomBytes } from "node:crypto";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import { apply } from "../../src/run/apply.ts";
import { observations } from "../../src/schema/observations/index.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import {
  company,
  companyOf,
  dish,
  jobsOf,
  managed,
  own,
  refusal,
  siteOf,
  submission,
  uuid,
} from "./observations-world.ts";

const petri = own("petri_observations");
const old = own("petri_observations_old");

onServers("observations, installed by a login that is no superuser,", (server) => {
  const prefix = `obs_${randomBytes(4).toString("hex")}`;
  const domain = observations({
    schema: 'we"ird Schema',
    managementSchema: 'part"s',
    rolePrefix: prefix,
    migratorRole: `${prefix}_migrator`,
  });
  const { access, definition } = domain;
  let owner: Sql;
  let worker: Sql;
  const admin = () => ({ query: (text: string) => server.sql().unsafe(text) as never });

  beforeAll(async () => {
    const name = await server.role("installer", { attributes: "CREATEROLE" });
    const database = ident(new URL(server.url()).pathname.slice(1));
    await server.sql().unsafe(`GRANT CREATE ON DATABASE ${database} TO ${ident(name)}`);
    owner = server.connect(server.urlAs(name));
    const report = await apply(owner, planInstall(definition));
    if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
    const login = await server.role("worker");
    await server.sql().unsafe(`GRANT ${ident(access.migratorRole)} TO ${ident(login)}`);
    worker = server.connect(server.urlAs(login));
    await companyOf(admin(), 1);
    await siteOf(admin(), 1, "abc-123", "def-456");
  });
  afterAll(async () => {
    for (const role of [...Object.values(access.roles), access.readerRole, access.migratorRole]) {
      const [left] = await server.sql()`select from pg_catalog.pg_roles where rolname = ${role}`;
      if (left !== undefined)
        await server.sql().unsafe(`DROP OWNED BY ${ident(role)} CASCADE; DROP ROLE ${ident(role)}`);
    }
  });

  it("are verified without a finding", async () => {
    expect(await verify(server.sql(), definition)).toEqual([]);
  });

  it("have their partitions made by a worker that owns nothing, for the owner to own", async () => {
    await worker.unsafe(`CALL ${managed("provision_requested")}()`);
    expect(await worker.unsafe(`SELECT * FROM ${managed("validate_partitions")}()`)).toEqual([]);
    const owners = await server.sql()<{ n: number }[]>`
      select count(distinct relowner)::int as n from pg_catalog.pg_class where relname ~ '^petri_obs'`;
    expect(owners[0]?.n).toBe(1);
    await server.sql().unsafe(dish(1, "abc-123", "def-456", "now", uuid(4, 1, 1)));
    const done = await worker.unsafe(`SELECT action FROM ${managed("schedule_maintenance")}()`);
    expect(done).toHaveLength(3);
    expect(
      await worker.unsafe(`SELECT * FROM ${managed("v_partition_stats")} LIMIT 1`),
    ).toHaveLength(1);
    await worker.unsafe(`SELECT ${managed("cleanup_empty_partitions")}(30)`);
  });

  it("are closed to the owner, who is told so where counting would deceive", async () => {
    const [row] = await owner.unsafe<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM ${own("sites")}`,
    );
    expect(row?.n).toBe(0);
    for (const call of [
      `SELECT ${managed("precreate_program_partitions")}('abc-123')`,
      `SELECT * FROM ${managed("schedule_maintenance")}()`,
      `CALL ${managed("provision_requested")}()`,
    ])
      await expect(owner.unsafe(call)).rejects.toThrow("row security hides rows");
  });

  it("have jobs that run as who installed, with whatever they are scheduled to do done", async () => {
    const jobs = jobsOf(definition);
    expect(jobs).toHaveLength(3);
    await siteOf(admin(), 1, "job-1", "one", 5);
    for (const job of jobs) await owner.unsafe(job);
    const open = await server
      .sql()
      .unsafe(`SELECT site_id FROM ${own("provision_requests")} WHERE done_at IS NULL`);
    expect(open).toEqual([]);
    const made = await server
      .sql()
      .unsafe(
        `SELECT relname FROM pg_catalog.pg_class WHERE relname ~ '^petri_obs_prog_job1_site_one_'`,
      );
    expect(made.length).toBeGreaterThan(3);
    const [seen] = await server
      .sql()
      .unsafe(`SELECT count(*)::int AS n FROM ${own("mv_daily_metrics")}`);
    expect(seen?.n).toBe(1);
  });

  it("are copied while other connections delete, change and move the rows, and none comes back", async () => {
    await owner.unsafe(`CREATE TABLE ${old} (LIKE ${petri} INCLUDING DEFAULTS);
      ALTER TABLE ${old} ADD PRIMARY KEY (observation_id);
      GRANT SELECT, INSERT, UPDATE, DELETE ON ${old} TO ${ident(access.migratorRole)};
      INSERT INTO ${old} (company_id, program_id, site_id, submission_id, created_at, dish_code, growth_index)
      SELECT ${literal(company(1))}, 'abc-123', 'def-456', ${literal(submission(1))},
        '2025-01-01Z'::timestamptz + n * interval '1 hour', 'D' || n, n % 100 FROM pg_catalog.generate_series(1, 4000) AS n`);
    await worker.unsafe(`CALL ${managed("prepare_partitions")}('petri_observations')`);
    await owner.unsafe(
      `SELECT * FROM ${managed("safe_migrate_table")}('petri_observations', false)`,
    );
    const writing = { done: false };
    const write = async (at: number) => {
      for (let n = at; !writing.done; n = (n * 31 + 17) % 4000) {
        const which = `WHERE dish_code = 'D${n}'`;
        const change = [
          `DELETE FROM ${old} ${which}`,
          `UPDATE ${old} SET growth_index = 77 ${which}`,
          `UPDATE ${old} SET created_at = created_at + interval '40 minutes' ${which}`,
        ][n % 3];
        await worker.unsafe(change ?? "");
      }
    };
    const writers = [1, 2, 3].map(write);
    try {
      await worker.unsafe(`CALL ${managed("migrate_to_partitioned")}(50)`);
    } finally {
      writing.done = true;
      await Promise.all(writers);
    }
    await server
      .sql()
      .unsafe(`DELETE FROM ${petri} WHERE observation_id = ${literal(uuid(4, 1, 1))}`);
    const compared = await worker.unsafe<{ source_rows: string; status: string }[]>(
      `SELECT source_rows, status FROM ${managed("post_migration_validation")}()`,
    );
    expect(compared.map(({ status }) => status)).toEqual(["ok"]);
    expect(Number(compared[0]?.source_rows)).toBeLessThan(4000);
  });

  it("go without a trace", async () => {
    await owner.unsafe(`DROP TABLE ${old}`);
    expect(await refusal(worker.unsafe(`DROP TABLE ${petri}`))).toBe("42501");
    const report = await apply(owner, planUninstall(definition));
    expect(report.failure).toBeUndefined();
    const [row] = await server.sql()<{ n: number }[]>`
      select count(*)::int as n from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
      where s.nspname in ('we"ird Schema', 'part"s')`;
    expect(row?.n).toBe(0);
  });
});
