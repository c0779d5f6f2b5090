import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { combine } from "../../src/definition/combine.ts";
import type { Definition } from "../../src/definition/definition.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { objectsOf } from "../../src/install/objects-of.ts";
import { settingsFor } from "../../src/install/plan-install.ts";
import { verify } from "../../src/install/verify.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { ident } from "../../src/sql/quote.ts";
import { merged } from "../definition/emit-merge.ts";
import { findNative, MAJORS } from "../support/server-binaries.ts";
import { startServer, type RunningServer } from "../support/server-process.ts";
import { run } from "./command.ts";
import type { Project } from "./project.ts";

const DOMAINS = ["observations", "progress-card", "project-reports", "reporting", "test-cycles"];

/**
 * drizzle-kit in an application that re-exports the domains, one file for each: what it generates is whole, is a database that
 * verifies with what it cannot say put in, on PGlite and on a server, and a second time there is nothing to generate.
 */
export async function checkKit(project: Project): Promise<void> {
  for (const domain of DOMAINS)
    project.write(`src/db/${domain}.ts`, `export * from "underpin/schema/${domain}";\n`);
  const definitions = await Promise.all(DOMAINS.map(definitionOf));
  const [first, ...others] = definitions;
  if (first === undefined) throw new Error("there is no domain");
  const cases: readonly (readonly [name: string, files: string, definition: Definition])[] = [
    ...DOMAINS.map((name, i) => [name, `${name}.ts`, definitions[i] ?? first] as const),
    ["all", "*.ts", combine(first, ...others)],
  ];
  const servers = await Promise.all(MAJORS.map(serverOf));
  try {
    for (const [name, files, definition] of cases) {
      const statements = generated(project, name, files);
      const objects = objectsOf(definition);
      const both = merged(objects, statements);
      const sql = [
        settingsFor(objects).replaceAll("SET LOCAL", "SET"),
        ...both.map((one) => `${one.sql};`),
      ].join("\n");
      await verifiesOnPglite(name, definition, sql);
      for (const server of servers)
        if (server !== undefined) await verifiesOn(server, name, definition, sql);
      console.log(
        `drizzle-kit generates ${name}: ${statements.length} statements, ${both.length - statements.length} of ours`,
      );
    }
  } finally {
    for (const server of servers) await server?.stop();
  }
}

function serverOf(major: (typeof MAJORS)[number]): Promise<RunningServer | undefined> {
  if (findNative(major) !== undefined) return startServer(major);
  console.log(`SKIPPED: drizzle-kit on PostgreSQL ${major}: no server`);
  return Promise.resolve(undefined);
}

async function definitionOf(domain: string): Promise<Definition> {
  const { definition } = (await import(`../../src/schema/${domain}/definition.ts`)) as {
    readonly definition: Definition;
  };
  return definition;
}

/** What `generate` writes. Its exit code says nothing (0 for a schema that throws), so that its words and files are looked at. */
function generated(project: Project, name: string, files: string): readonly string[] {
  const config = `drizzle-${name}.config.ts`;
  project.write(
    config,
    `export default { dialect: "postgresql", schema: "./src/db/${files}", out: "./migrations/${name}" };\n`,
  );
  const kit = join(project.directory, "node_modules", ".bin", "drizzle-kit");
  const generate = () => run(kit, ["generate", `--config=${config}`], project.directory);
  const said = generate();
  const folder = join(project.directory, "migrations", name);
  const written = () => readdirSync(folder).filter((file) => file.endsWith(".sql"));
  const [file, ...more] = written();
  if (file === undefined || more.length > 0 || !said.includes("Your SQL migration file"))
    throw new Error(`drizzle-kit generate of ${name} said:\n${said}`);
  const again = generate();
  if (!again.includes("No schema changes") || written().length !== 1)
    throw new Error(`drizzle-kit generate of ${name} said the second time:\n${again}`);
  return readFileSync(join(folder, file), "utf8").split("--> statement-breakpoint");
}

async function verifiesOnPglite(name: string, definition: Definition, sql: string): Promise<void> {
  await using sandbox = await bootSandbox({ extensions: { pg_trgm, btree_gist } });
  await sandbox.client.exec(sql);
  await expectNoFinding(`${name} on PGlite`, sandbox.client, definition);
}

async function verifiesOn(
  { major, url }: RunningServer,
  name: string,
  definition: Definition,
  sql: string,
): Promise<void> {
  const admin = postgres(url, { max: 1 });
  await admin.unsafe(`CREATE DATABASE ${ident(name)}`);
  await admin.end();
  const client = postgres(url, { database: name, onnotice: () => undefined });
  try {
    await client.unsafe(sql);
    await expectNoFinding(`${name} on PostgreSQL ${major}`, client, definition);
  } finally {
    await client.end();
  }
}

async function expectNoFinding(
  where: string,
  db: DatabaseLike,
  definition: Definition,
): Promise<void> {
  const findings = await verify(db, definition);
  if (findings.length > 0)
    throw new Error(`${where}: ${JSON.stringify(findings.slice(0, 5), null, 2)}`);
}
