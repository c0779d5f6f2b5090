/** The files of a new project by their paths, with what they hold. */
export function initFiles(domains: readonly string[]): readonly (readonly [string, string])[] {
  return [
    ["drizzle.config.ts", KIT],
    ["underpin.config.ts", configuration(domains)],
    ...(domains.length === 0 ? [["src/db/notes.ts", NOTES] as const] : []),
    ...domains.map(
      (domain) => [`src/db/${domain}.ts`, `export * from "underpin/schema/${domain}";\n`] as const,
    ),
    ["test/database.test.ts", TEST],
    [".github/workflows/database.yml", WORKFLOW],
  ];
}

const KIT = `import { defineConfig } from "drizzle-kit";

// One file for each domain: names as "users" are in several, and two "export *" in one file cancel each other.
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/db/*.ts",
  out: "./drizzle",
});
`;

function configuration(domains: readonly string[]): string {
  if (domains.length === 0)
    return `import { defineDatabase } from "underpin";
import * as notes from "./src/db/notes.ts";

export const definition = defineDatabase({ name: "app", tables: { ...notes } });
`;
  const names = domains.map((domain) =>
    domain.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
  );
  const imports = domains.map(
    (domain, at) =>
      `import { definition as ${names[at] ?? ""} } from "underpin/schema/${domain}";\n`,
  );
  return names.length === 1
    ? `${imports.join("")}\nexport const definition = ${names[0] ?? ""};\n`
    : `import { combine } from "underpin";\n${imports.join("")}\nexport const definition = combine(${names.join(", ")});\n`;
}

const NOTES = `import { pgSchema, text, uuid } from "drizzle-orm/pg-core";

export const app = pgSchema("app");

export const notes = app.table("notes", {
  id: uuid("id").primaryKey().defaultRandom(),
  title: text("title").notNull(),
});
`;

const TEST = `import assert from "node:assert/strict";
import { test } from "node:test";
import { verify } from "underpin";
import { createTestDatabase } from "underpin/testing";
import { definition } from "../underpin.config.ts";

test("the database is what its definition says", async () => {
  const { client, close } = await createTestDatabase(definition);
  assert.deepEqual(await verify(client, definition), []);
  await close();
});
`;

const WORKFLOW = `name: database
on: pull_request
jobs:
  database:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: { node-version: 22 }
      - run: npm ci
      - run: npm run db:check
      - run: npm run db:rehearse
`;

const SCRIPTS: Readonly<Record<string, string>> = {
  "db:generate": "underpin generate",
  "db:check": "underpin check",
  "db:rehearse": "underpin rehearse drizzle",
  "db:migrate": "underpin migrate",
  "db:drift": "underpin drift",
};

/** The text of a package.json with the scripts that it lacks; the same text where it lacks none. */
export function withScripts(text: string): string {
  const manifest = JSON.parse(text) as { readonly scripts?: Readonly<Record<string, string>> };
  const missing = Object.keys(SCRIPTS).filter((name) => manifest.scripts?.[name] === undefined);
  if (missing.length === 0) return text;
  const scripts = {
    ...manifest.scripts,
    ...Object.fromEntries(missing.map((name) => [name, SCRIPTS[name]])),
  };
  return `${JSON.stringify({ ...manifest, scripts }, null, 2)}\n`;
}
