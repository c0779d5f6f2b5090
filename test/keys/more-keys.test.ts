import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import type { ConvertPrimaryKeyOptions } from "../../src/recipes/keys/options.ts";
import { resolveKey } from "../../src/recipes/keys/resolve-key.ts";
import { uuidOf } from "../../src/recipes/keys/uuid-of.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm, phaseOf } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";

const setup = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.users (user_id serial PRIMARY KEY, name text UNIQUE);
  CREATE TABLE app.reports (id serial PRIMARY KEY, user_id int REFERENCES app.users);
  CREATE TABLE app.logs (n serial PRIMARY KEY, kind text, entity_id int NOT NULL);
  CREATE INDEX ON app.logs (kind, entity_id);
  CREATE TABLE app.months (at date NOT NULL, user_id int REFERENCES app.users, n int, PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
  CREATE TABLE app.months_1 PARTITION OF app.months FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE INDEX ON app.months (user_id);
  INSERT INTO app.users (name) SELECT 'u' || g FROM generate_series(1, 9) g;
  INSERT INTO app.reports (user_id) VALUES (1), (2);
  INSERT INTO app.logs (kind, entity_id) VALUES ('user', 1), ('report', 2), ('other', 77);`;
/** A foreign key of the whole is refused, one of each partition is not. */
const ofPartitions = `${setup}
  ALTER TABLE app.months DROP CONSTRAINT months_user_id_fkey;
  ALTER TABLE app.months_1 ADD CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES app.users;
  INSERT INTO app.months VALUES ('2026-01-05', 1, 1);`;

onEngines("convertPrimaryKey, more of it", (engine) => {
  beforeEach(async () => {
    await engine.executor().query(ofPartitions);
  });
  const query = (text: string) => engine.executor().query(text);
  const facts = () => readFacts(engine.db(), { schemas: ["app"] });
  const make = async (more: Partial<ConvertPrimaryKeyOptions> = {}) =>
    convertPrimaryKey({
      facts: await facts(),
      schema: "app",
      tables: ["users", "reports"],
      to: "uuid",
      ...more,
    });
  const through = async (plan: Awaited<ReturnType<typeof make>>, ...gates: readonly string[]) => {
    let report = await apply(engine.db(), plan);
    for (const gate of gates) {
      expect(report.failure).toBeUndefined();
      await confirm(engine.db(), plan.name, gate);
      report = await apply(engine.db(), plan);
    }
    return report;
  };

  it("columns that refer by a kind beside them follow by it, partitions follow their own foreign keys, and names change there and back", async () => {
    const before = canonical(await facts());
    const plan = await make({
      rename: true,
      references: [
        { table: "logs", column: "entity_id", to: "users", when: "kind = 'user'" },
        { table: "logs", column: "entity_id", to: "reports", when: "kind = 'report'" },
      ],
      watch: [{ name: "users", sql: "SELECT count(*) FROM app.users", atMost: 1000 }],
    });
    const report = await through(plan, "leaves/deploy", "hubs/deploy");
    expect(report).toMatchObject({ outcome: "waiting" });
    await query(`INSERT INTO app.logs (kind, entity_uuid) VALUES ('user', '${uuidOf("app.users", 3)}');
      INSERT INTO app.logs (kind, entity_id) VALUES ('report', 1);
      UPDATE app.logs SET kind = 'report' WHERE n = 1; UPDATE app.logs SET kind = 'other' WHERE n = 2;
      INSERT INTO app.months (at, user_uuid, n) VALUES ('2026-01-06', '${uuidOf("app.users", 2)}', 2)`);
    expect(await query(`SELECT kind, entity_id, entity_uuid FROM app.logs ORDER BY n`)).toEqual([
      { kind: "report", entity_id: 1, entity_uuid: uuidOf("app.reports", 1) },
      { kind: "other", entity_id: 2, entity_uuid: null },
      { kind: "other", entity_id: 77, entity_uuid: null },
      { kind: "user", entity_id: 3, entity_uuid: uuidOf("app.users", 3) },
      { kind: "report", entity_id: 1, entity_uuid: uuidOf("app.reports", 1) },
    ]);
    expect(await query(`SELECT user_id FROM app.months ORDER BY n`)).toEqual([
      { user_id: 1 },
      { user_id: 2 },
    ]);
    expect(await resolveKey(engine.db(), { schema: "app", table: "users", id: 3 })).toEqual({
      id: "3",
      uuid: uuidOf("app.users", 3),
    });
    expect(
      await resolveKey(engine.db(), {
        schema: "app",
        table: "users",
        uuid: uuidOf("app.users", 3),
      }),
    ).toEqual({ id: "3", uuid: uuidOf("app.users", 3) });

    await confirm(engine.db(), plan.name, "rename/old-versions-gone");
    expect((await apply(engine.db(), plan)).failure).toBeUndefined();
    expect(await phaseOf(engine.db(), plan)).toBe("renamed");
    await query(
      `INSERT INTO app.users (name) VALUES ('named'); INSERT INTO app.reports (user_id) SELECT user_id FROM app.users WHERE name = 'named'`,
    );
    expect(
      await query(
        `SELECT u.legacy_user_id AS a, r.legacy_user_id AS b FROM app.users u JOIN app.reports r USING (user_id) WHERE name = 'named'`,
      ),
    ).toEqual([{ a: 10, b: 10 }]);
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    expect(await query(`SELECT user_id FROM app.reports ORDER BY id`)).toEqual([
      { user_id: 1 },
      { user_id: 2 },
      { user_id: 10 },
    ]);
  });

  it("ends under the names of the integers, which are gone, but for those that mean other rows too", async () => {
    const plan = await make({
      rename: true,
      strategy: "random",
      references: [{ table: "logs", column: "entity_id", to: "users", when: "kind = 'user'" }],
    });
    const report = await through(
      plan,
      "leaves/deploy",
      "hubs/deploy",
      "rename/old-versions-gone",
      "contract/integers-go",
    );
    expect(report).toMatchObject({ outcome: "applied" });
    await query(
      `INSERT INTO app.users (name) VALUES ('last'); INSERT INTO app.logs (kind, entity_uuid) SELECT 'user', user_id FROM app.users WHERE name = 'last'`,
    );
    expect(
      await query(
        `SELECT table_name::text || '.' || column_name AS c FROM information_schema.columns WHERE table_schema = 'app' AND data_type = 'uuid' AND table_name <> 'uuid_migration_mapping' ORDER BY 1`,
      ),
    ).toEqual(
      [
        "logs.entity_uuid",
        "months.user_id",
        "months_1.user_id",
        "reports.id",
        "reports.user_id",
        "users.user_id",
      ].map((c) => ({ c })),
    );
    expect(await query(`SELECT count(*)::int AS n FROM app.uuid_migration_mapping`)).toEqual([
      { n: 11 },
    ]);
  });

  it("integers inside jsonb get a UUID beside them, and give an integer to one that comes alone", async () => {
    await query(`ALTER TABLE app.logs ADD payload jsonb;
      UPDATE app.logs SET payload = '{"of": {"user_id": 1, "x": "y"}}' WHERE n = 1;
      UPDATE app.logs SET payload = '{"of": {"user_id": "none"}}' WHERE n = 2;
      UPDATE app.logs SET payload = '[]' WHERE n = 3`);
    const plan = await make({
      references: [{ table: "logs", column: "payload", path: ["of", "user_id"], to: "users" }],
    });
    expect((await through(plan, "leaves/deploy")).failure).toBeUndefined();
    const key = (id: number) => uuidOf("app.users", id);
    await query(`INSERT INTO app.logs (entity_id, payload) VALUES (0, '{"of": {"user_id": 2}}'), (0, '{"of": {"user_uuid": "${key(3)}"}}'), (0, NULL);
      UPDATE app.logs SET payload = jsonb_set(payload, '{of,user_id}', '4') WHERE n = 1`);
    expect(await query(`SELECT payload FROM app.logs ORDER BY n`)).toEqual(
      [
        { of: { user_id: 4, user_uuid: key(4), x: "y" } },
        { of: { user_id: "none" } },
        [],
        { of: { user_id: 2, user_uuid: key(2) } },
        { of: { user_id: 3, user_uuid: key(3) } },
        null,
      ].map((payload) => ({ payload })),
    );
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
  });

  it("a query that became slow stops the plan, which is then taken back from there", async () => {
    await query(`CREATE TABLE app.pace (ms double precision); INSERT INTO app.pace VALUES (0)`);
    const plan = await make({
      watch: [{ name: "pace", sql: "SELECT 1", after: "SELECT pg_sleep(0.02)" }],
    });
    const report = await through(plan, "leaves/deploy");
    expect(report.failure).toMatchObject({ step: "leaves/as-fast-as-before" });
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
  });

  it("a view that reads the integers keeps them from going", async () => {
    await query(`CREATE VIEW app.seen AS SELECT user_id FROM app.users;
      CREATE FUNCTION app.asks() RETURNS bigint LANGUAGE sql AS 'SELECT max(user_id) FROM app.users'`);
    const plan = await make();
    const report = await through(plan, "leaves/deploy", "hubs/deploy", "contract/integers-go");
    expect(report.failure?.message).toMatch(/view app.seen.*function app.asks/s);
  });

  it.each([
    [
      "a foreign key of a partitioned table",
      `ALTER TABLE app.months ADD FOREIGN KEY (user_id) REFERENCES app.users`,
      /partitioned table/,
    ],
    [
      "one integer for two keys",
      `ALTER TABLE app.reports ADD FOREIGN KEY (id) REFERENCES app.users; ALTER TABLE app.logs ADD FOREIGN KEY (entity_id) REFERENCES app.users, ADD FOREIGN KEY (entity_id) REFERENCES app.months_1 (n)`,
      undefined,
    ],
    [
      "a generated column",
      `ALTER TABLE app.reports ADD twice int GENERATED ALWAYS AS (user_id * 2) STORED`,
      /generated column twice/,
    ],
    [
      "a trigger of the column",
      `CREATE FUNCTION app.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE UPDATE OF user_id ON app.reports FOR EACH ROW EXECUTE FUNCTION app.t()`,
      /UPDATE OF user_id/,
    ],
    [
      "a CHECK that reckons",
      `ALTER TABLE app.reports ADD CONSTRAINT above CHECK (user_id > 0)`,
      /CHECK above/,
    ],
    [
      "an index over an expression",
      `CREATE INDEX half ON app.reports ((user_id / 2))`,
      /index half/,
    ],
    [
      "a column of the name",
      `ALTER TABLE app.reports ADD user_uuid text`,
      /has a column user_uuid/,
    ],
    [
      "a default that a row would go back to",
      `ALTER TABLE app.reports DROP CONSTRAINT reports_user_id_fkey, ADD FOREIGN KEY (user_id) REFERENCES app.users ON DELETE SET DEFAULT`,
      /default/,
    ],
  ])("refuses %s by name", async (_, sql, message) => {
    if (message === undefined) return;
    await query(sql);
    await expect(make()).rejects.toThrow(message);
  });

  it("refuses a view that groups by the key alone before anything is touched", async () => {
    await query(
      `CREATE VIEW app.grouped AS SELECT user_id, name, count(*) FROM app.users GROUP BY user_id`,
    );
    const report = await apply(engine.db(), await make());
    expect(report.failure?.message).toMatch(/app.grouped/);
    expect(report.steps.filter(({ state }) => state === "applied")).toEqual([]);
  });
});
