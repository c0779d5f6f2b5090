// Long because: what each recipe does with rows, and what it refuses, in one database.
import { integer, pgTable, serial, text, timestamp } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor, Row } from "../../src/executor/executor.ts";
import type { Plan } from "../../src/plan/step.ts";
import { addCheck } from "../../src/recipes/add-check.ts";
import { addColumn } from "../../src/recipes/add-column.ts";
import { addPrimaryKey, addUnique } from "../../src/recipes/add-unique.ts";
import { createMaterializedView } from "../../src/recipes/create-materialized-view.ts";
import { dropColumn } from "../../src/recipes/drop-column.ts";
import { dropIndex } from "../../src/recipes/drop-index.ts";
import { enableRls } from "../../src/recipes/enable-rls.ts";
import { addEnumValue } from "../../src/recipes/enum-value.ts";
import { removeEnumValue } from "../../src/recipes/remove-enum-value.ts";
import { replaceIndex } from "../../src/recipes/replace-index.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";

let database: TestDatabase;
let db: Executor;
beforeAll(async () => {
  database = await createTestDatabase();
  db = toExecutor(database.db);
});
afterAll(() => database.close());

/** Makes tables anew and reads what there is. */
async function given(setup: string): Promise<Facts> {
  await db.query(`DROP SCHEMA IF EXISTS public, underpin CASCADE; CREATE SCHEMA public; ${setup}`);
  return readFacts(db, { schemas: ["public"] });
}

const rows = (sql: string): Promise<readonly Row[]> => db.query(sql);

async function failureOf(plan: Plan): Promise<string> {
  const { outcome, failure } = await apply(db, plan);
  expect(outcome).toBe("failed");
  return failure?.message ?? "";
}

const users = `CREATE TABLE users (id integer PRIMARY KEY, email text);
  INSERT INTO users SELECT g, 'x' || g FROM generate_series(1, 50) g;`;

describe("addColumn", () => {
  it("gives each old row and each new row a value of its own", async () => {
    const facts = await given(users);
    const token = { column: "token", type: "uuid", default: "gen_random_uuid()" } as const;
    const plan = addColumn({ facts, table: "users", ...token, notNull: true, batchSize: 7 });
    expect((await apply(db, plan)).outcome).toBe("applied");
    await db.query("INSERT INTO users VALUES (51, 'new')");
    expect(await rows("SELECT count(DISTINCT token)::int AS n FROM users")).toEqual([{ n: 51 }]);
  });

  it("takes back what it was told to be instant and was not", async () => {
    const facts = await given(users);
    const message = await failureOf(
      addColumn({
        facts,
        table: "users",
        column: "token",
        type: "uuid",
        default: "gen_random_uuid()",
        evaluate: "once",
      }),
    );
    expect(message).toMatch(/users.*was rewritten, and it was taken back/);
    expect(await rows("SELECT * FROM users LIMIT 1")).toEqual([{ id: 1, email: "x1" }]);
  });

  it("knows which defaults are one value for all rows", async () => {
    const facts = await given(users);
    const steps = (value: string) =>
      addColumn({ facts, table: "users", column: "c", type: "text", default: value }).steps.length;
    for (const value of ["'it''s'", "-1.5", "true", "now()", "'{}'::jsonb", "CURRENT_TIMESTAMP"])
      expect([value, steps(value)]).toEqual([value, 2]);
    for (const value of ["clock_timestamp()", "nextval('s')", "'a' || random()", "lower('a')"])
      expect([value, steps(value)]).toEqual([value, 3]);
  });

  it("reads a Drizzle column, and refuses what it would leave out", async () => {
    const facts = await given(users);
    const drizzle = pgTable("users", {
      nick: text("nick_name"),
      number: serial("number"),
      at: timestamp("at").defaultNow(),
      once: text("once").unique(),
      double: integer("double").generatedAlwaysAs(1),
      counted: integer("counted").generatedAlwaysAsIdentity(),
    });
    expect(addColumn({ facts, table: drizzle, column: drizzle.nick }).steps[0]).toMatchObject({
      sql: 'ALTER TABLE "public"."users" ADD COLUMN "nick_name" text',
    });
    const refused = (column: Parameters<typeof addColumn>[0]["column"]) => () =>
      addColumn({ facts, table: drizzle, column });
    expect(refused(drizzle.number)).toThrow("number cannot be added as serial");
    expect(refused(drizzle.at)).toThrow("the default of the Drizzle column at is not read");
    expect(refused(drizzle.once)).toThrow("once is unique, which is another change");
    expect(refused(drizzle.double)).toThrow("double cannot be added as a generated column");
    expect(refused(drizzle.counted)).toThrow("counted cannot be added as an identity");
  });

  it("refuses by name what would rewrite the table, or cannot be", async () => {
    const facts = await given(`${users}
      CREATE DOMAIN price AS numeric CHECK (VALUE > 0);
      CREATE TABLE parted (id integer PRIMARY KEY) PARTITION BY HASH (id);
      CREATE TABLE part PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
      CREATE TABLE keyless (id integer)`);
    const add =
      (table: string, type: string, more: object = {}) =>
      () =>
        addColumn({ facts, table, column: "c", type, ...more });
    expect(add("users", "bigserial")).toThrow("c cannot be added as bigserial");
    expect(add("users", "int GENERATED BY DEFAULT AS IDENTITY")).toThrow("as an identity");
    expect(add("users", "int GENERATED ALWAYS AS (id + 1) STORED")).toThrow("generated column");
    expect(add("users", "price")).toThrow("the constraints of a domain make PostgreSQL rewrite");
    expect(add("users", "int", { notNull: true })).toThrow("cannot be NOT NULL without a default");
    expect(add("part", "int")).toThrow('is a partition of "public"."parted"');
    expect(add("keyless", "float", { default: "random()" })).toThrow("has no key to go through");
    expect(() => addColumn({ facts, table: "users", column: "email", type: "text" })).toThrow(
      '"public"."users" has a column email already',
    );
  });
});

