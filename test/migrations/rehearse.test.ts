import { describe, expect, it } from "vitest";
import { addCheck } from "../../src/recipes/add-check.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { rehearse } from "../../src/migrations/rehearse.ts";
import { rehearsalText } from "../../src/migrations/rehearsal/rehearsal-text.ts";
import { BASE, oneStatement, TABLE } from "./rehearse-plans.ts";

const checksOf = ({ findings }: Awaited<ReturnType<typeof rehearse>>) =>
  findings.map(({ check }) => check);

describe("a rehearsal in PGlite", () => {
  it("fills every table with rows that its keys, checks and partitions take", async () => {
    const { rows, notLookedAt } = await rehearse(oneStatement(`SELECT 1`), {
      base: BASE,
      rows: 12,
    });
    expect(rows).toEqual({
      '"we""ird Schema"."owners"': 12,
      '"we""ird Schema"."readings"': 12,
      [TABLE]: 12,
    });
    expect(notLookedAt).toEqual(["waits: nobody else works in the database of a rehearsal"]);
  });

  it("finds a table that is written anew under a lock, and tells who waits", async () => {
    const rehearsal = await rehearse(
      oneStatement(
        `ALTER TABLE ${TABLE} ALTER size TYPE bigint`,
        `ALTER TABLE ${TABLE} ALTER size TYPE int`,
      ),
      { base: BASE },
    );
    expect(rehearsal.ok).toBe(false);
    expect(rehearsal.findings[0]).toMatchObject({
      check: "rewrite-under-lock",
      severity: "error",
      object: 'step "change" of "tried"',
      message: `writes every row of ${TABLE} anew while readers and writers of ${TABLE} wait`,
    });
    expect(rehearsal.plans[0]?.up.steps[0]).toMatchObject({
      measured: true,
      locks: [{ name: 'ta"ble', mode: "accessExclusive", blocks: "readers and writers" }],
    });
  });

  it.each([
    ["a check that reads all rows", `ADD CONSTRAINT big CHECK (size > 1)`, `DROP CONSTRAINT big`],
    ["a key that reads all rows", `ADD CONSTRAINT one UNIQUE (id, size)`, `DROP CONSTRAINT one`],
    [
      "NOT NULL without a check",
      `ALTER owner_id DROP NOT NULL, ALTER size SET NOT NULL, ALTER id SET NOT NULL, ADD COLUMN x int NOT NULL DEFAULT 1, ADD CHECK (x = 1)`,
      `DROP COLUMN x, ALTER owner_id SET NOT NULL`,
    ],
  ])("finds %s under a lock", async (_, up, down) => {
    const rehearsal = await rehearse(
      oneStatement(`ALTER TABLE ${TABLE} ${up}`, `ALTER TABLE ${TABLE} ${down}`),
      { base: BASE },
    );
    expect(checksOf(rehearsal)).toContain("scan-under-lock");
  });

  it("finds an index that is built while writers wait, and rows that are changed in one transaction", async () => {
    const rehearsal = await rehearse(
      oneStatement(
        `CREATE INDEX by_size ON ${TABLE} (size); UPDATE ${TABLE} SET note = 'x'`,
        `DROP INDEX "we""ird Schema".by_size`,
      ),
      { base: BASE },
    );
    expect(checksOf(rehearsal)).toEqual([
      "scan-under-lock",
      "rows-in-one-transaction",
      "lock-undeclared",
      "lock-undeclared",
      "rows-not-restored",
    ]);
  });

  it("has nothing to say of online steps", async () => {
    const at = { schema: `we"ird Schema`, table: `ta"ble` };
    const rehearsal = await rehearse(
      [
        addCheck({ ...at, name: "small", expression: "size < 100" }),
        createIndex({ ...at, parts: ["size"] }),
      ],
      { base: BASE },
    );
    expect(rehearsal.findings).toEqual([]);
    expect(rehearsal.ok).toBe(true);
    expect(rehearsal.plans.map(({ down }) => down?.outcome)).toEqual(["done", "done"]);
    expect(rehearsal.notLookedAt[0]).toMatch(/^locks of .*: outside of a transaction/);
  });

  it("tells what failed, and what did not run because of it", async () => {
    const rehearsal = await rehearse(
      [
        { ...oneStatement(`ALTER TABLE ${TABLE} ADD CHECK (size > 11)`), name: "first" },
        { ...oneStatement("SELECT 1"), name: "second" },
      ],
      { base: BASE },
    );
    expect(rehearsal.findings).toMatchObject([
      { check: "step-failed", message: expect.stringMatching(/SQLSTATE 23514/) as string },
    ]);
    expect(rehearsal.plans).toHaveLength(1);
    expect(rehearsal.notLookedAt).toContain(
      '"second": what came before it failed, so it did not run',
    );
  });

  it("finds a way down that leads to another catalog, or without its rows", async () => {
    const left = await rehearse(
      oneStatement(`CREATE TABLE "we""ird Schema".extra (id int)`, "SELECT 1"),
      { base: BASE },
    );
    expect(checksOf(left)).toContain("catalog-not-restored");
    const lost = await rehearse(
      oneStatement(
        `ALTER TABLE ${TABLE} DROP COLUMN note`,
        `ALTER TABLE ${TABLE} ADD COLUMN note text`,
      ),
      { base: BASE },
    );
    expect(lost.findings).toContainEqual(
      expect.objectContaining({ check: "rows-not-restored", object: `table ${TABLE}` }),
    );
  });

  it("names what cannot be taken back", async () => {
    const rehearsal = await rehearse(
      oneStatement(`ALTER TYPE "we""ird Schema".mood ADD VALUE 'fine'`, {
        kind: "irreversible",
        reason: "PostgreSQL drops no label",
      }),
      { base: BASE },
    );
    expect(rehearsal.findings).toMatchObject([
      { check: "irreversible", message: expect.stringMatching(/drops no label/) as string },
    ]);
    expect(rehearsal.plans[0]?.down).toBeNull();
  });

  it("lets an INSERT of the migration go on behind the rows that were made", async () => {
    const rehearsal = await rehearse(
      oneStatement(
        `INSERT INTO ${TABLE} (owner_id, size) SELECT id, 10 FROM "we""ird Schema".owners LIMIT 1`,
        `DELETE FROM ${TABLE} WHERE id = (SELECT max(id) FROM ${TABLE})`,
      ),
      { base: BASE },
    );
    expect(rehearsal.plans[0]?.up.outcome).toBe("done");
    expect(checksOf(rehearsal)).not.toContain("step-failed");
  });

  it("begins from what pg_dump prints, with roles that are not there", async () => {
    const base = `\\restrict abc
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE TABLE public.users (id integer NOT NULL);
ALTER TABLE public.users OWNER TO "the owner";
GRANT SELECT ON TABLE public.users TO reader;
\\unrestrict abc
`;
    const { rows } = await rehearse(oneStatement("SELECT 1"), { base });
    expect(rows).toEqual({ '"public"."users"': 20 });
  });

  it("refuses a base that cannot be made, and one that is none", async () => {
    await expect(
      rehearse(oneStatement("SELECT 1"), { base: "CREATE TABLE broken (" }),
    ).rejects.toMatchObject({ code: "invalidInput" });
    await expect(
      rehearse(oneStatement("SELECT 1"), { base: { format: 1, catalog: {} } as never }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/neither a definition nor SQL/) as string,
    });
  });

  it("is printed for people and for a pull request", async () => {
    const rehearsal = await rehearse(oneStatement(`ALTER TABLE ${TABLE} ALTER size TYPE bigint`), {
      base: BASE,
      rows: 3,
    });
    expect(rehearsalText(rehearsal).replaceAll(/\d+\.\d+/g, "N")).toMatchInlineSnapshot(`
      "Rehearsed on PGlite, PostgreSQL N over 9 rows in 3 tables: 3 findings

      findings:
        error rewrite-under-lock: step "change" of "tried": writes every row of "we""ird Schema"."ta""ble" anew while readers and writers of "we""ird Schema"."ta""ble" wait
        error lock-undeclared: step "change" of "tried": it holds other locks than it declares: we"ird Schema.ta"ble_pkey: declared nothing, measured accessExclusive; we"ird Schema.ta"ble: declared nothing, measured accessExclusive; declared 0 locks, measured 3
        error catalog-not-restored: column "size" of table "we""ird Schema"."ta""ble": type: after "tried" was taken back: was integer, is bigint

      tried
        ✓ change: Change something
            ACCESS EXCLUSIVE on "we""ird Schema"."ta""ble": readers and writers wait
            writes "we""ird Schema"."ta""ble" anew
            reads 6 rows of "we""ird Schema"."ta""ble"

      tried, taken back

      not looked at:
        waits: nobody else works in the database of a rehearsal"
    `);
    expect(rehearsalText(rehearsal, { format: "markdown" }).replaceAll(/\d+\.\d+/g, "N"))
      .toMatchInlineSnapshot(`
      "## Rehearsal

      Rehearsed on PGlite, PostgreSQL N over 9 rows in 3 tables: 3 findings

      ### Findings

      - **error** \`rewrite-under-lock\` step "change" of "tried": writes every row of "we""ird Schema"."ta""ble" anew while readers and writers of "we""ird Schema"."ta""ble" wait
      - **error** \`lock-undeclared\` step "change" of "tried": it holds other locks than it declares: we"ird Schema.ta"ble_pkey: declared nothing, measured accessExclusive; we"ird Schema.ta"ble: declared nothing, measured accessExclusive; declared 0 locks, measured 3
      - **error** \`catalog-not-restored\` column "size" of table "we""ird Schema"."ta""ble": type: after "tried" was taken back: was integer, is bigint

      ### tried

      | step | what | measured |
      | --- | --- | --- |
      | ✓ change | Change something | ACCESS EXCLUSIVE on "we""ird Schema"."ta""ble": readers and writers wait<br>writes "we""ird Schema"."ta""ble" anew<br>reads 6 rows of "we""ird Schema"."ta""ble" |

      ### tried, taken back

      Nothing to do.

      ### Not looked at

      - waits: nobody else works in the database of a rehearsal"
    `);
    expect(JSON.parse(rehearsalText(rehearsal, { format: "json" }))).toEqual(rehearsal);
  });
});
