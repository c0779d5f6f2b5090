import { beforeAll, describe, expect, it } from "vitest";
import type { Queryable } from "../../src/executor/executor.ts";
import {
  createSyncStep,
  dropSyncSql,
  syncBackfill,
  syncFunctionSql,
  type SyncTrigger,
} from "../../src/recipes/sync-trigger.ts";
import { qualified } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";

const table = { schema: 'we"ird Schema', name: 'ta"ble' };
const path = qualified(table.schema, table.name);

/** One number, kept as text by old versions of an application and as an integer by new ones. */
const sync: SyncTrigger = {
  table,
  name: "count",
  columns: ["id", 'co"l', "count", "up_1"],
  old: [{ name: 'co"l', type: "text", value: `"count"::text` }],
  new: [{ name: "count", type: "integer", value: `"co""l"::integer` }],
  direction: "both",
};

const row = async (db: Queryable, id: number) => {
  const [found] = await db.query<{ old: string | null; new: number | null }>(
    `SELECT "co""l" AS old, "count" AS new FROM ${path} WHERE id = ${id}`,
  );
  return found && [found.old, found.new];
};

onEngines("A sync trigger", (engine) => {
  /** Makes a table with rows that were there before, and the trigger. */
  const begin = async (changes: Partial<SyncTrigger> = {}, columns = "") => {
    const db = engine.executor();
    await db.query(`DROP SCHEMA IF EXISTS "we""ird Schema" CASCADE; CREATE SCHEMA "we""ird Schema";
      CREATE TABLE ${path} (id integer PRIMARY KEY, "co""l" text, "count" integer, up_1 text ${columns});
      INSERT INTO ${path} VALUES (1, '007', NULL), (2, NULL, NULL)`);
    const used = { ...sync, ...changes };
    await db.query(createSyncStep(used, "sync", "Sync").sql);
    return { db, used };
  };

  it("fills the side that was not written", async () => {
    const { db } = await begin();
    await db.query(`INSERT INTO ${path} (id, "co""l") VALUES (3, '30')`);
    await db.query(`INSERT INTO ${path} (id, "count") VALUES (4, 40)`);
    await db.query(`INSERT INTO ${path} (id) VALUES (5)`);
    expect([await row(db, 3), await row(db, 4), await row(db, 5)]).toEqual([
      ["30", 30],
      ["40", 40],
      [null, null],
    ]);
    await db.query(`UPDATE ${path} SET "co""l" = '31' WHERE id = 3`);
    await db.query(`UPDATE ${path} SET "count" = 41 WHERE id = 4`);
    expect([await row(db, 3), await row(db, 4)]).toEqual([
      ["31", 31],
      ["41", 41],
    ]);
    await db.query(`UPDATE ${path} SET "co""l" = NULL WHERE id = 3`);
    await db.query(`UPDATE ${path} SET "count" = NULL WHERE id = 4`);
    expect([await row(db, 3), await row(db, 4)]).toEqual([
      [null, null],
      [null, null],
    ]);
  });

  it("lets the new side win where one statement writes both, and not alike", async () => {
    const { db } = await begin();
    await db.query(`INSERT INTO ${path} (id, "co""l", "count") VALUES (3, '1', 2)`);
    expect(await row(db, 3)).toEqual(["2", 2]);
    await db.query(`UPDATE ${path} SET "co""l" = '5', "count" = 6 WHERE id = 3`);
    expect(await row(db, 3)).toEqual(["6", 6]);
    // Alike is no conflict: the text stays as it was written.
    await db.query(`UPDATE ${path} SET "co""l" = '008', "count" = 8 WHERE id = 3`);
    expect(await row(db, 3)).toEqual(["008", 8]);
  });

  it("refuses a conflict where that is asked for", async () => {
    const { db } = await begin({ onConflict: "error" });
    await expect(
      db.query(`INSERT INTO ${path} (id, "co""l", "count") VALUES (3, '1', 2)`),
    ).rejects.toThrow(/one statement wrote co"l and count of ta"ble, and not alike/);
    await db.query(`INSERT INTO ${path} (id, "co""l", "count") VALUES (3, '01', 1)`);
    expect(await row(db, 3)).toEqual(["01", 1]);
  });

  it("does not turn back what a backfill writes, and leaves a row alone whose sides nobody wrote", async () => {
    const { db, used } = await begin();
    await db.query(`UPDATE ${path} SET up_1 = 'x'`);
    expect(await row(db, 1)).toEqual(["007", null]);
    const { set, where } = syncBackfill(used);
    await db.query(`UPDATE ${path} AS target SET ${set} WHERE ${where}`);
    expect(await row(db, 1)).toEqual(["007", 7]);
    const left = await db.query(`SELECT 1 FROM ${path} AS target WHERE ${where}`);
    expect(left).toEqual([]);
  });

  it("follows one way only where that is asked for", async () => {
    const { db, used } = await begin({ direction: "up" });
    await db.query(`INSERT INTO ${path} (id, "co""l") VALUES (3, '3')`);
    await db.query(`UPDATE ${path} SET "count" = 9 WHERE id = 3`);
    expect(await row(db, 3)).toEqual(["3", 9]);
    await db.query(syncFunctionSql({ ...used, direction: "down" }, "CREATE OR REPLACE"));
    await db.query(`UPDATE ${path} SET "count" = 10 WHERE id = 3`);
    expect(await row(db, 3)).toEqual(["10", 10]);
    await db.query(`UPDATE ${path} SET up_1 = 'untouched' WHERE id = 1`);
    expect(await row(db, 1)).toEqual(["007", null]);
  });

  it("tells an explicit NULL from a default, on either side", async () => {
    const { db } = await begin({
      old: [{ name: 'co"l', type: "text", value: `"count"::text`, unwritten: "'7'" }],
      new: [{ name: "count", type: "integer", value: `"co""l"::integer`, unwritten: "7" }],
    });
    await db.query(
      `ALTER TABLE ${path} ALTER "co""l" SET DEFAULT '7', ALTER "count" SET DEFAULT 7`,
    );
    await db.query(`INSERT INTO ${path} (id, "co""l") VALUES (3, NULL)`);
    await db.query(`INSERT INTO ${path} (id, "count") VALUES (4, NULL)`);
    await db.query(`INSERT INTO ${path} (id) VALUES (5)`);
    await db.query(`INSERT INTO ${path} (id, "co""l") VALUES (6, '8')`);
    expect(await Promise.all([3, 4, 5, 6].map((id) => row(db, id)))).toEqual([
      [null, null],
      [null, null],
      ["7", 7],
      ["8", 8],
    ]);
  });

  it("fires for what a subscription applies, and after the triggers of the application", async () => {
    const { db } = await begin();
    await db.query(`CREATE FUNCTION "we""ird Schema".trim() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW."co""l" := trim(NEW."co""l"); RETURN NEW; END $$;
      CREATE TRIGGER zz_trim BEFORE INSERT OR UPDATE ON ${path} FOR EACH ROW EXECUTE FUNCTION "we""ird Schema".trim()`);
    await db.query(`INSERT INTO ${path} (id, "co""l") VALUES (3, ' 3 ')`);
    expect(await row(db, 3)).toEqual(["3", 3]);
    await db.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query(`INSERT INTO ${path} (id, "co""l") VALUES (4, '4')`);
    });
    expect(await row(db, 4)).toEqual(["4", 4]);
  });

  it("goes on when the table gets and loses other columns", async () => {
    const { db, used } = await begin();
    await db.transaction(async (tx) => {
      await tx.query(`INSERT INTO ${path} (id, "count") VALUES (3, 3)`);
      await tx.query(`ALTER TABLE ${path} DROP COLUMN up_1, ADD COLUMN more text DEFAULT 'x'`);
      await tx.query(`INSERT INTO ${path} (id, "co""l") VALUES (4, '4')`);
      expect(await row(tx, 4)).toEqual(["4", 4]);
    });
    await db.query(dropSyncSql(used));
    await db.query(`INSERT INTO ${path} (id, "count") VALUES (5, 5)`);
    expect(await row(db, 5)).toEqual([null, 5]);
  });

  describe("on several columns and odd types", () => {
    beforeAll(() => begin());

    it("splits and merges, and tells json and numbers by their image", async () => {
      const db = engine.executor();
      await db.query(
        `ALTER TABLE ${path} ADD first text, ADD last text, ADD j json, ADD n numeric`,
      );
      const split: SyncTrigger = {
        table,
        name: "names",
        columns: ["id", "up_1", "first", "last", "j", "n"],
        old: [
          { name: "up_1", type: "text", value: "first || ' ' || last" },
          { name: "j", type: "json", value: "pg_catalog.to_json(n)" },
        ],
        new: [
          { name: "first", type: "text", value: "split_part(target.up_1, ' ', 1)" },
          { name: "last", type: "text", value: "split_part(up_1, ' ', 2)" },
          { name: "n", type: "numeric", value: "(j #>> '{}')::numeric" },
        ],
        direction: "both",
      };
      await db.query(createSyncStep(split, "sync", "Sync").sql);
      await db.query(`INSERT INTO ${path} (id, up_1, j) VALUES (10, 'Ada Lovelace', '1.0')`);
      await db.query(`UPDATE ${path} SET j = '1.00' WHERE id = 10`);
      const [found] = await db.query(
        `SELECT first, last, n::text, j::text FROM ${path} WHERE id = 10`,
      );
      expect(found).toEqual({ first: "Ada", last: "Lovelace", n: "1.00", j: "1.00" });
      await db.query(`UPDATE ${path} SET last = 'Byron', n = 2 WHERE id = 10`);
      expect(await db.query(`SELECT up_1, j::text FROM ${path} WHERE id = 10`)).toEqual([
        { up_1: "Ada Byron", j: "2" },
      ]);
    });
  });
});