describe("addCheck", () => {
  it("stops at a row that breaks it, holds for new rows, and goes on once it is mended", async () => {
    await given(`${users} INSERT INTO users VALUES (99, '')`);
    const plan = addCheck({ table: "users", name: "filled", expression: "email <> ''" });
    expect(await failureOf(plan)).toMatch(/filled/);
    await expect(db.query("INSERT INTO users VALUES (100, '')")).rejects.toThrow(/filled/);
    await db.query("UPDATE users SET email = 'mended' WHERE id = 99");
    expect((await apply(db, plan)).outcome).toBe("applied");
  });
});

describe("addUnique and addPrimaryKey", () => {
  it("show the values of rows that are alike, and leave nothing behind", async () => {
    const facts = await given(`CREATE TABLE t (a integer, b text);
      INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, NULL), (2, NULL)`);
    const unique = await failureOf(addUnique({ facts, table: "t", columns: ["a", "b"] }));
    expect(unique).toContain('found rows: [{"a":1,"b":"x","rows":"2"}]');
    const primary = await failureOf(addPrimaryKey({ facts, table: "t", columns: ["a", "b"] }));
    expect(primary).toContain('{"a":2,"b":null,"rows":"2"}');
    expect((await readFacts(db, { schemas: ["public"] })).constraints).toEqual(facts.constraints);
  });

  it("refuse a second primary key, a column that is not there, and one that the partitions need", async () => {
    const facts = await given(`${users}
      CREATE TABLE parted (id integer, at integer) PARTITION BY HASH (at);`);
    expect(() => addPrimaryKey({ facts, table: "users", columns: ["email"] })).toThrow(
      '"public"."users" has the primary key users_pkey already',
    );
    expect(() => addUnique({ facts, table: "users", columns: ["mail"] })).toThrow("no column mail");
    expect(() => addUnique({ facts, table: "parted", columns: ["id"] })).toThrow("at is missing");
  });

  it("hold on every partition, and on one that comes later", async () => {
    const facts = await given(`CREATE TABLE parted (id integer, at integer) PARTITION BY LIST (at);
      CREATE TABLE one PARTITION OF parted FOR VALUES IN (1);`);
    const plan = addPrimaryKey({ facts, table: "parted", columns: ["id", "at"] });
    expect((await apply(db, plan)).outcome).toBe("applied");
    await db.query("CREATE TABLE two PARTITION OF parted FOR VALUES IN (2)");
    for (const at of [1, 2]) {
      await db.query(`INSERT INTO parted VALUES (7, ${at})`);
      await expect(db.query(`INSERT INTO parted VALUES (7, ${at})`)).rejects.toThrow(/duplicate/);
    }
  });
});

