/** The packed package beside drizzle-orm 1.0-rc: what runs there is held by this ring, never by types. By hand. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NEXT = "1.0.0-rc.5";

const PROGRAM = `
import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { apply, plan, undo } from "underpin";
import { createIndex, setNotNull } from "underpin/migrations";
const client = new PGlite();
const db = drizzle({ client });
const users = pgTable("users", { id: integer().primaryKey(), email: text() });
await client.exec("CREATE TABLE users (id int PRIMARY KEY, email text)");
const emails = plan("emails", [
  setNotNull({ table: users, column: users.email }),
  createIndex({ table: users, parts: [users.email] }),
]);
console.log((await apply(db, emails)).outcome, (await undo(db, "emails")).outcome);
await client.close();
`;

const DOMAINS = ["observations", "progress-card", "project-reports", "reporting", "test-cycles"];

const folder = mkdtempSync(join(tmpdir(), "underpin-drizzle-next-"));
const run = (command: string, words: readonly string[], cwd = folder) =>
  execFileSync(command, words, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
try {
  run("npm", ["pack", "--silent", "--pack-destination", folder], process.cwd());
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
  // The peer range says 0.44 and 0.45: 1.0 is tried on purpose.
  const packages = [
    `./${tarball}`,
    `drizzle-orm@${NEXT}`,
    `drizzle-kit@${NEXT}`,
    "@electric-sql/pglite@0.5.16",
  ];
  run("npm", ["install", "--silent", "--legacy-peer-deps", ...packages]);
  const said = run(process.execPath, ["program.mjs"]).trim();
  if (said !== "applied undone")
    throw new Error(`with drizzle-orm ${NEXT} the plan ended: ${said}`);
  console.log(`drizzle-orm ${NEXT}: ${said}`);
  for (const domain of DOMAINS) generate(domain);
} finally {
  rmSync(folder, { recursive: true });
}

/** Its drizzle-kit tells by its exit code. What it writes is looked at, and that a second time there is nothing to write. */
function generate(domain: string): void {
  const config = `drizzle-${domain}.config.mjs`;
  mkdirSync(join(folder, "src", domain), { recursive: true });
  writeFileSync(
    join(folder, "src", domain, "schema.js"),
    `export * from "underpin/schema/${domain}";`,
  );
  writeFileSync(
    join(folder, config),
    `export default { dialect: "postgresql", schema: "./src/${domain}/schema.js", out: "./migrations/${domain}" };`,
  );
  const kit = () => run("npx", ["drizzle-kit", "generate", `--config=${config}`]);
  kit();
  const written = () => readdirSync(join(folder, "migrations", domain));
  const [migration = "", ...more] = written();
  const sql = readFileSync(join(folder, "migrations", domain, migration, "migration.sql"), "utf8");
  const tables = sql.split("CREATE TABLE").length - 1;
  kit();
  if (tables === 0 || more.length > 0 || written().length !== 1)
    throw new Error(`drizzle-kit ${NEXT} generates ${domain} twice, or nothing`);
  console.log(`drizzle-kit ${NEXT} generates ${domain}: ${tables} tables`);
}
