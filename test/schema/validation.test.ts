import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Definition } from "../../src/definition/definition.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { observations } from "../../src/schema/observations/observations.ts";
import { observationsValidations } from "../../src/schema/observations/validation.ts";
import { testCycles } from "../../src/schema/test-cycles/test-cycles.ts";
import { testCyclesValidations } from "../../src/schema/test-cycles/validation.ts";
import type { Validation } from "../../src/schema/validation/validation-of.ts";
import { expectAgreement, installTables, tablesOf } from "./validation-agreement.ts";
import type { Row } from "./validation-rows.ts";

const numbered = testCycles({ keys: "integer" });
const hostile = observations({ schema: 'we"ird Schema', managementSchema: 'man"age' });

/** What no column by itself would be: a list of levels, a path that begins with the ids of its row. */
const FIT: Readonly<Record<string, (row: Row) => Row>> = {
  hpcRubrics: (row) => ({ ...row, levels: [{ name: "a", descriptor: "b", from: 1 }] }),
  hpcEvidenceFiles: ({ institutionId, studentId, ...row }) => {
    const [institution, student] = [canonical(institutionId), canonical(studentId)];
    return { ...row, institutionId, studentId, objectPath: `${institution}/${student}/file` };
  },
};

function canonical(id: unknown): string {
  const digits = String(id).toLowerCase().replaceAll(/[{}-]/g, "");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

type Exports = { readonly definition: Definition };
type Schemas = Readonly<Record<string, Validation<PgTable>>>;

/** The ready domains, and two that a host has made: keys of another type, and a schema whose name has to be quoted. */
const CASES: readonly (readonly [what: string, exports: Exports, schemas: unknown])[] = [
  ...(await Promise.all(
    ["reporting", "progress-card", "observations", "test-cycles", "project-reports"].map(
      async (domain) =>
        [
          domain,
          (await import(`../../src/schema/${domain}/definition.ts`)) as Exports,
          await import(`../../src/schema/${domain}/validation.ts`),
        ] as const,
    ),
  )),
  ["test-cycles with integer keys", numbered, testCyclesValidations(numbered)],
  ["observations in a hostile schema", hostile, observationsValidations(hostile)],
];

for (const [domain, exports, schemasByTable] of CASES) {
  const validation = schemasByTable as Schemas;
  describe(`the schemas of ${domain} and PostgreSQL agree on what is a row`, () => {
    let sandbox: Sandbox | undefined;
    beforeAll(async () => {
      sandbox = await bootSandbox();
      await installTables(sandbox, exports.definition);
    });
    afterAll(() => sandbox?.close());

    for (const [name, table] of tablesOf(exports))
      it(`of ${name}`, async () => {
        const schemas = validation[name];
        if (sandbox === undefined || schemas === undefined)
          throw new Error(`${name} has no schema`);
        const { accepted, refused } = await expectAgreement(
          sandbox,
          table,
          schemas.insert,
          FIT[name],
        );
        // Else the rows would prove little.
        expect(accepted).toBeGreaterThan(9);
        expect(refused).toBeGreaterThan(9);
      });
  });
}