describe("dropColumn", () => {
  const setup = `CREATE TABLE t (id integer PRIMARY KEY, old text NOT NULL);
    INSERT INTO t VALUES (1, 'kept')`;

  it("brings back the very column, once the rows that were written without it are filled", async () => {
    const facts = await given(setup);
    const plan = dropColumn({ facts, table: "t", column: "old" });
    expect((await apply(db, plan)).outcome).toBe("waiting");
    await db.query("INSERT INTO t (id) VALUES (2)");
    await confirm(db, plan.name, "nobody-reads-it");
    expect((await apply(db, plan)).outcome).toBe("waiting");
    await expect(db.query("SELECT old FROM t")).rejects.toThrow(/old/);
    const stopped = await undo(db, plan);
    expect(stopped).toMatchObject({ outcome: "failed", failure: { sqlState: "23514" } });
    await db.query("UPDATE t SET old = 'filled' WHERE id = 2");
    expect((await undo(db, plan)).outcome).toBe("undone");
    expect(await rows("SELECT id, old FROM t ORDER BY id")).toEqual([
      { id: 1, old: "kept" },
      { id: 2, old: "filled" },
    ]);
    await expect(db.query("INSERT INTO t (id) VALUES (3)")).rejects.toThrow(/null value/);
  });

  it("drops it behind the second gate, and says that this cannot be taken back", async () => {
    const facts = await given(setup);
    const plan = dropColumn({ facts, table: "t", column: "old", filler: "''" });
    await apply(db, plan);
    await db.query("INSERT INTO t (id) VALUES (2)");
    await confirm(db, plan.name, "nobody-reads-it");
    await apply(db, plan);
    await confirm(db, plan.name, "nobody-misses-it");
    expect((await apply(db, plan)).outcome).toBe("applied");
    expect(await rows("SELECT * FROM t ORDER BY id")).toEqual([{ id: 1 }, { id: 2 }]);
    await expect(undo(db, plan)).rejects.toThrow("the values of old are gone");
  });

  it("refuses by name what uses the column", async () => {
    const facts = await given(`CREATE TABLE t (id integer PRIMARY KEY, a integer UNIQUE, b integer,
        twice integer GENERATED ALWAYS AS (b * 2) STORED, alone integer, CHECK (alone > 0));
      CREATE VIEW shown AS SELECT a FROM t; CREATE INDEX both_idx ON t (a, b);
      CREATE POLICY own ON t USING (b > 0); CREATE INDEX ON t (alone);
      CREATE TABLE pointing (t_a integer REFERENCES t (a));
      CREATE TABLE parted (id integer) PARTITION BY HASH (id);
      CREATE TABLE part PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)`);
    const drop =
      (column: string, table = "t") =>
      () =>
        dropColumn({ facts, table, column });
    expect(drop("a")).toThrow(
      'used by the view "public"."shown", the foreign key "pointing_t_a_fkey" of "public"."pointing", the index "public"."both_idx"',
    );
    expect(drop("b")).toThrow(/the column "twice" of .*the policy "own" of .*"both_idx"/);
    expect(drop("id")).toThrow('the constraint "t_pkey"');
    expect(drop("id", "parted")).toThrow('the partition key of "public"."parted"');
    expect(drop("id", "part")).toThrow("comes from the table above it");
    expect(drop("alone")().name).toBe("drop-column-public-t-alone");
  });

  it("finds what came after the facts were read, and what facts do not hold", async () => {
    const facts = await given(`${setup}; CREATE INDEX old_idx ON t (id) WHERE old <> ''`);
    const plan = dropColumn({ facts, table: "t", column: "old" });
    expect(await failureOf(plan)).toMatch(/index old_idx.*uses it/);
    await db.query("DROP INDEX old_idx; CREATE VIEW late AS SELECT old FROM t");
    expect(await failureOf(plan)).toMatch(/view late/);
    await db.query("DROP VIEW late; CREATE STATISTICS stats ON id, old FROM t");
    expect(await failureOf(plan)).toMatch(/statistics object stats/);
  });
});

