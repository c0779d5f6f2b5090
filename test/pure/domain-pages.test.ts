import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DOMAIN_PAGES, domainPage } from "../support/domain-pages.ts";

const TEST_FILES = readdirSync("test", { recursive: true, encoding: "utf8" });

/** The tests that a page names, each as `file` and "title"; a file counts until the next is named. */
function namedTests(page: string): readonly (readonly [file: string, title: string])[] {
  let file = "";
  return [...page.matchAll(/`([\w-]+\.test\.ts)`|"([^"]+)"/g)].flatMap(([, named, title]) => {
    file = named ?? file;
    return title === undefined ? [] : [[file, title] as const];
  });
}

describe("the page of a domain", () => {
  for (const [file, definition] of DOMAIN_PAGES)
    it(`${file} says what its definition says (npm run docs writes it)`, () => {
      expect(readFileSync(file, "utf8")).toBe(domainPage(file, definition));
    });

  for (const [file] of DOMAIN_PAGES)
    it(`${file} names tests that are there`, () => {
      const [, promises = ""] = readFileSync(file, "utf8").split("## What the document promises");
      const [written = ""] = promises.split("<!-- From here on");
      const named = namedTests(written.replaceAll(/\s+/g, " ")).filter(([, title]) =>
        title.includes(" "),
      );
      expect(named.length).toBeGreaterThan(0);
      const missing = named.filter(([testFile, title]) => {
        const path = TEST_FILES.find((each) => each.endsWith(`/${testFile}`));
        return path === undefined || !readFileSync(`test/${path}`, "utf8").includes(title);
      });
      expect(missing).toEqual([]);
    });
});
