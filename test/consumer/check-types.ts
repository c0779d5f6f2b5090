import { join } from "node:path";
import { toError } from "../../src/errors.ts";
import { ROOT, run } from "./command.ts";
import type { Project } from "./project.ts";

/** Type-checks uses of every subpath, strictly, as ESM and CommonJS under both module resolutions. */
export function checkTypes(project: Project, subpaths: readonly string[]): void {
  const uses = `
    const failure: unknown = new UnderpinError({ code: "invalidInput", message: "m", hint: "h" });
    if (isUnderpinError(failure)) { const code: ErrorCode = failure.code; void code; }
    // @ts-expect-error Proves that the types are there: with \`any\` this would be no error.
    new UnderpinError({ code: "noSuchCode", message: "m", hint: "h" });
    async function tests(): Promise<void> {
      const database: TestDatabase = await createTestDatabase({ setup: "select 1" });
      const n: number = await database.rolledBack(async () => 1);
      void n;
    }
    void tests;`;
  const imports = `
    import { isUnderpinError, UnderpinError, type ErrorCode } from "underpin";
    import { createTestDatabase, type TestDatabase } from "underpin/testing";`;
  const all = subpaths
    .map((path, i) => `import * as all${i} from "${path}"; void all${i};`)
    .join("\n");
  for (const file of ["esm.mts", "commonjs.cts"])
    project.write(file, `${imports}\n${all}\n${uses}`);
  // CommonJS with `import` is what nodenext makes of a .cts file; a bundler has no such file.
  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])
    checkProject(project, {
      compilerOptions: {
        module,
        moduleResolution,
        target: "es2022",
        lib: ["es2023"],
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
      },
      files: moduleResolution === "nodenext" ? ["esm.mts", "commonjs.cts"] : ["esm.mts"],
    });
  console.log("types hold under nodenext (ESM, CommonJS) and bundler");
}

function checkProject(project: Project, tsconfig: object): void {
  project.write("tsconfig.json", JSON.stringify(tsconfig));
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  let said = "";
  try {
    run(process.execPath, [tsc, "--pretty", "false"], project.directory);
  } catch (error) {
    said = toError(error).message;
    if (!said.includes("error TS")) throw error;
  }
  // The declarations of Drizzle and PGlite name drivers and a browser that are not here; those errors are theirs.
  const ours = said
    .split("\n")
    .filter((line) => line.includes("error TS") && !/^node_modules\/(?!underpin\/)/.test(line));
  if (ours.length > 0) throw new Error(`tsc finds:\n${ours.join("\n")}`);
}
