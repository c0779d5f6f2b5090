// Long because: one list of the recipes, and of what squawk says of them and why it is not so.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { lint } from "../../src/migrations/lint/lint.ts";
import { rewriteOnline } from "../../src/migrations/rewrite/rewrite-online.ts";
import { segment } from "../../src/plan/segment.ts";
import type { Plan } from "../../src/plan/step.ts";
import { addCheck } from "../../src/recipes/add-check.ts";
import { addColumn } from "../../src/recipes/add-column.ts";
import { addForeignKey } from "../../src/recipes/add-foreign-key.ts";
import { addPrimaryKey, addUnique } from "../../src/recipes/add-unique.ts";
import { changeColumnType } from "../../src/recipes/change-column-type.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { createMaterializedView } from "../../src/recipes/create-materialized-view.ts";
import { dropColumn } from "../../src/recipes/drop-column.ts";
import { dropIndex } from "../../src/recipes/drop-index.ts";
import { enableRls } from "../../src/recipes/enable-rls.ts";
import { addEnumValue, renameEnumValue } from "../../src/recipes/enum-value.ts";
import { removeEnumValue } from "../../src/recipes/remove-enum-value.ts";
import { renameColumn } from "../../src/recipes/rename-column.ts";
import { renameTable } from "../../src/recipes/rename-table.ts";
import { replaceIndex } from "../../src/recipes/replace-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { mergeColumns, splitColumn } from "../../src/recipes/split-column.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import { SCRIPTS, setupOf, worldIn } from "./rewrite-world.ts";

const schema = `we"ird Schema`;
const world = worldIn(schema);

/** Every recipe, on tables that are too large to be changed without ceremony. */
const recipes: Readonly<Record<string, (facts: Facts) => Plan>> = {
  addCheck: () => addCheck({ schema, table: "users", name: "grown", expression: "age >= 0" }),
  "addColumn with one value": (facts) =>
    addColumn({ facts, schema, table: "users", column: "n", type: "bigint", default: "0" }),
  "addColumn with a value for each row": (facts) =>
    addColumn({
      facts,
      schema,
      table: "users",
      column: "token",
      type: "uuid",
      default: "gen_random_uuid()",
      notNull: true,
    }),
  addForeignKey: (facts) =>
    addForeignKey({
      facts,
      schema,
      table: "users",
      columns: ["org"],
      references: { schema, table: "orgs", columns: ["id"] },
    }),
  "addForeignKey on partitions": (facts) =>
    addForeignKey({
      facts,
      schema,
      table: "logs",
      columns: ["at"],
      references: { schema, table: "users", columns: ["id"] },
    }),
  addUnique: (facts) => addUnique({ facts, schema, table: "users", columns: ["email"] }),
  "addPrimaryKey on partitions": (facts) =>
    addPrimaryKey({ facts, schema, table: "logs", columns: ["at"] }),
  changeColumnType: (facts) =>
    changeColumnType({ facts, schema, table: "users", column: "age", type: "bigint" }),
  createIndex: () => createIndex({ schema, table: "users", parts: ["email"] }),
  "createIndex on partitions": (facts) =>
    createIndex({ facts, schema, table: "logs", parts: ["body"] }),
  createMaterializedView: () =>
    createMaterializedView({
      schema,
      name: "counts",
      query: `SELECT org, count(*) AS n FROM ${world.at("users")} GROUP BY org`,
      reads: [{ schema, name: "users" }],
      unique: { columns: ["org"] },
    }),
  dropColumn: (facts) => dropColumn({ facts, schema, table: "users", column: "filler" }),
  dropIndex: (facts) => dropIndex({ facts, schema, index: "users_note_idx" }),
  enableRls: (facts) =>
    enableRls({
      facts,
      schema,
      table: "users",
      policies: [{ name: "own", roles: ["public"], using: "email = current_user" }],
    }),
  addEnumValue: () => addEnumValue({ schema, type: "mood", value: "fine", before: "sad" }),
  removeEnumValue: (facts) => removeEnumValue({ facts, schema, type: "mood", value: "sad" }),
  renameColumn: (facts) =>
    renameColumn({ facts, schema, table: "users", column: "email", to: "mail" }),
  renameTable: (facts) => renameTable({ facts, schema, table: "users", to: "people" }),
  replaceIndex: (facts) => replaceIndex({ facts, schema, index: "users_note_idx" }),
  setNotNull: () => setNotNull({ schema, table: "users", column: "email" }),
  splitColumn: (facts) =>
    splitColumn({
      facts,
      schema,
      table: "users",
      column: "note",
      into: [
        { name: "head", type: "text", value: "split_part(note, ' ', 1)" },
        { name: "tail", type: "text", value: "split_part(note, ' ', 2)" },
      ],
      value: "concat_ws(' ', head, tail)",
    }),
  mergeColumns: (facts) =>
    mergeColumns({
      facts,
      schema,
      table: "users",
      columns: [
        { column: "email", value: "split_part(whole, ' ', 1)" },
        { column: "note", value: "split_part(whole, ' ', 2)" },
      ],
      into: { name: "whole", type: "text", value: "concat_ws(' ', email, note)" },
    }),
  renameEnumValue: () => renameEnumValue({ schema, type: "mood", from: "ok", to: "good" }),
};

