import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import type { Interval, Scheme } from "../../src/definition/scheme.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { changeGranularity } from "../../src/partitioning/change-granularity.ts";
import { dropReplaced } from "../../src/partitioning/drop-replaced.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { schemeObjects } from "../../src/partitioning/scheme-objects.ts";
import { validatePartitions } from "../../src/partitioning/validate-partitions.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { WHOLE_MATRIX } from "../support/matrix.ts";
import { onEngines } from "../support/server.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

const NAME = `we"ird Schema`;
/** A present in the middle of what the tests make, so that the findings are of these partitions alone. */
const NOW = new Date("2026-02-15T00:00:00Z");

const every = (interval: Interval, premake = 0): Scheme => ({
  ...nested,
  dimensions: [
    nested.dimensions[0],
    nested.dimensions[1] as Scheme["dimensions"][0],
    { strategy: "range", column: "created_at", every: interval, premake, retain: null },
  ],
});
const monthly = every("1 month");

onEngines("Intervals of a live table", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: [NAME] });
  const rows = async () => {
    const [row] = await db().query<{ rows: string }>(
      `SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') AS rows FROM ${schema}.readings`,
    );
    return row?.rows;
  };
  const write = (site: string, value: number, day: string) =>
    db().query(
      `INSERT INTO ${schema}.readings (program_id, site_id, created_at, value) VALUES ('p1', '${site}', '${day}', ${value})`,
    );
  const leaves = async (site: string) => {
    const { partitions } = await facts();
    return partitions
      .filter(({ parent }) => parent?.name === `read_prog_p1_site_${site}`)
      .map(({ name, bound }) => {
        const [from = "", until = ""] = bound?.match(/\d{4}-\d\d-\d\d/g) ?? [];
        return `${name.replace(`read_prog_p1_site_${site}`, "")} ${from} ${until}`;
      })
      .sort((a, b) => (a.slice(-21) < b.slice(-21) ? -1 : 1));
  };
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };
  const findings = async (scheme: Scheme) =>
    (await validatePartitions(engine.db(), scheme, { now: NOW })).map(
      ({ check, message }) => `${check}: ${message}`,
    );
  const change = (from: Scheme, to: Scheme, values?: object) =>
    changeGranularity(engine.db(), {
      from,
      to,
      ...(values === undefined ? {} : { values: values as never }),
    });

  const provisioned = async (scheme: Scheme, from: string, until: string) => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; ${setup()}`,
    );
    await db().query(
      schemeObjects(scheme)
        .map(({ create }) => create)
        .join(";\n"),
    );
    await db().query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    for (const site of ["s1", "s2"])
      await db().query(
        `SELECT ${schema}.provision_readings('p1', '${site}', '${from}', '${until}')`,
      );
  };

  beforeEach(async () => {
    await provisioned(monthly, "2026-01-01", "2026-03-01");
    for (const [value, day] of [
      [1, "2026-01-01"],
      [2, "2026-01-31"],
      [3, "2026-02-01"],
      [4, "2026-03-31"],
    ] as const) {
      await write("s1", value, day);
      await write("s2", value * 10, day);
    }
  });

  const WEEKLY_S1: Scheme = {
    ...monthly,
    overrides: [{ values: { site_id: "s1" }, every: "1 week", premake: 6 }],
  };

  it("become weeks for one site, with a shorter one at each end, and come back with every row", async () => {
    const before = canonical(await facts());
    const plan = await change(monthly, WEEKLY_S1, { programId: "p1", siteId: "s1" });
    await applied(plan);
    const weeks = await leaves("s1");
    expect(weeks.slice(0, 3)).toEqual([
      "_2026_w01 2026-01-01 2026-01-05",
      "_2026_w02 2026-01-05 2026-01-12",
      "_2026_w03 2026-01-12 2026-01-19",
    ]);
    expect(weeks.at(-1)).toBe("_2026_w14 2026-03-30 2026-04-01");
    expect(weeks).toHaveLength(14);
    expect(await leaves("s2")).toHaveLength(3);
    expect(await rows()).toBe("1,2,3,4,10,20,30,40");
    await write("s1", 9, "2026-02-02");
    await db().query(`DELETE FROM ${schema}.readings WHERE value = 3`);
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("1,2,4,9,10,20,30,40");
    expect(compareCatalogs(before, canonical(await facts()))).toEqual([]);
  });

  it("go on in the new intervals where the last old one ends", async () => {
    const plan = await change(monthly, WEEKLY_S1);
    await applied(plan);
    await applied(dropReplaced({ scheme: WEEKLY_S1, plan }));
    expect(await findings(WEEKLY_S1)).toEqual([
      expect.stringMatching(/^partition-cut: 2 of its 14 partitions are not one of 1 week/),
    ]);
    const { failure } = await maintain(engine.db(), [WEEKLY_S1], { now: NOW });
    expect(failure).toBeUndefined();
    expect(await leaves("s1")).toEqual(
      expect.arrayContaining([
        "_2026_w14 2026-03-30 2026-04-01",
        expect.stringMatching(/w14 2026-04-01 2026-04-06$/),
        "_2026_w15 2026-04-06 2026-04-13",
      ]),
    );
    expect(await leaves("s2")).toHaveLength(3);
  });

  it("become days and months again without a shorter one anywhere, for all sites", async () => {
    // Each day is a partition to make, to fill and to drop, for each site: one month of them, or the three of the whole matrix.
    if (!WHOLE_MATRIX) await provisioned(monthly, "2026-02-01", "2026-02-01");
    const days = WHOLE_MATRIX ? 90 : 28;
    if (!WHOLE_MATRIX)
      for (const [site, value, day] of [
        ["s1", 1, "2026-02-01"],
        ["s1", 2, "2026-02-28"],
        ["s2", 10, "2026-02-01"],
      ] as const)
        await write(site, value, day);
    const months = await leaves("s2");
    const before = await rows();
    const daily = every("1 day");
    const toDays = await change(monthly, daily);
    await applied(toDays);
    expect(await leaves("s1")).toHaveLength(days);
    expect(await leaves("s2")).toHaveLength(days);
    await applied(dropReplaced({ scheme: daily, plan: toDays }));
    expect(await findings(daily)).toEqual([]);
    const catalog = canonical(await facts());
    const back = await change(daily, monthly);
    await applied(back);
    expect(await leaves("s2")).toEqual(months);
    expect(await rows()).toBe(before);
    expect(await undo(engine.db(), back)).toMatchObject({ outcome: "undone" });
    expect(compareCatalogs(catalog, canonical(await facts()))).toEqual([]);
  }, 240_000);

  it("become months out of weeks, which end where the weeks end", async () => {
    const weekly = every("1 week");
    await provisioned(weekly, "2025-01-06", "2025-04-30");
    await db().query(`SELECT ${schema}.provision_readings('p1', 's1', '2025-05-01', '2025-08-31')`);
    await write("s1", 1, "2025-04-28");
    await applied(await change(weekly, monthly, { programId: "p1", siteId: "s1" }));
    const months = await leaves("s1");
    expect(months[0]).toBe("_2025_01 2025-01-06 2025-02-01");
    // Not all 42 at once: the month in which the first group ends is in two pieces.
    expect(months.slice(3, 5)).toEqual([
      "_2025_04 2025-04-01 2025-04-28",
      "_2025_04_2 2025-04-28 2025-05-01",
    ]);
    expect(months.at(-1)).toBe("_2025_08 2025-08-01 2025-09-01");
    expect(await rows()).toBe("1");
  });

  it("join the pieces when they are asked again, once the old ones are dropped", async () => {
    await provisioned(monthly, "2025-01-01", "2025-08-01");
    await write("s1", 1, "2025-04-01");
    const weekly = every("1 week");
    const first = await change(monthly, weekly, { programId: "p1", siteId: "s1" });
    await applied(first);
    const ofWeek = async () => (await leaves("s1")).filter((each) => each.includes("_w14"));
    expect(await ofWeek()).toEqual([
      "_2025_w14 2025-03-31 2025-04-01",
      "_2025_w14_2 2025-04-01 2025-04-07",
    ]);
    await applied(dropReplaced({ scheme: weekly, plan: first }));
    await applied(await change(monthly, weekly, { programId: "p1", siteId: "s1" }));
    expect(await ofWeek()).toEqual([expect.stringMatching(/2025-03-31 2025-04-07$/)]);
    expect(await rows()).toBe("1");
  });

  it("are left alone where that cannot be done", async () => {
    const yearly = every("1 year");
    await provisioned(yearly, "2026-01-01", "2026-01-01");
    await expect(change(yearly, every("1 day"))).rejects.toMatchObject({
      hint: expect.stringContaining("by months first") as string,
    });
    await expect(change(yearly, { ...monthly, timeZone: "Asia/Tokyo" })).rejects.toThrow(
      /time zone differ/,
    );
    await expect(change(yearly, monthly, { programId: "p1", siteId: "none" })).rejects.toThrow(
      /has no partitions for/,
    );
  });
});
