import { expect, it } from "vitest";
import { canonical, type Canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { factsOf } from "../../src/catalog/read-facts.ts";
import type { Definition } from "../../src/definition/definition.ts";
import { emit } from "../../src/definition/emit/emit.ts";
import { objectsOf } from "../../src/install/objects-of.ts";
import { settingsFor } from "../../src/install/plan-install.ts";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { kitStatements } from "./emit-catalog.ts";
import { merged } from "./emit-merge.ts";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";

const DOMAINS = ["reporting", "progress-card", "observations", "test-cycles", "project-reports"];

for (const domain of DOMAINS)
  it(`makes the same catalog of ${domain} as drizzle-kit does of what it knows`, async () => {
    const { definition } = (await import(`../../src/schema/${domain}/definition.ts`)) as {
      readonly definition: Definition;
    };
    const objects = objectsOf(definition);
    const both = merged(objects, await kitStatements(definition.tables));
    const known = new Set(emit(Object.values(definition.tables)).map(({ id }) => id));
    const theirs = both.filter(({ from }) => from === "drizzle-kit");
    expect(theirs).toHaveLength(known.size);
    const settings = settingsFor(objects);
    expect(
      compareCatalogs(
        await installed(
          settings,
          both.map(({ sql }) => sql),
        ),
        await installed(
          settings,
          objects.map(({ create }) => create),
        ),
      ),
    ).toEqual([]);
  });

async function installed(settings: string, statements: readonly string[]): Promise<Canonical> {
  await using sandbox = await bootSandbox({ extensions: { pg_trgm, btree_gist } });
  await sandbox.client.exec(settings.replaceAll("SET LOCAL", "SET"));
  await sandbox.client.exec(statements.join(";\n"));
  return canonical(await factsOf(sandbox.executor));
}
