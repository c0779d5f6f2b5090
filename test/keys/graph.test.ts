import { beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import { twinName } from "../../src/recipes/keys/conversion.ts";
import { carriedText } from "../../src/recipes/keys/carried-text.ts";
import { defaultPhases, integerKeyed, keyClasses } from "../../src/recipes/keys/graph.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";

const setup = `CREATE SCHEMA a; CREATE SCHEMA "we""ird Schema";
  CREATE TABLE a.users (id int PRIMARY KEY, tenant int, above int REFERENCES a.users, UNIQUE (tenant, id));
  CREATE TABLE a.tenants (id int PRIMARY KEY, owner int REFERENCES a.users);
  ALTER TABLE a.users ADD FOREIGN KEY (tenant) REFERENCES a.tenants;
  CREATE TABLE a.profiles (user_id int PRIMARY KEY REFERENCES a.users);
  CREATE TABLE "we""ird Schema"."po""sts" (id bigint PRIMARY KEY, t int, u int, p int REFERENCES a.profiles,
    FOREIGN KEY (t, u) REFERENCES a.users (tenant, id));
  CREATE TABLE a.lines (post bigint REFERENCES "we""ird Schema"."po""sts", n int, PRIMARY KEY (post, n));
  CREATE TABLE a.codes (code text PRIMARY KEY);
  CREATE TABLE a.both (id int PRIMARY KEY, x int REFERENCES a.users, CONSTRAINT other FOREIGN KEY (x) REFERENCES a.tenants);`;

describe("the graph of keys", () => {
  let facts: Facts;
  beforeAll(async () => {
    const database = await createTestDatabase({ setup });
    facts = await readFacts(database.db, { schemas: ["a", 'we"ird Schema'] });
    await database.close();
  });
  const without = (...names: readonly string[]): Facts => ({
    ...facts,
    constraints: facts.constraints.filter(({ name }) => !names.includes(name)),
  });
  const classes = (names: readonly string[], of = without("other")) =>
    keyClasses(
      of,
      names.map((name) => ({ schema: "a", name })),
    ).map(({ root, column, members }) => [
      `${root.name}.${column}`,
      ...members.slice(1).map((each) => `${each.table.name}.${each.column.name}`),
    ]);

  it("follows foreign keys through others: of itself, in circles, in parts of keys, through keys that are keys of others", () => {
    expect(classes(["users"])).toEqual([
      [
        "users.id",
        "both.x",
        "profiles.user_id",
        "tenants.owner",
        "users.above",
        'po"sts.p',
        'po"sts.u',
      ],
    ]);
    expect(classes(["tenants"])).toEqual([["tenants.id", "users.tenant", 'po"sts.t']]);
    expect(classes(["users", "profiles"])).toHaveLength(1);
  });

  it("finds every table whose key is one integer, and puts those first to which nothing refers", () => {
    const all = integerKeyed(without("other"));
    expect(all.map(({ name }) => name)).toEqual(["both", "profiles", "tenants", "users", 'po"sts']);
    expect(
      defaultPhases(keyClasses(without("other"), all)).map(({ name, classes: of }) => [
        name,
        ...of.map(({ root }) => root.name),
      ]),
    ).toEqual([
      ["leaves", "both"],
      ["hubs", "users", "tenants", 'po"sts'],
    ]);
  });

  it("refuses by name what has two meanings, another owner, or no integer", () => {
    expect(() => classes(["users"], facts)).toThrow(/"a"."both".x refers to/);
    expect(() => classes(["profiles"])).toThrow(/that of "a"."users"/);
    const make = (tables: readonly string[]) => () =>
      convertPrimaryKey({ facts, schema: "a", tables, to: "uuid" });
    expect(make(["codes"])).toThrow(/not one integer/);
    expect(make(["lines"])).toThrow(/not one integer/);
    expect(make(["nobody"])).toThrow(/no table "a"."nobody"/);
    const more = (options: object) => () =>
      convertPrimaryKey({
        facts: without("other"),
        schema: "a",
        tables: "all",
        to: "uuid",
        ...options,
      });
    expect(more({ phases: [{ name: "one", tables: ["users"] }] })).toThrow(
      /not in exactly one phase/,
    );
    expect(more({ names: { users: { nothing: "x" } } })).toThrow(/users.nothing/);
    expect(more({ leave: ["nothing"] })).toThrow(/leave names nothing/);
    expect(more({ checks: [{ title: "t", sql: "s", phase: "nothing" }] })).toThrow(/phase nothing/);
    expect(more({ to: "bigint" })).toThrow(/not yet to bigint/);
    expect(more({ surrogates: { codes: "id" } })).toThrow(/no primary key of several columns/);
  });

  it("calls columns after what they were called, and steps by tables", () => {
    expect(["id", "user_id", "userId", "owner", "ID_"].map(twinName)).toEqual([
      "uuid",
      "user_uuid",
      "userUuid",
      "owner_uuid",
      "ID__uuid",
    ]);
    const plan = convertPrimaryKey({
      facts: without("other"),
      schema: "a",
      tables: ["users"],
      to: "uuid",
    });
    expect(plan.name).toBe("convert-primary-key-a-users-to-uuid");
    expect(plan.steps.map(({ id }) => id)).toContain('keys/we"ird Schema.po"sts/follow');
  });

  it("carries over what asks for NULL and for equality, and no more", () => {
    const names = new Map([
      ["a_id", "a_uuid"],
      ["b", "b'2"],
    ]);
    expect(carriedText("((a_id IS NULL) OR (b <> a_id))", names)).toBe(
      `(("a_uuid" IS NULL) OR ("b'2" <> "a_uuid"))`,
    );
    expect(carriedText("(num_nonnulls(a_id, b) = 1)", names)).toBe(
      `(num_nonnulls("a_uuid", "b'2") = 1)`,
    );
    expect(carriedText("(c > 0)", names)).toBe("(c > 0)");
    for (const text of ["(a_id > 0)", "(a_id = 1)", "(abs(b) = 1)", "(a_id = c)"])
      expect(carriedText(text, names)).toBeUndefined();
  });
});
