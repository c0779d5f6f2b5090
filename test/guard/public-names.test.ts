import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { exportedNames } from "./exports.ts";
import { readSources } from "./source.ts";

const entries = readSources("src").filter(({ path }) => /(?:^|\/)index\.ts$/.test(path));

function namesOf(path: string): string[] {
  const entry = entries.find((found) => found.path === path);
  if (entry === undefined) throw new Error(`there is no ${path}`);
  return exportedNames(entry).names;
}

/** A name that is taken away or added here is a change of the public API: `npx vitest run test/guard -u`. */
describe("the public names", () => {
  it("of underpin are these", () => {
    expect(namesOf("src/index.ts")).toMatchInlineSnapshot(`
      [
        "DEFAULT_RUN_OPTIONS",
        "LOCK_MODES",
        "UnderpinError",
        "apply",
        "canonical",
        "compareCatalogs",
        "confirm",
        "explain",
        "hashPlan",
        "isUnderpinError",
        "pause",
        "phaseOf",
        "plan",
        "readFacts",
        "readLocks",
        "resume",
        "reverse",
        "runs",
        "segment",
        "toExecutor",
        "type BackfillStep",
        "type Blocker",
        "type CallStep",
        "type Canonical",
        "type CanonicalOptions",
        "type CheckStep",
        "type ControlOptions",
        "type DatabaseLike",
        "type Difference",
        "type ErrorCode",
        "type ErrorDetails",
        "type Executor",
        "type ExplainOptions",
        "type Facts",
        "type Failure",
        "type GateStep",
        "type Handler",
        "type HandlerContext",
        "type Json",
        "type KeyColumn",
        "type Lock",
        "type LockMode",
        "type Observer",
        "type Outcome",
        "type Parameter",
        "type Plan",
        "type Probe",
        "type Queryable",
        "type ReadOptions",
        "type RelationName",
        "type Report",
        "type Row",
        "type RowAccess",
        "type RunEvent",
        "type RunOptions",
        "type RunStatus",
        "type Segment",
        "type ServerRange",
        "type Session",
        "type SqlStep",
        "type Statement",
        "type Step",
        "type StepReport",
        "type TransactionRule",
        "type Undo",
        "type UndoOptions",
        "undo",
      ]
    `);
  });

  it("of underpin/migrations are these", () => {
    expect(namesOf("src/migrations/index.ts")).toMatchInlineSnapshot(`
      [
        "createIndex",
        "setNotNull",
        "type CreateIndexOptions",
        "type DrizzleColumn",
        "type DrizzleTable",
        "type IndexPart",
        "type SetNotNullOptions",
        "type TableTarget",
      ]
    `);
  });

  it("of underpin/testing are these", () => {
    expect(namesOf("src/testing/index.ts")).toMatchInlineSnapshot(`
      [
        "createTestDatabase",
        "expectLocks",
        "expectReversible",
        "type ExpectLocksOptions",
        "type ExpectReversibleOptions",
        "type MeasuredLock",
        "type MeasuredStep",
        "type TestDatabase",
        "type TestDatabaseOptions",
      ]
    `);
  });

  it("are named one by one, and defined elsewhere", () => {
    expect(entries.flatMap((entry) => exportedNames(entry).faults)).toEqual([]);
  });

  it("are all reached by a subpath of the package", () => {
    const subpaths = Object.keys(manifest.exports).map((path) => path.slice(2));
    const sources = subpaths
      .filter((path) => path !== "package.json")
      // The schemas of a domain are a file beside its index, so that only who asks for them loads zod.
      .map((path) =>
        path.endsWith("/validation")
          ? `src/${path}.ts`
          : ["src", path, "index.ts"].filter((part) => part !== "").join("/"),
      );
    const indexes = sources.filter((path) => path.endsWith("/index.ts"));
    expect(indexes.sort()).toEqual(entries.map(({ path }) => path).sort());
    expect(sources.filter((path) => !existsSync(path))).toEqual([]);
  });

  it("cannot hide behind export *, nor be defined in the entry", () => {
    const entry = { path: "src/index.ts", text: `export * from "./a.ts";\nexport const b = 1;` };
    expect(exportedNames(entry).faults).toHaveLength(2);
  });
});
