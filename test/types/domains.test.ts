import { expect, it } from "vitest";
import { rowTypes } from "./row-types.ts";

const DOMAINS = ["observations", "progress-card", "project-reports", "reporting", "test-cycles"];
const moduleOf = (domain: string) => `src/schema/${domain}/definition.ts`;

/** A row type that changes is a change of the public API: `npx vitest run test/types -u`. */
it("the rows of every table of every domain have these types", async () => {
  const types = rowTypes(DOMAINS.map(moduleOf));
  for (const domain of DOMAINS) {
    const rows = types.get(moduleOf(domain)) ?? "";
    // `any` in a row would accept everything, and a union with unknown would refuse to be used.
    expect(rows).not.toMatch(/: any$/m);
    await expect(rows).toMatchFileSnapshot(`./__snapshots__/${domain}.txt`);
  }
}, 240_000);