let database: TestDatabase;
let facts: Facts;

beforeAll(async () => {
  database = await createTestDatabase({ setup: setupOf(world) });
  facts = await readFacts(database.client, { schemas: [schema] });
}, 120_000);

afterAll(() => database?.close());

/** The one recipe whose caller has to know that no version uses the old name. */
const SAYS_SO_ITSELF: Readonly<Record<string, readonly string[]>> = {
  renameEnumValue: ["rename-enum-value"],
};

describe("lint of what the recipes make", () => {
  it.each(Object.keys(recipes))("finds nothing in %s", async (name) => {
    const plan = recipes[name]?.(facts);
    if (plan === undefined) throw new Error(`there is no recipe ${name}`);
    for (const postgres of [15, 18] as const) {
      const found = (await lint(plan, { facts, postgres })).filter(
        ({ severity }) => severity !== "info",
      );
      expect(found.map(({ check }) => check)).toEqual(SAYS_SO_ITSELF[name] ?? []);
    }
  });
});

describe("lint with facts", () => {
  const rulesIn = async (sql: string) =>
    (await lint(sql, { facts, schema })).flatMap(({ check, severity }) =>
      severity === "info" ? [] : [check],
    );

  it("needs no ceremony for a tiny table, and for a large one it does", async () => {
    const changes = (table: string) => `CREATE INDEX ON ${table} (id);
      ALTER TABLE ${table} ADD COLUMN token uuid DEFAULT gen_random_uuid();
      ALTER TABLE ${table} ADD CONSTRAINT c CHECK (id > 0)`;
    expect(await rulesIn(changes("orgs"))).toEqual([]);
    expect(await rulesIn(changes("users"))).toEqual([
      "create-index",
      "add-column-rewrite",
      "add-check",
    ]);
  });

  it("knows what is NOT NULL already, which change of a type is instant, and a unique index of a view", async () => {
    expect(await rulesIn("ALTER TABLE users ALTER plan SET NOT NULL")).toEqual([]);
    expect(await rulesIn("ALTER TABLE users ALTER filler TYPE varchar")).toEqual([]);
    const [found] = await lint("REFRESH MATERIALIZED VIEW totals", { facts, schema });
    expect(found?.repair).toContain("REFRESH MATERIALIZED VIEW CONCURRENTLY");
  });

  it("finds a table by its name alone where only one schema has it", async () => {
    const [found] = await lint("CREATE INDEX i ON users (email)", { facts });
    expect(found?.object).toBe(world.at("users"));
  });

  it("holds ENABLE ROW LEVEL SECURITY back until there is a policy, wherever it stands", async () => {
    const policy = "CREATE POLICY p ON users FOR SELECT TO PUBLIC USING (true)";
    const enable = "ALTER TABLE users ENABLE ROW LEVEL SECURITY";
    expect(await rulesIn(enable)).toEqual(["no-policy"]);
    expect(await rulesIn(`${enable}, FORCE ROW LEVEL SECURITY`)).toEqual(["no-policy"]);
    expect(await rulesIn(`${policy}; ${enable}`)).toEqual([]);
    expect(await rulesIn(`${policy}; ${enable}, FORCE ROW LEVEL SECURITY`)).toEqual([]);
    expect(await rulesIn(`${enable}; ${policy}`)).toEqual([]);
  });
});

/**
 * What squawk says and why it is not so here. It reads one file alone: it knows no other step, gate or transaction of a plan.
 */
const WRONG_OF_SQUAWK: Readonly<Record<string, string>> = {
  "require-lock-timeout": "the engine sets lock_timeout for each transaction",
  "require-statement-timeout": "the engine sets statement_timeout for each transaction",
  "prefer-robust-stmts":
    "the journal knows what ran; IF NOT EXISTS would take another's object for ours",
  "prefer-bigint-over-int": "the types are those that the caller asks for",
  "prefer-text-field": "the types are those that the caller asks for",
  "ban-drop-column": "behind a gate, or of a column that the plan itself has made",
  "ban-drop-not-null": "a phase of dropColumn that lets rows be written without the column",
  "renaming-column":
    "in one transaction with another column that takes the old name, or behind a gate",
  "adding-not-nullable-field": "a validated CHECK proves it, from 12 on",
  "renaming-table": "in one transaction with a view that takes the old name",
};