describe("dropIndex and replaceIndex", () => {
  it("refuse an index that something relies on, with what to do instead", async () => {
    const facts = await given(`CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL);
      CREATE UNIQUE INDEX relied_on ON t (a); CREATE TABLE u (a integer REFERENCES t (a));
      CREATE UNIQUE INDEX identity_idx ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX identity_idx;
      CREATE INDEX clustered_idx ON t (a); ALTER TABLE t CLUSTER ON clustered_idx;
      CREATE TABLE parted (id integer) PARTITION BY HASH (id); CREATE INDEX whole_idx ON parted (id);
      CREATE TABLE part PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
      CREATE MATERIALIZED VIEW seen AS SELECT 1 AS a; CREATE INDEX seen_idx ON seen (a)`);
    for (const recipe of [dropIndex, replaceIndex]) {
      const on = (index: string) => () => recipe({ facts, index });
      expect(on("t_pkey")).toThrow('stands behind the constraint t_pkey of "public"."t"');
      expect(on("relied_on")).toThrow("the foreign key u_a_fkey");
      expect(on("identity_idx")).toThrow("is the replica identity");
      expect(on("clustered_idx")).toThrow("is marked to be clustered on");
      expect(on("whole_idx")).toThrow("is the index of a partitioned table");
      expect(on("part_id_idx")).toThrow('is the part of "public"."whole_idx"');
      expect(on("seen_idx")).toThrow("which is no table that the facts hold");
      expect(on("nowhere")).toThrow('the facts hold no index "public"."nowhere"');
    }
  });

  it("put a valid index in the place of an invalid one", async () => {
    await given(`CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (1)`);
    await expect(
      db.session((s) => s.query("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")),
    ).rejects.toThrow();
    await db.query("DELETE FROM t; INSERT INTO t VALUES (1)");
    const facts = await readFacts(db, { schemas: ["public"] });
    expect(facts.indexes.map(({ name, valid }) => [name, valid])).toEqual([["t_a", false]]);
    expect((await apply(db, replaceIndex({ facts, index: "t_a" }))).outcome).toBe("applied");
    const after = await readFacts(db, { schemas: ["public"] });
    expect(after.indexes.map(({ name, valid }) => [name, valid])).toEqual([["t_a", true]]);
  });
});

describe("enableRls", () => {
  const protect = (facts: Facts, more: object = {}) =>
    enableRls({
      facts,
      table: "users",
      policies: [{ name: "own", roles: ["reads_own"], using: "true", command: "select" }],
      ...more,
    });
  const roles = `DROP ROLE IF EXISTS reads_own, writes, owns; CREATE ROLE reads_own; CREATE ROLE writes;
    CREATE ROLE owns; GRANT CREATE, USAGE ON SCHEMA public TO owns;`;
  const setup = `${users} ${roles} ALTER TABLE users OWNER TO owns; GRANT SELECT ON users TO reads_own;`;

  it("names who would be locked out, and changes nothing", async () => {
    const facts = await given(`${setup} GRANT INSERT (email) ON users TO writes;`);
    const locked = await failureOf(protect(facts, { logins: ["writes"] }));
    expect(locked).toContain('{"role":"owns","may":"SELECT","reason":"and no policy lets it reach');
    expect(locked).toContain('{"role":"writes","may":"INSERT"');
    expect(locked).not.toContain("reads_own");
    expect((await readFacts(db, { schemas: ["public"] })).policies).toEqual([]);
    const plan = protect(facts, { logins: ["writes"], lockedOut: ["owns", "writes"] });
    expect((await apply(db, { ...plan, name: "allowed" })).outcome).toBe("applied");
  });

  it("finds the partition that is read around the policies", async () => {
    const facts = await given(`${roles} CREATE TABLE users (id integer) PARTITION BY HASH (id);
      CREATE TABLE part PARTITION OF users FOR VALUES WITH (MODULUS 1, REMAINDER 0);
      GRANT SELECT ON part TO writes`);
    expect(await failureOf(protect(facts, { force: false }))).toMatch(/part.*writes.*around/);
  });

  it("refuses without a policy that permits somebody something", async () => {
    const facts = await given(users);
    expect(() => protect(facts, { policies: [] })).toThrow("no policy names a role");
    expect(() =>
      protect(facts, { policies: [{ name: "less", roles: ["public"], restrictive: true }] }),
    ).toThrow("no policy names a role");
    expect(() => protect(facts, { policies: [{ name: "nobody", roles: [] }] })).toThrow(
      "the policy nobody names no role",
    );
  });
});

