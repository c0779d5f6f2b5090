import { beforeEach, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { checkConversion } from "../../src/partitioning/conversion-check.ts";
import { conversionStatus } from "../../src/partitioning/conversion-status.ts";
import { validateConversion } from "../../src/partitioning/conversion-validation.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { settleAttached } from "../../src/partitioning/attach/settle-attached.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { onEngines } from "../support/server.ts";
import { SCHEMA, schema, scheme, SETUP, TABLE } from "./attach-fixture.ts";

onEngines("A look at a conversion", (engine) => {
  const db = () => toExecutor(engine.db());
  const planned = async (strategy: "copy" | "attach") =>
    convertToPartitioned({
      facts: await readFacts(engine.db(), { schemas: [SCHEMA, "elsewhere"] }),
      scheme,
      strategy,
    });
  const checks = (findings: readonly { readonly check: string }[]) =>
    [...new Set(findings.map(({ check }) => check))].sort();

  beforeEach(async () => {
    await db().query(SETUP);
  });

  it("says beforehand what stands in the way and what would no longer hold, and changes nothing", async () => {
    await db().query(
      `INSERT INTO ${TABLE} (program_id, site_id, value) VALUES ('p1', NULL, 7);
       CREATE TABLE elsewhere.notes_of (reading_id uuid REFERENCES ${TABLE})`,
    );
    // Rows that the server is told of after the ANALYZE count a second time.
    await db().query("SELECT pg_catalog.pg_stat_force_next_flush()");
    await db().query(`ANALYZE ${TABLE}`);
    const check = await checkConversion(engine.db(), { scheme, bytesFree: 10 });
    expect(checks(check.findings)).toEqual(
      expect.arrayContaining([
        "conversion-refused",
        "disk-space",
        "key-incoming",
        "key-narrow",
        "partition-null",
      ]),
    );
    expect(check.rows).toBe(7);
    expect(check.attach.refused?.message).toMatch(/notes_of_reading_id_fkey/);
    expect(check.copy.durationMs).toBeGreaterThan(0);
    const [row] = await db().query<{ n: string }>(
      `SELECT count(*)::text AS n FROM pg_class WHERE relname LIKE 'underpin_conversion%'`,
    );
    expect(row?.n).toBe("0");
  });

  it("chooses to attach where a range leaves with time, and says why", async () => {
    await db().query(
      `UPDATE ${TABLE} SET site_id = 's1'; ALTER TABLE ${TABLE} ALTER site_id SET NOT NULL`,
    );
    const monthly = {
      ...scheme,
      dimensions: [
        { strategy: "range", column: "created_at", every: "1 month", premake: 1, retain: "1 year" },
      ],
    } as const;
    const check = await checkConversion(engine.db(), { scheme: monthly });
    expect(check).toMatchObject({ strategy: "attach", attach: { refused: null } });
    expect(check.why).toMatch(/leaves by itself/);
    const nested = await checkConversion(engine.db(), { scheme });
    expect(nested.strategy).toBe("copy");
    expect(nested.why).toMatch(/of all values that are there stay in one partition, not cut by/);
    expect(nested.advice.conversion).toMatchObject({ strategy: "copy" });
    expect(nested.attach.bytesNeeded).toBeGreaterThan(0);
  });

  it("finds another conversion of the same table", async () => {
    const plan = await planned("attach");
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === "watch") stop.abort();
      },
    });
    const check = await checkConversion(engine.db(), { scheme, strategy: "attach" });
    expect(checks(check.findings)).toContain("run-at-work");
    expect(await conversionStatus(engine.db(), { scheme })).toMatchObject({
      strategy: "attach",
      serves: "plain",
      run: { nextStep: "read" },
    });
  });

  it("is all well after an attach, and keeps nothing once that is settled", async () => {
    const plan = await planned("attach");
    await apply(engine.db(), plan);
    expect(await conversionStatus(engine.db(), { scheme })).toMatchObject({
      strategy: "attach",
      serves: "partitioned",
      rowsBehind: null,
    });
    const validation = await validateConversion(engine.db(), { scheme });
    expect(validation).toMatchObject({
      beside: null,
      rows: 6,
      parts: [{ partition: "readings_legacy", rows: 6 }],
      findings: [],
    });
    const facts = await readFacts(engine.db(), { schemas: [SCHEMA] });
    const settle = settleAttached({ facts, scheme });
    expect(await apply(engine.db(), settle)).toMatchObject({ outcome: "waiting" });
    await confirm(engine.db(), settle.name, "nobody-wants-it-back");
    expect(await apply(engine.db(), settle)).toMatchObject({ outcome: "applied" });
    const { tables, indexes } = await readFacts(engine.db(), { schemas: [SCHEMA] });
    const left = [...tables, ...indexes].filter(({ name }) => /_attach_|_narrow$/.test(name));
    expect(left).toEqual([]);
  });

  it("tells rows that differ after a copy, by partition, and a privilege that is gone", async () => {
    await db().query(
      `UPDATE ${TABLE} SET site_id = 's1' WHERE site_id IS NULL; ALTER TABLE ${TABLE} ALTER site_id SET NOT NULL`,
    );
    const report = await apply(engine.db(), await planned("copy"));
    expect(report.failure).toBeUndefined();
    const before = await validateConversion(engine.db(), { scheme });
    expect(before.beside).toMatch(/readings_unpartitioned/);
    expect(before.rows).toBe(6);
    expect(before.findings).toEqual([]);
    await db().query(
      `UPDATE ${schema}.readings_unpartitioned SET value = 11 WHERE value = 10;
       REVOKE SELECT ON ${TABLE} FROM attach_reader`,
    );
    const after = await validateConversion(engine.db(), { scheme });
    expect(checks(after.findings)).toEqual(["privileges-differ", "rows-differ"]);
    expect(await conversionStatus(engine.db(), { scheme })).toMatchObject({
      strategy: "copy",
      serves: "partitioned",
    });
  });
});
