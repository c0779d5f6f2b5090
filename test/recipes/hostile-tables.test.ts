import { beforeEach, describe, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Plan } from "../../src/plan/step.ts";
import { changeColumnType } from "../../src/recipes/change-column-type.ts";
import { dropColumn } from "../../src/recipes/drop-column.ts";
import { enableRls } from "../../src/recipes/enable-rls.ts";
import { removeEnumValue } from "../../src/recipes/remove-enum-value.ts";
import { renameColumn } from "../../src/recipes/rename-column.ts";
import { renameTable } from "../../src/recipes/rename-table.ts";
import { splitColumn } from "../../src/recipes/split-column.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";

const setup = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE DOMAIN app.positive AS integer CHECK (VALUE > 0);
  CREATE DOMAIN app.filled AS text NOT NULL;
  CREATE TYPE app.mood AS ENUM ('sad', 'ok');
  CREATE TABLE app.items (id integer PRIMARY KEY, amount integer, size app.positive, kind app.filled DEFAULT 'x',
    note text, short varchar(5), mood app.mood);
  CREATE INDEX ON app.items (short) WHERE short IS NOT NULL;
  INSERT INTO app.items SELECT g, g, g, 'x', 'a note of more than five', 'n' FROM generate_series(1, 5) g;`;

onEngines("On tables that are made to break them, recipes", (engine) => {
  beforeEach(async () => {
    await engine.executor().query(setup);
  });

  const query = (text: string) => engine.executor().query(text);
  const of = async () =>
    ({
      facts: await readFacts(engine.db(), { schemas: ["app"] }),
      schema: "app",
      table: "items",
    }) as const;
  const failureOf = async (plan: Plan) => {
    const { outcome, failure } = await apply(engine.db(), plan);
    expect(outcome).toBe("failed");
    return `${failure?.step ?? ""}: ${failure?.message ?? ""}`;
  };
  const fileOf = () => query(`SELECT pg_relation_filenode('app.items') AS file`);

  describe("with another owner than who runs the plan", () => {
    it.each(["change", "rename"])("leave its views to that owner: %s", async (way) => {
      await query(`CREATE VIEW app.seen AS SELECT amount FROM app.items;
        ALTER TABLE app.items OWNER TO pg_monitor; ALTER VIEW app.seen OWNER TO pg_monitor`);
      const made =
        way === "change"
          ? changeColumnType({ ...(await of()), column: "amount", type: "bigint" })
          : renameTable({ ...(await of()), to: "things" });
      const owners = () =>
        query(`SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class
          WHERE relkind IN ('r', 'v') AND relnamespace = 'app'::regnamespace`);
      await apply(engine.db(), made);
      expect(await owners()).toEqual([{ owner: "pg_monitor" }]);
      await undo(engine.db(), made);
      expect(await owners()).toEqual([{ owner: "pg_monitor" }]);
    });
  });

  it("add no column of a domain whose constraints would have every row written anew", async () => {
    const before = await fileOf();
    const plans = [
      renameColumn({ ...(await of()), column: "size", to: "extent" }),
      changeColumnType({ ...(await of()), column: "amount", type: "app.positive" }),
      splitColumn({
        ...(await of()),
        column: "note",
        value: "first::text",
        into: [
          { name: "first", type: "app.positive", value: "length(note)" },
          { name: "second", type: "text", value: "note" },
        ],
      }),
    ];
    for (const made of plans)
      expect(await failureOf(made)).toMatch(/can-be-kept-alike.*positive.*is a domain/s);
    expect(await fileOf()).toEqual(before);
  });

  it("leave a column alone that no INSERT may leave out", async () => {
    const made = changeColumnType({ ...(await of()), column: "kind", type: "text" });
    expect(await failureOf(made)).toMatch(/can-be-kept-alike.*filled.*is a domain/s);
    await query(`INSERT INTO app.items (id, kind) VALUES (9, 'y')`);
  });

  it("change away from a domain with a CHECK", async () => {
    const made = changeColumnType({ ...(await of()), column: "size", type: "bigint" });
    expect(await apply(engine.db(), made)).toMatchObject({ outcome: "waiting" });
    expect((await undo(engine.db(), made)).outcome).toBe("undone");
  });

  it("cut no value to the length of a new type", async () => {
    const made = changeColumnType({ ...(await of()), column: "note", type: "varchar(5)" });
    expect((await apply(engine.db(), made)).outcome).not.toBe("waiting");
    expect(await query(`SELECT DISTINCT note FROM app.items`)).toEqual([
      { note: "a note of more than five" },
    ]);
  });

  it("cut no value that was written in the new type when it is written in the old", async () => {
    // Its partial index keeps the change from being instant.
    const made = changeColumnType({ ...(await of()), column: "short", type: "text" });
    expect(await apply(engine.db(), made)).toMatchObject({ outcome: "waiting" });
    await query(`UPDATE app.items SET short = 'fits' WHERE id = 1`);
    await expect(
      query(`UPDATE app.items SET short = 'too long for it' WHERE id = 2`),
    ).rejects.toThrow(/too long/);
  });

  it("touch no column that another change keeps alike", async () => {
    await apply(engine.db(), renameColumn({ ...(await of()), column: "note", to: "remark" }));
    const plans = [
      renameColumn({ ...(await of()), column: "remark", to: "comment" }),
      changeColumnType({ ...(await of()), column: "remark", type: "varchar" }),
      dropColumn({ ...(await of()), column: "note" }),
    ];
    for (const made of plans)
      expect(await failureOf(made)).toMatch(/zzz_underpin_sync_rename_note/);
    await query(`INSERT INTO app.items (id, note) VALUES (9, 'y')`);
  });

  it.each([
    "ALTER TABLE app.items ADD CONSTRAINT came_later CHECK (amount > 0)",
    "CREATE INDEX came_later ON app.items (id) WHERE amount > 0",
    "ALTER TABLE app.items ALTER amount SET NOT NULL",
  ])("lose nothing that came after their plan was made: %s", async (later) => {
    const made = changeColumnType({ ...(await of()), column: "amount", type: "bigint" });
    await query(later);
    expect(await failureOf(made)).toMatch(/nothing-came-since.*(?:came_later|NOT NULL)/s);
    expect((await undo(engine.db(), made)).outcome).toBe("undone");
  });

  it("lose no value of an enum that came after their plan was made, there and back", async () => {
    const facts = (await of()).facts;
    const made = removeEnumValue({ facts, schema: "app", type: "mood", value: "sad" });
    const labels = () => query(`SELECT array_to_string(enum_range(NULL::app.mood), ',') AS labels`);
    await apply(engine.db(), made);
    await query(`ALTER TYPE app.mood ADD VALUE 'calm'`);
    expect((await undo(engine.db(), made)).failure?.message).toMatch(/others than when/);
    expect(await labels()).toEqual([{ labels: "ok,calm" }]);
    await query(setup);
    await query(`ALTER TYPE app.mood ADD VALUE 'calm'`);
    expect(await failureOf(made)).toMatch(/swap: .*others than when/s);
    expect(await labels()).toEqual([{ labels: "sad,ok,calm" }]);
  });

  it("lock nobody out who may read some columns only", async () => {
    await query(`GRANT SELECT (id) ON app.items TO pg_monitor`);
    const policies = [{ name: "own", roles: ["pg_read_all_data"], using: "true" }] as const;
    const made = enableRls({ ...(await of()), policies, lockedOut: ["pg_read_all_stats"] });
    expect(await failureOf(made)).toMatch(/pg_monitor/);
  });

  it("refuse a trigger of a partition that would fire after theirs", async () => {
    await query(`CREATE TABLE app.parted (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
      CREATE TABLE app.part PARTITION OF app.parted FOR VALUES FROM (0) TO (9);
      CREATE TRIGGER zzzz BEFORE UPDATE ON app.part FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`);
    const given = { ...(await of()), table: "parted" };
    expect(() => renameColumn({ ...given, column: "v", to: "w" })).toThrow(
      /zzzz of "app"."part" fires after/,
    );
  });

  it("let a waiting change be confirmed after all that", async () => {
    const made = changeColumnType({ ...(await of()), column: "amount", type: "bigint" });
    await apply(engine.db(), made);
    await confirm(engine.db(), made.name, "new-type-stays");
    expect((await apply(engine.db(), made)).outcome).toBe("applied");
  });
});
