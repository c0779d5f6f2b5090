import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const DOCS = join(import.meta.dirname, "../../docs");
/** How many promises each document makes. */
const PROMISES = { 0: 17, 1: 13, 2: 12, 3: 10, 4: 15 } as const;

const rows = [...readFileSync(join(DOCS, "seeds.md"), "utf8").matchAll(/^\| (\d\.\d+) \|(.+)\|$/gm)]
  .map(([, id = "", rest = ""]) => ({ id, cells: rest.split(" | ").map((cell) => cell.trim()) }))
  .map(({ id, cells: [promise = "", how = "", shown = ""] }) => ({ id, promise, how, shown }));

describe("the page about what was asked for", () => {
  it("answers each promise of the documents once, in order", () => {
    const ids = Object.entries(PROMISES).flatMap(([document, count]) =>
      Array.from({ length: count }, (_, at) => `${document}.${at + 1}`),
    );
    expect(rows.map(({ id }) => id)).toEqual(ids);
  });

  it.each(rows)("shows $id by tests that are there, or says that it does not", ({ how, shown }) => {
    if (shown === "") {
      expect(how).toContain("not yet");
      return;
    }
    for (const each of shown.split("; ")) {
      const [, path = ""] = /\]\(\.\.\/(test\/[^)]+)\)/.exec(each) ?? [];
      const file = join(DOCS, "..", path);
      expect(path !== "" && existsSync(file), `the file of ${each}`).toBe(true);
      const titles = [...each.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title);
      expect(titles.length, `a test in ${each}`).toBeGreaterThan(0);
      const source = readFileSync(file, "utf8");
      for (const title of titles) expect(source).toContain(title);
    }
  });
});
