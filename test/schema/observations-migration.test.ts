import { beforeAll, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { literal } from "../../src/sql/quote.ts";
import { onEngines, onServers } from "../support/server.ts";
import {
  as,
  company,
  companyOf,
  dish,
  domain,
  install,
  managed,
  own,
  refusal,
  siteOf,
  takenBack,
  uuid,
} from "./observations-world.ts";

const petri = own("petri_observations");
const old = own("petri_observations_old");

const oldTable = `CREATE TABLE ${old} (LIKE ${petri} INCLUDING DEFAULTS);
  ALTER TABLE ${old} ADD CONSTRAINT petri_observations_old_pkey PRIMARY KEY (observation_id)`;

const oldDish = (at: number, when: string, program = "abc-123") =>
  dish(
    1,
    program,
    "def-456",
    when,
    uuid(5, 1, at),
    program === "abc-123" ? 0 : 1,
    "petri_observations_old",
  );

onEngines("the way from a table that is not partitioned", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    await install(engine.db(), domain.definition);
    await companyOf(db, 1);
    await siteOf(db, 1, "abc-123", "def-456");
    await siteOf(db, 1, "other", "def-456", 1);
    await db.query(oldTable);
    for (let at = 1; at <= 7; at++) await db.query(oldDish(at, `2025-0${at}-15T00:00Z`));
    await db.query(oldDish(8, "2024-02-29T00:00Z", "other"));
  });

  it("cannot be gone by the seed's trigger: no key to meet, and deletions that are not heard of", async () => {
    await db.query(
      `SELECT ${managed("provision_site")}('abc-123', 'def-456', '2025-01-01', '2025-01-01')`,
    );
    const naive = `INSERT INTO ${petri} SELECT * FROM ${old} LIMIT 1 ON CONFLICT (observation_id) DO UPDATE SET growth_index = EXCLUDED.growth_index`;
    expect(await refusal(db.query(naive))).toBe("42P10");
    const left = await takenBack(db, async (tx) => {
      await tx.query(`
        CREATE FUNCTION ${own("naive")}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO ${petri} VALUES (NEW.*) ON CONFLICT DO NOTHING; RETURN NEW; END $$;
        CREATE TRIGGER naive AFTER INSERT OR UPDATE ON ${old} FOR EACH ROW EXECUTE FUNCTION ${own("naive")}();
        UPDATE ${old} SET growth_index = 1 WHERE observation_id = ${literal(uuid(5, 1, 1))};
        DELETE FROM ${old} WHERE observation_id = ${literal(uuid(5, 1, 1))}`);
      return tx.query(`SELECT 1 AS ghost FROM ${petri}`);
    });
    expect(left).toEqual([{ ghost: 1 }]);
  });

  it("is told step by step before anything is done", async () => {
    const steps = await db.query<{ action: string; detail: string }>(
      `SELECT action, detail FROM ${managed("safe_migrate_table")}('petri_observations', true)`,
    );
    expect(steps.map(({ action }) => action)).toEqual([
      "make partitions",
      "keep in step",
      "copy",
      "compare",
      "analyse",
    ]);
    expect(steps.slice(0, 3).map(({ detail }) => detail)).toEqual([
      "for 2 sites",
      expect.stringContaining("SHARE ROW EXCLUSIVE"),
      "8 rows",
    ]);
    await expect(
      db.query(`SELECT * FROM ${managed("safe_migrate_table")}('sites')`),
    ).rejects.toThrow("no table of observations");
    await expect(
      db.query(`SELECT * FROM ${managed("safe_migrate_table")}('gasifier_observations')`),
    ).rejects.toThrow("to migrate from");
    expect(await refusal(db.query(`CALL ${managed("migrate_to_partitioned")}(2)`))).toBe("55000");
  });

  it("does not let the application write what has no partition: those are made before the triggers are put on", async () => {
    const begin = `SELECT * FROM ${managed("safe_migrate_table")}('petri_observations', false)`;
    await expect(db.query(begin)).rejects.toThrow("have no partition yet");
    await db.query(`CALL ${managed("prepare_partitions")}('petri_observations')`);
    await db.query(begin);
    await db.query(begin);
  });

  it("copies in batches while rows change, and both sides are equal afterwards", async () => {
    await db.query(`CALL ${managed("migrate_to_partitioned")}(3, 'other')`);
    expect(
      await db.query(
        `SELECT program_id, rows_copied::int AS n, percent::int FROM ${managed("monitor_migration")}()`,
      ),
    ).toEqual([{ program_id: "other", n: 1, percent: 100 }]);
    const compared = await db.query<{ status: string }>(
      `SELECT program_id, status FROM ${managed("post_migration_validation")}()`,
    );
    expect(compared).toEqual([
      { program_id: "abc-123", status: "rows differ" },
      { program_id: "other", status: "ok" },
    ]);
    await db.query(`CALL ${managed("migrate_to_partitioned")}(3)`);
    await db.query(`
      DELETE FROM ${old} WHERE observation_id = ${literal(uuid(5, 1, 1))};
      UPDATE ${old} SET growth_index = 50 WHERE observation_id = ${literal(uuid(5, 1, 2))};
      UPDATE ${old} SET created_at = '2025-06-01Z' WHERE observation_id = ${literal(uuid(5, 1, 3))}`);
    await db.query(oldDish(9, "2025-06-16T00:00Z"));
    expect(await refusal(db.query(`TRUNCATE ${old}`))).toBe("0A000 kept_by_trigger");
    const after = `SELECT program_id, source_rows::int AS source, target_rows::int AS target, status FROM ${managed("post_migration_validation")}()`;
    expect(await db.query(after)).toEqual([
      { program_id: "abc-123", source: 7, target: 7, status: "ok" },
      { program_id: "other", source: 1, target: 1, status: "ok" },
    ]);
    await db.query(`CALL ${managed("migrate_to_partitioned")}(3)`);
    expect(await db.query(after)).toHaveLength(2);
    const [located] = await db.query(
      `SELECT pg_catalog.count(*)::int AS n FROM ${own("observation_locator")}`,
    );
    expect(located).toEqual({ n: 8 });
  });

  it("finds a difference that no count shows", async () => {
    await takenBack(db, async (tx) => {
      await tx.query(
        `UPDATE ${petri} SET growth_index = 51 WHERE observation_id = ${literal(uuid(5, 1, 2))}`,
      );
      const found = await tx.query(
        `SELECT status FROM ${managed("post_migration_validation")}() WHERE program_id = 'abc-123'`,
      );
      expect(found).toEqual([{ status: "contents differ" }]);
    });
  });
});

