import { existsSync, rmSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

/** Subpath → its file. Each is a folder, and its types lie beside it. */
const entry = {
  index: "src/index.ts",
  "kit/index": "src/kit/index.ts",
  "migrations/index": "src/migrations/index.ts",
  "partitioning/index": "src/partitioning/index.ts",
  "report/index": "src/report/index.ts",
  "rls/index": "src/rls/index.ts",
  "schema/observations/index": "src/schema/observations/index.ts",
  "schema/observations/relations": "src/schema/observations/relations.ts",
  "schema/observations/validation": "src/schema/observations/validation.ts",
  "schema/progress-card/index": "src/schema/progress-card/index.ts",
  "schema/progress-card/relations": "src/schema/progress-card/relations.ts",
  "schema/progress-card/validation": "src/schema/progress-card/validation.ts",
  "schema/project-reports/index": "src/schema/project-reports/index.ts",
  "schema/project-reports/relations": "src/schema/project-reports/relations.ts",
  "schema/project-reports/validation": "src/schema/project-reports/validation.ts",
  "schema/reporting/index": "src/schema/reporting/index.ts",
  "schema/reporting/relations": "src/schema/reporting/relations.ts",
  "schema/reporting/validation": "src/schema/reporting/validation.ts",
  "schema/test-cycles/index": "src/schema/test-cycles/index.ts",
  "schema/test-cycles/relations": "src/schema/test-cycles/relations.ts",
  "schema/test-cycles/validation": "src/schema/test-cycles/validation.ts",
  "testing/index": "src/testing/index.ts",
};

const cli: Record<string, string> = existsSync("src/cli/main.ts")
  ? { "cli/main": "src/cli/main.ts" }
  : {};

const javascript: Options = {
  outDir: "dist",
  target: "node20",
  platform: "node",
  sourcemap: true,
  // Subpaths share chunks: a file that is there twice is two module states.
  splitting: true,
  // Gives `import.meta.url` to the CommonJS build.
  shims: true,
};

const types: Options = {
  entry,
  format: ["esm", "cjs"],
  outDir: "dist",
  // tsup hands its declaration bundler a `baseUrl`, which TypeScript 6 calls an error.
  dts: { only: true, compilerOptions: { ignoreDeprecations: "6.0" } },
};

// Here, because tsup's own `clean` would race between the builds below.
rmSync("dist", { recursive: true, force: true });

export default defineConfig([
  { ...javascript, entry: { ...entry, ...cli }, format: "esm" },
  { ...javascript, entry, format: "cjs" },
  ...(process.env.UNDERPIN_BUILD === "js" ? [] : [types]),
]);
