/**
 * The consumer ring, a program: packs the package, installs it into an empty project and uses it there as an
 * application does. Expects `dist/` to be built. Prints what it measured; throws at the first thing that is wrong.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { checkKit } from "./check-kit.ts";
import { checkTypeCosts } from "./check-type-costs.ts";
import { checkTypes } from "./check-types.ts";
import { ROOT, run } from "./command.ts";
import { createProject, type Project } from "./project.ts";

const SUBPATHS = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => path.replace(".", "underpin"));

/** Those that need zod. */
const VALIDATIONS = SUBPATHS.filter((path) => path.endsWith("/validation"));

/** Packages that a host may be without, and is without in the empty project. */
const OPTIONAL = Object.keys(manifest.peerDependenciesMeta);

const directory = mkdtempSync(join(tmpdir(), "underpin-consumer-"));

try {
  const tarball = pack();
  run("npx", ["publint", "--strict", tarball], ROOT);
  run("npx", ["attw", "--no-emoji", "--format", "ascii", "--profile", "node16", tarball], ROOT);
  console.log("publint and attw find nothing");
  const project = createProject(directory);
  project.install(tarball, `drizzle-orm@${manifest.devDependencies["drizzle-orm"]}`);
  checkNothingElse(project);
  for (const subpath of SUBPATHS) if (!VALIDATIONS.includes(subpath)) checkImport(project, subpath);
  checkBrands(project);
  checkMissingPglite(project);
  checkProgram(project);
  project.install(
    ...(["@electric-sql/pglite", "@types/node", "drizzle-kit", "drizzle-zod", "zod"] as const).map(
      (name) => `${name}@${manifest.devDependencies[name]}`,
    ),
  );
  checkTestDatabase(project);
  for (const subpath of VALIDATIONS) checkImport(project, subpath);
  checkTypes(project, SUBPATHS);
  checkTypeCosts(project);
  await checkKit(project);
  console.log("consumer ring passed");
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function pack(): string {
  const packed = run("npm", ["pack", "--json", "--pack-destination", directory], ROOT);
  const [found] = JSON.parse(packed) as { filename: string; unpackedSize: number }[];
  if (found === undefined) throw new Error("npm packed nothing");
  const tarball = join(directory, found.filename);
  const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024)} kB`;
  console.log(
    `tarball ${kilobytes(statSync(tarball).size)}, unpacked ${kilobytes(found.unpackedSize)}`,
  );
  return tarball;
}

/** The proof that no subpath loads a driver on import: none is there. */
function checkNothingElse(project: Project): void {
  const present = OPTIONAL.filter((name) => project.has(name));
  if (present.length > 0) throw new Error(`installed unasked: ${present.join(", ")}`);
}

function checkImport(project: Project, subpath: string): void {
  const times = [1, 2, 3, 4, 5].map(() =>
    Number(
      project.runModule(`
        const started = performance.now();
        const loaded = await import("${subpath}");
        const took = performance.now() - started;
        if (Object.keys(loaded).length === 0) throw new Error("${subpath} exports nothing");
        console.log(took);`),
    ),
  );
  const [, , median = NaN] = times.sort((a, b) => a - b);
  const names = (text: string): string => text.split(",").sort().join();
  const required = project.runCommonJs(`console.log(Object.keys(require("${subpath}")).join())`);
  const imported = project.runModule(
    `console.log(Object.keys(await import("${subpath}")).filter((name) => name !== "default").join())`,
  );
  if (names(required) !== names(imported))
    throw new Error(`${subpath}: ESM exports ${imported}, CommonJS ${required}`);
  console.log(`import ${subpath}: ${median.toFixed(1)} ms`);
}

/** drizzle-kit loads the CommonJS copy into a process that has the other. */
function checkBrands(project: Project): void {
  project.runModule(`
    import { createRequire } from "node:module";
    import * as esm from "underpin";
    const cjs = createRequire(import.meta.url)("underpin");
    const thrown = (copy) => {
      try {
        copy.toExecutor("postgres://nowhere");
      } catch (error) {
        return error;
      }
    };
    if (esm.UnderpinError === cjs.UnderpinError) throw new Error("there is one copy only");
    if (!cjs.isUnderpinError(thrown(esm))) throw new Error("CommonJS does not know the error of ESM");
    if (!esm.isUnderpinError(thrown(cjs))) throw new Error("ESM does not know the error of CommonJS");`);
  console.log("both copies know each other's errors");
}

function checkMissingPglite(project: Project): void {
  project.runModule(`
    import { createTestDatabase } from "underpin/testing";
    const error = await createTestDatabase().catch((error) => error);
    if (!/@electric-sql\\/pglite.* cannot be loaded/.test(error.message) || !/npm install/.test(error.hint))
      throw error;`);
  console.log("a missing PGlite is named, with the command that installs it");
}

function checkProgram(project: Project): void {
  const said = run(
    join(project.directory, "node_modules", ".bin", "underpin"),
    ["--help"],
    project.directory,
  );
  if (!said.includes("underpin")) throw new Error(`underpin --help said: ${said}`);
  console.log("the program answers");
}

function checkTestDatabase(project: Project): void {
  const body = `
    const database = await createTestDatabase({ setup: "create table t (n int)" });
    const rows = await database.executor.query("select count(*)::int as n from t");
    await database.close();
    if (rows[0].n !== 0) throw new Error("not an empty table");`;
  project.runModule(`import { createTestDatabase } from "underpin/testing";${body}`);
  project.runCommonJs(
    `const { createTestDatabase } = require("underpin/testing");
    (async () => {${body}})().catch((error) => { console.error(error); process.exit(1); });`,
  );
  console.log("a test database works from both");
}