onServers("workers that make partitions", (server) => {
  it("make one set, ten at once, beside applications that add sites and write", async () => {
    const sql = server.sql();
    await install(sql, domain.definition);
    const first = server.connect();
    const { toExecutor } = await import("../../src/executor/connect.ts");
    const db = toExecutor(sql);
    await companyOf(db, 1);
    for (let at = 0; at < 4; at++) await siteOf(db, 1, "abc-123", `site-${at}`, at);
    await db.query(`SELECT ${managed("provision_site")}('abc-123', 'site-0')`);
    const workers = Array.from({ length: 10 }, () =>
      first.unsafe(`CALL ${managed("provision_requested")}()`),
    );
    const writers = Array.from({ length: 20 }, (_, at) =>
      as(
        db,
        1,
        "admin",
        `INSERT INTO ${own("sites")} (company_id, program_id, site_id, name) VALUES (${literal(company(1))}, 'abc-123', 'new-${at}', 'New')`,
        dish(1, "abc-123", "site-0", "now", uuid(6, 1, at)),
      ),
    );
    await Promise.all([...workers, ...writers]);
    await db.query(`CALL ${managed("provision_requested")}()`);
    const [row] = await db.query(`
      SELECT (SELECT pg_catalog.count(*)::int FROM ${own("provision_requests")} WHERE done_at IS NULL) AS open,
        (SELECT pg_catalog.count(*)::int FROM ${own("provision_requests")} WHERE last_error IS NOT NULL) AS failed,
        (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_partition_tree('${petri}') WHERE level = 2) AS sites,
        (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_partition_tree('${petri}') WHERE isleaf) AS leaves`);
    expect(row).toEqual({ open: 0, failed: 0, sites: 24, leaves: 96 });
    expect(await db.query(`SELECT * FROM ${managed("validate_partitions")}()`)).toEqual([]);
  });
});
