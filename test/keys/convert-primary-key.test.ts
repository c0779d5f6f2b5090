import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Plan } from "../../src/plan/step.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import type { ConvertPrimaryKeyOptions } from "../../src/recipes/keys/options.ts";
import { uuidOf } from "../../src/recipes/keys/uuid-of.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm, phaseOf } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";

const setup = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.lobs (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner_id int);
  CREATE TABLE app.users (user_id serial PRIMARY KEY, lob_id int NOT NULL REFERENCES app.lobs ON DELETE CASCADE, manager_id int,
    name text UNIQUE, UNIQUE (lob_id, user_id),
    FOREIGN KEY (lob_id, manager_id) REFERENCES app.users (lob_id, user_id));
  ALTER TABLE app.lobs ADD FOREIGN KEY (id, owner_id) REFERENCES app.users (lob_id, user_id) DEFERRABLE INITIALLY DEFERRED;
  CREATE TABLE app.profiles (user_id int PRIMARY KEY REFERENCES app.users ON DELETE CASCADE, note text);
  CREATE TABLE app.roles (id serial PRIMARY KEY, name text);
  CREATE TABLE app.user_roles (user_id int REFERENCES app.users ON DELETE CASCADE, role_id int REFERENCES app.roles, by_id int
    REFERENCES app.users ON DELETE SET NULL, PRIMARY KEY (user_id, role_id), CHECK (by_id <> user_id));
  CREATE INDEX ON app.user_roles (by_id) WHERE by_id IS NOT NULL;
  CREATE TABLE app.logs (id bigserial PRIMARY KEY, line text);
  INSERT INTO app.lobs (owner_id) SELECT NULL FROM generate_series(1, 3);
  INSERT INTO app.users (lob_id, manager_id, name) SELECT 1 + g % 3, CASE WHEN g > 3 THEN g - 3 END, 'u' || g FROM generate_series(1, 40) g;
  UPDATE app.lobs SET owner_id = CASE id WHEN 1 THEN 3 WHEN 2 THEN 1 END;
  INSERT INTO app.profiles SELECT g, 'p' FROM generate_series(1, 20) g;
  INSERT INTO app.roles (name) VALUES ('a'), ('b');
  INSERT INTO app.user_roles SELECT g, 1 + g % 2, CASE WHEN g > 1 THEN 1 END FROM generate_series(1, 10) g;
  INSERT INTO app.logs (line) SELECT g FROM generate_series(1, 10) g;`;

onEngines("convertPrimaryKey", (engine) => {
  beforeEach(async () => {
    await engine.executor().query(setup);
  });

  const query = (text: string) => engine.executor().query(text);
  const facts = () => readFacts(engine.db(), { schemas: ["app"] });
  const make = async (more: Partial<ConvertPrimaryKeyOptions> = {}): Promise<Plan> =>
    convertPrimaryKey({ facts: await facts(), schema: "app", tables: "all", to: "uuid", ...more });
  const goTo = async (plan: Plan, ...gates: readonly string[]) => {
    let report = await apply(engine.db(), plan);
    for (const gate of gates) {
      expect(report.failure).toBeUndefined();
      await confirm(engine.db(), plan.name, gate);
      report = await apply(engine.db(), plan);
    }
    expect(report.failure).toBeUndefined();
    return report;
  };

  it("goes to UUIDs and back, and leaves the catalog as it was", async () => {
    const before = canonical(await facts());
    const plan = await make();
    await goTo(plan, "leaves/deploy", "hubs/deploy");
    expect(await phaseOf(engine.db(), plan)).toBe("hubs:uuid");
    expect(
      await query(`SELECT conrelid::regclass::text AS of, pg_get_constraintdef(oid) AS def FROM pg_constraint
        WHERE contype = 'p' AND connamespace = 'app'::regnamespace ORDER BY 1`),
    ).toEqual([
      { of: "app.lobs", def: "PRIMARY KEY (uuid)" },
      { of: "app.logs", def: "PRIMARY KEY (uuid)" },
      { of: "app.profiles", def: "PRIMARY KEY (user_uuid)" },
      { of: "app.roles", def: "PRIMARY KEY (uuid)" },
      { of: "app.user_roles", def: "PRIMARY KEY (user_uuid, role_uuid)" },
      { of: "app.users", def: "PRIMARY KEY (user_uuid)" },
      { of: "app.uuid_migration_mapping", def: "PRIMARY KEY (table_name, old_id)" },
    ]);
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
  });

  it("goes phase by phase where keys of several phases are one foreign key, and back by one phase", async () => {
    const before = canonical(await facts());
    const plan = await make({
      phases: [
        { name: "rights", tables: ["roles", "logs"] },
        { name: "lobs", tables: ["lobs"] },
        { name: "people", tables: ["users"] },
      ],
      surrogates: { user_roles: "id" },
      checks: [
        {
          title: "no name twice",
          sql: "SELECT name FROM app.users GROUP BY name HAVING count(*) > 1",
        },
        {
          title: "few roles",
          sql: "SELECT count(*) FROM app.roles",
          expect: { atMost: 9 },
          phase: "people",
        },
      ],
    });
    await goTo(plan, "rights/deploy", "lobs/deploy");
    await query(`INSERT INTO app.users (lob_id, manager_id, name) VALUES (1, 3, 'between');
      UPDATE app.lobs SET owner_id = 41 WHERE id = 1`);
    await goTo(plan, "people/deploy");
    await query(`INSERT INTO app.users (lob_uuid, manager_uuid, name) SELECT lob_uuid, manager_uuid, 'new' FROM app.users WHERE name = 'between';
      INSERT INTO app.user_roles (user_id, role_id) VALUES (41, 1); DELETE FROM app.users WHERE name = 'u40'`);
    expect(await query(`SELECT lob_id, manager_id FROM app.users WHERE name = 'new'`)).toEqual([
      { lob_id: 1, manager_id: 3 },
    ]);
    expect(
      await query(
        `SELECT substr(id::text, 15, 1) AS version FROM app.user_roles WHERE user_id = 41`,
      ),
    ).toEqual([{ version: "7" }]);
    expect(await undo(engine.db(), plan, { upTo: "people/ready-1" })).toMatchObject({
      outcome: "partlyUndone",
    });
    expect(await phaseOf(engine.db(), plan)).toBe("lobs:uuid");
    await query(
      `INSERT INTO app.users (lob_uuid, name) SELECT uuid, 'half' FROM app.lobs WHERE id = 2`,
    );
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
    expect(await query(`SELECT count(*)::int AS n FROM app.users`)).toEqual([{ n: 42 }]);
  });

  it("serves an application's role under row security, and shows it nothing of the mapping", async () => {
    await query(`DROP ROLE IF EXISTS keys_app; CREATE ROLE keys_app; GRANT USAGE ON SCHEMA app TO keys_app;
      GRANT SELECT, INSERT, UPDATE ON app.users, app.logs TO keys_app; GRANT SELECT ON app.lobs TO keys_app;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA app TO keys_app;
      ALTER TABLE app.users ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON app.users TO keys_app USING (lob_id = 1);
      ALTER TABLE app.users FORCE ROW LEVEL SECURITY; CREATE POLICY everything ON app.users TO CURRENT_USER USING (true)`);
    const plan = await make({ resolvers: ["keys_app"] });
    await goTo(plan, "leaves/deploy");
    const asApp = (...texts: readonly string[]) =>
      toExecutor(engine.db()).transaction(async (tx) => {
        await tx.query("SET LOCAL ROLE keys_app");
        let last: readonly unknown[] = [];
        for (const text of texts) last = await tx.query(text);
        return last;
      });
    const made = await asApp(
      `INSERT INTO app.users (user_uuid, lob_id, manager_uuid, name) VALUES ('${uuidOf("x", 1)}', 1, '${uuidOf("app.users", 3)}', 'app')
        RETURNING user_id`,
      `SELECT user_id, manager_id, lob_uuid, app.underpin_resolve_id('users', user_uuid)::int AS id FROM app.users WHERE name = 'app'`,
    );
    expect(made).toEqual([{ user_id: 42, manager_id: 3, lob_uuid: uuidOf("app.lobs", 1), id: 42 }]);
    // By UUID nobody comes into another's rows: the policies see the integers that follow.
    await expect(
      asApp(`INSERT INTO app.users (lob_uuid, name) VALUES ('${uuidOf("app.lobs", 2)}', 'other')`),
    ).rejects.toThrow(/row-level security/);
    for (const text of [
      "SELECT * FROM app.uuid_migration_mapping",
      "SELECT app.underpin_remember_key('users', 1, gen_random_uuid())",
      "SELECT app.underpin_reserve_key('users', 1, gen_random_uuid())",
      "SELECT app.underpin_make_key('users', 1)",
      "SELECT app.underpin_key_of('users', 'app.users', 1)",
    ])
      await expect(asApp(text)).rejects.toThrow(/permission denied/);
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    await query("DROP OWNED BY keys_app; DROP ROLE keys_app");
  });
});
