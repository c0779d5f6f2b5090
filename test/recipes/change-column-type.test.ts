import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { plan } from "../../src/plan/plan.ts";
import type { Plan, Step } from "../../src/plan/step.ts";
import {
  changeColumnType,
  type ChangeColumnTypeOptions,
} from "../../src/recipes/change-column-type.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { onEngines } from "../support/server.ts";

const setup = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TYPE app.state AS ENUM ('new', 'done');
  CREATE TABLE app.kinds (id int PRIMARY KEY);
  CREATE TABLE app.orders (id serial PRIMARY KEY, amount integer NOT NULL DEFAULT 1 CHECK (amount > 0),
    state app.state DEFAULT 'new', code text, note varchar(20) CHECK (note <> ''), kind int REFERENCES app.kinds);
  CREATE INDEX by_amount ON app.orders (amount DESC) WHERE amount > 5;
  CREATE INDEX notes ON app.orders (note);
  CREATE INDEX kinds_of ON app.orders (kind);
  CREATE POLICY mine ON app.orders USING (amount < 100);
  CREATE VIEW app.amounts WITH (security_barrier) AS SELECT id, amount, note FROM app.orders;
  GRANT SELECT ON app.amounts TO pg_monitor;
  INSERT INTO app.kinds VALUES (1);
  INSERT INTO app.orders (amount, code, note, kind) SELECT g, '00' || g, 'n', 1 FROM generate_series(1, 30) g;`;

onEngines("changeColumnType", (engine) => {
  beforeEach(async () => {
    await engine.executor().query(setup);
  });

  const query = (text: string) => engine.executor().query(text);
  const facts = () => readFacts(engine.db(), { schemas: ["app"] });
  const make = async (
    column: string,
    type: string,
    more: Partial<ChangeColumnTypeOptions> = {},
  ): Promise<Plan> =>
    changeColumnType({
      facts: await facts(),
      schema: "app",
      table: "orders",
      column,
      type,
      ...more,
    });

  it.each([
    ["amount", "bigint"],
    ["id", "bigint"],
    ["kind", "bigint"],
  ])(
    "ends with the catalog that ALTER TYPE of %s would have made, but for its place, and drops what it declares",
    async (column, type) => {
      // ALTER TYPE itself is refused where views and policies use the column.
      const aside = "DROP VIEW app.amounts; DROP POLICY mine ON app.orders; ";
      await query(`${aside} ALTER TABLE app.orders ALTER ${column} TYPE ${type};
        ${column === "id" ? "ALTER SEQUENCE app.orders_id_seq AS bigint;" : ""}
        CREATE POLICY mine ON app.orders USING (amount < 100);
        CREATE VIEW app.amounts WITH (security_barrier) AS SELECT id, amount, note FROM app.orders;
        GRANT SELECT ON app.amounts TO pg_monitor`);
      const wanted = canonical(await facts());
      await query(setup);
      const made = await make(column, type);
      expect((await apply(engine.db(), made)).failure).toBeUndefined();
      const last = made.steps.filter(({ id }) => id === "contract");
      const alone = plan(
        "contract",
        last.map((step): Step => ({ ...step, undo: { kind: "nothing" } })),
      );
      await expectLocks(alone, { on: engine.db() });
      const left = compareCatalogs(wanted, canonical(await facts()));
      expect(left.filter(({ path }) => !/: position$/.test(path))).toEqual([]);
      await query(`INSERT INTO app.orders (amount, kind) VALUES (7, 1)`);
      await expect(query(`INSERT INTO app.orders (amount, kind) VALUES (7, 2)`)).rejects.toThrow(
        /orders_kind_fkey/,
      );
      await expect(query(`INSERT INTO app.orders (amount, kind) VALUES (-7, 1)`)).rejects.toThrow(
        /orders_amount_check/,
      );
    },
  );

  it("goes through another form of the value, there and back, and loses nothing", async () => {
    const made = await make("code", "integer", { back: "to_char(code, 'FM000')" });
    expect(await apply(engine.db(), made)).toMatchObject({ outcome: "waiting" });
    await query(`INSERT INTO app.orders (code) VALUES (700)`);
    await query(`UPDATE app.orders SET code = 701 WHERE id = 2`);
    await query(`UPDATE app.orders SET code = NULL WHERE id = 3`);
    expect(await undo(engine.db(), made)).toMatchObject({ outcome: "undone" });
    expect(
      await query(`SELECT id, code FROM app.orders WHERE id IN (1, 2, 3, 31) ORDER BY id`),
    ).toEqual([
      { id: 1, code: "001" },
      { id: 2, code: "701" },
      { id: 3, code: null },
      { id: 31, code: "700" },
    ]);
  });

  it("turns an enum into text and text into an enum, with defaults that are said", async () => {
    const made = await make("state", "text", { default: "'new'" });
    await apply(engine.db(), made);
    await confirm(engine.db(), made.name, "new-type-stays");
    expect((await apply(engine.db(), made)).failure).toBeUndefined();
    await query(`INSERT INTO app.orders (note) VALUES ('x'); DROP TYPE app.state`);
    expect(await query(`SELECT DISTINCT state FROM app.orders`)).toEqual([{ state: "new" }]);
  });

  it("stops with the reason where a value does not fit, and can be taken back", async () => {
    await query(`UPDATE app.orders SET code = 'no number' WHERE id = 9`);
    const made = await make("code", "integer");
    const report = await apply(engine.db(), made);
    expect(report.outcome).not.toBe("waiting");
    expect(await undo(engine.db(), made)).toMatchObject({ outcome: "undone" });
    expect(await query(`SELECT code FROM app.orders WHERE id = 9`)).toEqual([
      { code: "no number" },
    ]);
  });

  it("is one ALTER TYPE where PostgreSQL writes no row anew", async () => {
    const file = async () =>
      query(`SELECT relfilenode FROM pg_class WHERE relname IN ('orders', 'notes') ORDER BY 1`);
    const before = await file();
    for (const type of ["varchar(30)", "text"]) {
      const made = await make("note", type);
      expect(made.steps.map(({ id }) => id)).toContain("change-type");
      expect(await apply(engine.db(), made)).toMatchObject({ outcome: "applied" });
    }
    expect(await file()).toEqual(before);
    await expect(query(`INSERT INTO app.orders (note) VALUES ('')`)).rejects.toThrow(/note_check/);
    expect((await make("amount", "numeric")).steps.map(({ id }) => id)).toContain("swap");
  });

  describe("refuses by name", () => {
    it.each([
      [
        "a generated column that uses it",
        "ALTER TABLE app.orders ADD g int GENERATED ALWAYS AS (amount + 1) STORED",
        "amount",
        /the generated column g/,
      ],
      [
        "a materialized view",
        "CREATE MATERIALIZED VIEW app.m AS SELECT amount FROM app.orders",
        "amount",
        /the materialized view .*"m"/,
      ],
      [
        "a materialized view over a view",
        "CREATE MATERIALIZED VIEW app.m AS SELECT amount FROM app.amounts",
        "amount",
        /the materialized view .*"m"/,
      ],
      [
        "a foreign key to it",
        "CREATE TABLE app.lines (o int CONSTRAINT to_order REFERENCES app.orders)",
        "id",
        /the foreign key to_order/,
      ],
      [
        "an identity column",
        "ALTER TABLE app.orders ADD i int GENERATED ALWAYS AS IDENTITY",
        "i",
        /is an identity column/,
      ],
      [
        "an exclusion constraint",
        "ALTER TABLE app.orders ADD CONSTRAINT apart EXCLUDE (amount WITH =)",
        "amount",
        /the constraint apart .* excludes/,
      ],
      [
        "a deferrable constraint",
        "ALTER TABLE app.orders ADD CONSTRAINT late UNIQUE (amount) DEFERRABLE",
        "amount",
        /the constraint late .* is deferrable/,
      ],
      [
        "an SQL function",
        "CREATE FUNCTION app.f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(amount) FROM app.orders; END",
        "amount",
        /the function with an SQL body/,
      ],
    ])("%s", async (_, prepare, column, message) => {
      await query(prepare);
      await expect(make(column, "bigint")).rejects.toThrow(message);
    });

    it("a partitioned table", async () => {
      await query(`CREATE TABLE app.parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)`);
      const read = await facts();
      expect(() =>
        changeColumnType({
          facts: read,
          schema: "app",
          table: "parted",
          column: "n",
          type: "bigint",
        }),
      ).toThrow(/is partitioned/);
      expect(() =>
        changeColumnType({
          facts: read,
          schema: "app",
          table: "parted",
          column: "id",
          type: "bigint",
        }),
      ).toThrow(/is partitioned by id/);
    });

    it("extended statistics, when it is applied", async () => {
      await query(`CREATE STATISTICS app.s ON amount, kind FROM app.orders`);
      const report = await apply(engine.db(), await make("amount", "bigint"));
      expect(report.failure?.message).toMatch(/extended statistics/);
    });
  });
});
