import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DOMAIN_PAGES, domainPage } from "../support/domain-pages.ts";

describe("the page of a domain", () => {
  for (const [file, definition] of DOMAIN_PAGES)
    it(`${file} says what its definition says (npm run docs writes it)`, () => {
      expect(readFileSync(file, "utf8")).toBe(domainPage(file, definition));
    });
});
