import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Plan } from "../../src/plan/step.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import type { ConvertPrimaryKeyOptions } from "../../src/recipes/keys/options.ts";
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
});