describe("createMaterializedView", () => {
  const view = (reads: readonly string[]) =>
    createMaterializedView({
      name: "seen",
      query: "SELECT u.email, count(*) AS n FROM public.users u, public.more m GROUP BY 1",
      reads: reads.map((name) => ({ schema: "public", name })),
      unique: { columns: ["email"] },
      every: "1 hour",
    });

  it("is filled, has its index, and wants to know all that it reads", async () => {
    await given(`${users} CREATE TABLE more (id integer); INSERT INTO more VALUES (1), (2)`);
    expect(await failureOf(view(["users"]))).toMatch(/more.*is read by the query/);
    await undo(db, view(["users"]).name);
    expect((await apply(db, view(["users", "more"]))).outcome).toBe("applied");
    await db.query("REFRESH MATERIALIZED VIEW CONCURRENTLY seen");
    expect(await rows("SELECT n::int FROM seen WHERE email = 'x1'")).toEqual([{ n: 2 }]);
  });
});

describe("a value of an enum", () => {
  const moods = `CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE people (id integer PRIMARY KEY, now mood, past mood[]);
    INSERT INTO people VALUES (1, 'ok', '{ok,sad}'), (2, 'sad', NULL)`;

  it("is added, stays when that is taken back, and may be added again", async () => {
    await given(moods);
    const plan = addEnumValue({ type: "mood", value: "ca'lm", before: "ok" });
    for (let time = 0; time < 2; time++) {
      expect((await apply(db, plan)).outcome).toBe("applied");
      expect(await rows("SELECT enum_range(NULL::mood)::text AS r")).toEqual([
        { r: "{sad,ca'lm,ok}" },
      ]);
      expect((await undo(db, plan)).outcome).toBe("undone");
    }
  });

  it("is not removed while rows use it, and their number is told", async () => {
    const facts = await given(moods);
    const plan = removeEnumValue({ facts, type: "mood", value: "sad" });
    const message = await failureOf(plan);
    expect(message).toContain('{"relation":"public.people","column":"now","rows":"1"}');
    expect(message).toContain('{"relation":"public.people","column":"past","rows":"1"}');
    await db.query("UPDATE people SET now = 'ok', past = '{ok}'");
    expect((await apply(db, plan)).outcome).toBe("applied");
    expect(await rows("SELECT * FROM people ORDER BY id LIMIT 1")).toMatchObject([{ now: "ok" }]);
    await expect(db.query("UPDATE people SET now = 'sad'")).rejects.toThrow(/mood/);
  });

  it("is not removed from a large table, nor from what a rewrite would break", async () => {
    const facts = await given(`${moods}; CREATE VIEW seen AS SELECT past FROM people;
      CREATE TYPE size AS ENUM ('s', 'm'); CREATE TABLE shirts (size size DEFAULT 's');
      CREATE INDEX ON shirts (size) WHERE size = 'm'; CREATE TABLE boxes (size size)`);
    const remove = (type: string, value: string) => removeEnumValue({ facts, type, value });
    expect(() => remove("mood", "sad")).toThrow('the view "public"."seen" uses "past"');
    expect(() => remove("size", "s")).toThrow('it is the default of "size" of "public"."shirts"');
    expect(() => remove("size", "xl")).toThrow("has no value xl");
    expect(await failureOf(remove("size", "m"))).toMatch(/index shirts_size_idx.*uses the type/);
    await db.query("DROP INDEX shirts_size_idx; DROP SCHEMA underpin CASCADE");
    const small = removeEnumValue({ facts, type: "size", value: "m", maxBytes: 0 });
    await db.query("INSERT INTO boxes VALUES ('s')");
    expect(await failureOf(small)).toMatch(
      /boxes.*is too large: move its column with changeColumn/,
    );
  });
});
