import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { initFiles } from "../../src/cli/init-files.ts";
import { useCli } from "../support/cli.ts";

const cli = useCli();

const MODULE = `
import { pgTable, uuid } from "drizzle-orm/pg-core";
import { defineDatabase } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).pathname)};
const seats = pgTable("seats", { id: uuid("id").primaryKey() });
export const definition = defineDatabase({ name: "seats", tables: { seats } });
`;

it.each(["verify", "drift"])(
  "%s ends with 3 where something is not as it is declared",
  async (verb) => {
    const file = cli.file(`${verb}.ts`, MODULE);
    const { code, stdout } = await cli.run([
      verb,
      "--definition",
      file,
      "--url",
      "memory:",
      "--json",
    ]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject([
      { check: "table-missing", object: 'table "public"."seats"' },
    ]);
  },
);

it("asks for a definition where none is named", async () => {
  const { code, stderr } = await cli.run(["drift", "--url", "memory:"]);
  expect(code).toBe(2);
  expect(stderr).toContain("--definition FILE");
});

it("asks for the name of a migration", async () => {
  const { code, stderr } = await cli.run(["generate"]);
  expect(code).toBe(2);
  expect(stderr).toContain("underpin generate --name add_scores");
});

it("sets a project up, and a second time leaves all as it is", async () => {
  const directory = cli.path("fresh");
  mkdirSync(directory);
  writeFileSync(
    `${directory}/package.json`,
    '{ "name": "fresh", "scripts": { "db:check": "mine" } }',
  );
  writeFileSync(`${directory}/drizzle.config.ts`, "// mine\n");
  const first = await cli.run(["init"], {}, directory);
  expect(first.code).toBe(0);
  expect(first.stdout).toMatch(/kept +drizzle\.config\.ts/);
  for (const [file] of initFiles([])) expect(existsSync(`${directory}/${file}`)).toBe(true);
  expect(readFileSync(`${directory}/drizzle.config.ts`, "utf8")).toBe("// mine\n");
  const manifest = readFileSync(`${directory}/package.json`, "utf8");
  expect(JSON.parse(manifest)).toMatchObject({
    scripts: { "db:check": "mine", "db:generate": "underpin generate" },
  });
  const again = await cli.run(["init", "--json"], {}, directory);
  const told = JSON.parse(again.stdout) as readonly { readonly done: string }[];
  expect([...new Set(told.map(({ done }) => done))]).toEqual(["kept"]);
  expect(readFileSync(`${directory}/package.json`, "utf8")).toBe(manifest);
});

it("writes one schema file for each domain", async () => {
  const directory = cli.path("domains");
  mkdirSync(directory);
  writeFileSync(`${directory}/package.json`, "{}");
  const { code } = await cli.run(["init", "--domains", "reporting,test-cycles"], {}, directory);
  expect(code).toBe(0);
  expect(readFileSync(`${directory}/src/db/test-cycles.ts`, "utf8")).toBe(
    'export * from "underpin/schema/test-cycles";\n',
  );
  expect(readFileSync(`${directory}/underpin.config.ts`, "utf8")).toContain(
    "combine(reporting, testCycles)",
  );
});

it("writes nothing on a dry run, and knows which domains there are", async () => {
  const directory = cli.path("dry");
  mkdirSync(directory);
  writeFileSync(`${directory}/package.json`, "{}");
  await cli.run(["init", "--dry-run"], {}, directory);
  expect(existsSync(`${directory}/drizzle.config.ts`)).toBe(false);
  const { code, stderr } = await cli.run(["init", "--domains", "reports"], {}, directory);
  expect(code).toBe(2);
  expect(stderr).toContain("progress-card");
});
