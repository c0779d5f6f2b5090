import { describe, expect, it } from "vitest";
import { exitFaults, instanceofFaults, lengthFaults, testNameFaults } from "./habits.ts";
import { cycles, driverFaults, layerFaults } from "./layers.ts";
import { readSources, type SourceText } from "./source.ts";
import { catalogFaults, quotingFaults } from "./sql-text.ts";

const src = readSources("src");
const all = [...src, ...["test", "bench", "examples"].flatMap(readSources)];

describe("the source", () => {
  it("is read whole", () => {
    expect(src.map(({ path }) => path)).toContain("src/errors.ts");
  });

  it("imports one way only, layer by layer", () => {
    expect(layerFaults(src)).toEqual([]);
  });

  it("imports in no circle", () => {
    expect(cycles(src)).toEqual([]);
  });

  it("imports no driver for a host that may not have it", () => {
    expect(driverFaults(src)).toEqual([]);
  });

  it("quotes in src/sql only", () => {
    expect(quotingFaults(src)).toEqual([]);
  });

  it("qualifies what it reads from the catalog", () => {
    expect(catalogFaults(src.filter(({ path }) => path.startsWith("src/catalog/")))).toEqual([]);
  });

  it("leaves the process to its host", () => {
    expect(exitFaults(src)).toEqual([]);
  });

  it("recognises values by their brand", () => {
    expect(instanceofFaults(src)).toEqual([]);
  });
});

describe("every file", () => {
  it("is short, or says why not", () => {
    expect(lengthFaults(all)).toEqual([]);
  });

  it("names each of its tests once", () => {
    expect(testNameFaults(all.filter(({ path }) => path.endsWith(".test.ts")))).toEqual([]);
  });
});

describe("the guards", () => {
  const file = (path: string, text: string): SourceText => ({ path, text });

  it("find an import that points down", () => {
    const faults = layerFaults([
      file("src/plan/a.ts", `import type { Run } from "../run/b.ts";`),
      file("src/run/b.ts", `import { a } from "../plan/a.ts";`),
    ]);
    expect(faults).toEqual(["src/plan/a.ts:1: plan may not import run, which is below it"]);
  });

  it("find an import that points down in an export, an import() and an import type", () => {
    const text = `export { b } from "../run/b.ts";\nvoid import("../run/b.ts");\ntype B = import("../run/b.ts").B;`;
    expect(layerFaults([file("src/plan/a.ts", text)])).toHaveLength(3);
  });

  it("find a folder that has no layer", () => {
    const faults = layerFaults([file("src/utils/a.ts", `import "../errors.ts";`)]);
    expect(faults).toEqual(["src/utils/a.ts:1: utils has no place among the layers"]);
  });

  it("find rls importing partitioning", () => {
    const faults = layerFaults([file("src/rls/a.ts", `import "../partitioning/b.ts";`)]);
    expect(faults).toEqual(["src/rls/a.ts:1: partitioning and rls never import each other"]);
  });

  it("find a circle, and only the circle", () => {
    const found = cycles([
      file("src/a.ts", `import "./b.ts";`),
      file("src/b.ts", `import "./c.ts";`),
      file("src/c.ts", `import type { B } from "./b.ts";`),
    ]);
    expect(found).toEqual(["src/b.ts → src/c.ts → src/b.ts"]);
  });

  it("find a driver that is imported for all, but not its types or a lazy import", () => {
    const faults = driverFaults([
      file("src/a.ts", `import postgres from "postgres";`),
      file("src/b.ts", `import type postgres from "postgres"; import { type Pool } from "pg";`),
      file("src/c.ts", `const { PGlite } = await import("@electric-sql/pglite");`),
    ]);
    expect(faults).toEqual(["src/a.ts:1: postgres is imported for every host"]);
  });

  it("find quoting by hand, but not quotes in a message", () => {
    const faults = quotingFaults([
      file("src/run/a.ts", 'const a = `DROP TABLE "${name}"`;'),
      file("src/run/b.ts", "const b = `select * from t where a = '${value}'`;"),
      file("src/run/c.ts", `const c = name.replaceAll('"', '""');`),
      file("src/run/d.ts", 'const d = `the table "${name}" is not there`;'),
      file("src/run/e.ts", "const e = `DROP TABLE ${ident(name)}`;"),
      file("src/sql/f.ts", 'const f = `DROP TABLE "${name}"`;'),
    ]);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual([
      "src/run/a.ts",
      "src/run/b.ts",
      "src/run/c.ts",
    ]);
  });

  it("find a catalog name that trusts the search path", () => {
    const faults = catalogFaults([
      file("src/catalog/a.ts", "const a = `select oid from pg_class`;"),
      file(
        "src/catalog/b.ts",
        "const b = `select 'pg_toast', pg_get_expr(1) from pg_catalog.pg_class`;",
      ),
      file(
        "src/catalog/c.ts",
        "const c = `select c.oid -- of pg_class\n from pg_catalog.pg_class c`;",
      ),
    ]);
    expect(faults).toEqual([
      "src/catalog/a.ts:1: pg_class is not qualified with pg_catalog",
      "src/catalog/b.ts:1: pg_get_expr is not qualified with pg_catalog",
    ]);
  });

  it("find a long file, but not one that gives its reason", () => {
    const long = "x;\n".repeat(301);
    const faults = lengthFaults([
      file("src/a.ts", long),
      file("src/b.ts", `// Long because: one table.\n${long}`),
      file("src/c.ts", `// Long because:\n${long}`),
      file("src/d.ts", "x;\n".repeat(300)),
    ]);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["src/a.ts", "src/c.ts"]);
  });

  it("find an exit outside of the program", () => {
    const faults = exitFaults([
      file("src/run/a.ts", "process.exit(1);"),
      file("src/cli/main.ts", "process.exit(1);"),
      file("src/cli/b.ts", "process.exitCode = 1;"),
    ]);
    expect(faults).toEqual(["src/run/a.ts:1: process.exit outside src/cli/main.ts"]);
  });

  it("find instanceof of a class that may be there twice", () => {
    const text = "a instanceof UnderpinError; a instanceof Error;";
    expect(
      instanceofFaults([
        file("src/a.ts", text),
        file("src/b.ts", "class Inner extends Error {}\nif (a instanceof Inner) b();"),
      ]),
    ).toEqual(["src/a.ts:1: instanceof UnderpinError"]);
  });

  it("find two tests of one name in one block, but not in two", () => {
    const text = `
      describe("a", () => { it("works", f); it("works", f); });
      onServers("b", () => { it("works", f); });
      it.each([1, 2])("works %i", f);`;
    expect(testNameFaults([file("test/a.test.ts", text)])).toEqual([
      "test/a.test.ts:2: a second test named a › works",
    ]);
  });
});