/** Where squawk is wrong about one recipe only. */
const WRONG_OF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "addForeignKey on partitions": {
    "adding-foreign-key-constraint":
      "each partition has the same key, validated: nothing is scanned",
    "constraint-missing-not-valid":
      "each partition has the same key, validated: nothing is scanned",
  },
  "addPrimaryKey on partitions": {
    "disallowed-unique-constraint": "each partition has the same key already: nothing is built",
    "constraint-missing-not-valid": "each partition has the same key already: nothing is built",
    "adding-serial-primary-key-field": "each partition has the same key already: nothing is built",
  },
  "createIndex on partitions": {
    "require-concurrent-index-creation":
      "ON ONLY builds nothing: the partitions get theirs CONCURRENTLY",
  },
  "CREATE INDEX, with all that an index may have": {
    "require-concurrent-index-creation":
      "ON ONLY builds nothing: the partitions get theirs CONCURRENTLY",
  },
  "what is taken over as it is": {
    "ban-create-domain-with-constraint": "no table uses the new domain yet",
    "constraint-missing-not-valid": "the table is tiny: facts say so, and squawk knows no database",
    "require-concurrent-index-creation":
      "the table is tiny: facts say so, and squawk knows no database",
  },
  "new tables, and what belongs to them": {
    "require-concurrent-index-creation": "the table was made in the same plan, and is empty",
    "adding-required-field": "the table was made in the same plan, and is empty",
  },
  createMaterializedView: {
    "require-concurrent-index-creation": "the view was made in the same transaction, and is empty",
  },
};

const SQUAWK = squawkProgram();

describe.skipIf(SQUAWK === undefined)("squawk", () => {
  const directory = mkdtempSync(join(tmpdir(), "squawk-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(Object.keys(recipes))("finds nothing in the SQL of %s", (name) => {
    const plan = recipes[name]?.(facts);
    if (plan === undefined) throw new Error(`there is no recipe ${name}`);
    expect(unexcused(name, squawk(directory, plan))).toEqual([]);
  });

  it.each(SCRIPTS)("finds nothing in what %s becomes", async (name, sql) => {
    const { plan } = await rewriteOnline(sql(world), facts);
    // What is behind a gate is as it was, and a person was told.
    const before = plan.steps.findIndex(({ kind }) => kind === "gate");
    const steps = before === -1 ? plan.steps : plan.steps.slice(0, before);
    expect(unexcused(name, squawk(directory, { ...plan, steps }))).toEqual([]);
  });

  it("finds something where there is something", () => {
    const step = createIndex({ table: "t", parts: ["a"] }).steps.find(({ kind }) => kind === "sql");
    if (step?.kind !== "sql") throw new Error("an index is built by SQL");
    const plain = { ...step, sql: "CREATE INDEX i ON t (a)" };
    expect(squawk(directory, { format: 1, name: "bad", steps: [plain] })).toContain(
      "require-concurrent-index-creation",
    );
  });
});

function unexcused(name: string, rules: readonly string[]): readonly string[] {
  return [...new Set(rules)].filter(
    (rule) => !Object.hasOwn(WRONG_OF_SQUAWK, rule) && !Object.hasOwn(WRONG_OF[name] ?? {}, rule),
  );
}

/** What squawk says of each transaction of a plan: each server's steps by themselves. */
function squawk(directory: string, plan: Plan): readonly string[] {
  const rules: string[] = [];
  for (const server of ["<18", ">=18"]) {
    const files = segment(plan.steps).flatMap(({ steps, transaction }, at) => {
      const sql = steps.flatMap((step) =>
        step.kind === "sql" && (step.when === undefined || step.when.server === server)
          ? [`${step.sql};`]
          : [],
      );
      if (sql.length === 0) return [];
      const file = join(directory, `${at}.sql`);
      writeFileSync(file, transaction ? `BEGIN;\n${sql.join("\n")}\nCOMMIT;` : sql.join("\n"));
      return [file];
    });
    if (files.length > 0) rules.push(...rulesOf(files));
  }
  return rules;
}

function rulesOf(files: readonly string[]): readonly string[] {
  let out: string;
  try {
    out = execFileSync(SQUAWK ?? "", ["--reporter", "json", "--pg-version", "15.0", ...files], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    // It ends with 1 where it finds something.
    out = (error as { readonly stdout?: string }).stdout ?? "";
  }
  const found = JSON.parse(out === "" ? "[]" : out) as readonly { readonly rule_name: string }[];
  return found.map(({ rule_name: rule }) => rule);
}

/** Its package holds one program for one system. */
function squawkProgram(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve("@squawk-cli/linux-x64/package.json");
    const program = join(dirname(manifest), "bin", "squawk");
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}
