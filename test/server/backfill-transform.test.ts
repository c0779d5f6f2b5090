import { beforeEach, expect, it } from "vitest";
import { backfill } from "../../src/recipes/backfill.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunOptions } from "../../src/run/options.ts";
import { onEngines } from "../support/server.ts";

type Given = Readonly<Record<string, unknown>> & { readonly id: number };

onEngines("a backfill by a handler of the host", (engine) => {
  const db = () => engine.db();
  const sql = async (text: string) => engine.executor().query(text);

  beforeEach(async () => {
    await sql(`DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
      CREATE TABLE app.t (id int PRIMARY KEY, done bool, big bigint, at timestamptz, doc jsonb, tags text[],
        grid int[], raw bytea, ratio float8, note text)`);
  });

  const columns = {
    ...{
      done: "boolean",
      big: "bigint",
      at: "timestamp with time zone",
      doc: "jsonb",
      tags: "text[]",
    },
    ...{ grid: "integer[]", raw: "bytea", ratio: "double precision", note: "text" },
  };
  const run = (
    compute: (rows: readonly Given[]) => unknown,
    writes: readonly (keyof typeof columns)[],
    {
      where = "done IS NULL",
      batchSize = 10,
      ...options
    }: RunOptions & { where?: string; batchSize?: number } = {},
  ) =>
    apply(
      db(),
      backfill({
        ...{ schema: "app", table: "t", key: [{ name: "id", type: "integer" }], where },
        ...{ batchSize, targetMs: false, workers: 2, validate: { nothingLeft: false } },
        transform: {
          ...{ handler: "h", version: 1, reads: Object.keys(columns) },
          writes: writes.map((name) => ({ name, type: columns[name] })),
        },
      }),
      { ...options, handlers: { h: { version: 1, run: compute as never } } },
    );

  it("writes what JSON has no word for", async () => {
    await sql("INSERT INTO app.t VALUES (1), (2)");
    const report = await run(
      (rows) =>
        rows.map(({ id }) => ({
          ...{ id, done: true, big: 9007199254740993n, at: new Date("2026-02-03T04:05:06.007Z") },
          ...{
            doc: "1",
            tags: [`a"b`, "c\\d,{}", null, "NULL"],
            grid: [
              [1, 2],
              [3, 4],
            ],
          },
          ...{ raw: new Uint8Array([0, 255]), ratio: Number.NaN, note: null },
        })),
      ["done", "big", "at", "doc", "tags", "grid", "raw", "ratio", "note"],
    );
    expect(report.failure).toBeUndefined();
    const [row] =
      await sql(`SELECT big, extract(epoch FROM at)::text AS at, jsonb_typeof(doc) AS kind, doc, to_json(tags) AS tags,
      to_json(grid) AS grid, encode(raw, 'hex') AS raw, ratio::text AS ratio, note FROM app.t WHERE id = 2`);
    expect(row).toEqual({
      ...{ big: "9007199254740993", at: "1770091506.007000", kind: "string", doc: "1" },
      ...{
        tags: [`a"b`, "c\\d,{}", null, "NULL"],
        grid: [
          [1, 2],
          [3, 4],
        ],
        raw: "00ff",
        ratio: "NaN",
      },
      note: null,
    });
  });

  it("writes each value back as it was given", async () => {
    await sql(`INSERT INTO app.t SELECT g, NULL, 9007199254740993, '2026-01-01 00:00:00.123456+00', d::jsonb, ARRAY['x"y', NULL],
        '{{1,2}}', '\\xdeadbeef', 0.1, E'a\\\\b' FROM (VALUES (1, '"null"'), (2, '"12"'), (3, '{"a": [1, null]}'), (4, '[1, "2"]'), (5, NULL)) AS x (g, d);
      CREATE TABLE app.before AS TABLE app.t`);
    const report = await run((rows) => rows.map((row) => ({ ...row, done: true })), [
      ...["done", "big", "at", "doc", "tags", "grid", "raw", "ratio", "note"],
    ] as (keyof typeof columns)[]);
    expect(report.failure).toBeUndefined();
    const differ = await sql(`SELECT id FROM app.t WHERE done IS NOT TRUE
      UNION SELECT id FROM (SELECT id, big, at, doc, tags, grid, raw, ratio, note FROM app.t
        EXCEPT SELECT id, big, at, doc, tags, grid, raw, ratio, note FROM app.before) AS d`);
    expect(differ).toEqual([]);
  });

  it("takes rows in any order, and leaves alone those that are left out", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 50) g");
    const report = await run(
      (rows) =>
        rows
          .filter(({ id }) => id % 5 !== 0)
          .map(({ id }) => ({ id, note: `n${id}` }))
          .toReversed(),
      ["note"],
      { where: "note IS NULL" },
    );
    expect(report.outcome).toBe("applied");
    const [row] = await sql(`SELECT count(*) FILTER (WHERE note = 'n' || id)::int AS right,
      count(*) FILTER (WHERE note IS NULL)::int AS left FROM app.t`);
    expect(row).toEqual({ right: 40, left: 10 });
  });

  it.each([
    [
      "leaves out a column",
      (rows: readonly Given[]) => rows.map(({ id }) => ({ id, nota: 1 })),
      'without "note"',
    ],
    [
      "returns a row twice",
      (rows: readonly Given[]) =>
        rows.flatMap(({ id }) => [
          { id, note: 1 },
          { id, note: 2 },
        ]),
      "two rows of the key",
    ],
    ["returns a row that it was not given", () => [{ id: 99, note: 1 }], "which it was not given"],
    ["returns no rows at all", () => "done", 'returned "done"'],
    [
      "returns a date that is none",
      (rows: readonly Given[]) => rows.map(({ id }) => ({ id, note: new Date("x") })),
      "Invalid time",
    ],
  ])("sets rows aside for which it %s", async (_what, compute, message) => {
    await sql("INSERT INTO app.t VALUES (1), (2)");
    const report = await run(compute, ["note"], { where: "note IS NULL" });
    expect(report.failure).toMatchObject({ code: "rowsFailed" });
    expect(report.failure?.message).toContain(message);
    expect(await sql("SELECT id FROM app.t WHERE note IS NOT NULL")).toEqual([]);
  });

  it("refuses to write its key", async () => {
    const transform = {
      handler: "h",
      version: 1,
      reads: [],
      writes: [{ name: "id", type: "integer" }],
    };
    expect(() =>
      backfill({ schema: "app", table: "t", key: [{ name: "id", type: "integer" }], transform }),
    ).toThrow("a column of the key");
  });

  it("is given a row again that was changed while it computed, and holds nothing meanwhile", async () => {
    await sql("INSERT INTO app.t (id, big) SELECT g, 0 FROM generate_series(1, 20) g");
    let calls = 0;
    const report = await run(
      async (rows) => {
        // Nobody is waited for: nothing is locked, and the connection of a pool of one is free.
        if (rows.some(({ id }) => id === 7) && ++calls <= 3)
          await sql(
            "SET lock_timeout = '2s'; UPDATE app.t SET big = big + 1 WHERE id = 7; RESET lock_timeout",
          );
        return rows.map(({ id, big }) => ({ id, note: `seen ${String(big)}` }));
      },
      ["note"],
      { where: "note IS NULL" },
    );
    expect(report.outcome).toBe("applied");
    expect(calls).toBe(4);
    expect(await sql("SELECT id, note FROM app.t WHERE note <> 'seen 0'")).toEqual([
      { id: 7, note: "seen 3" },
    ]);
  });

  it("keeps the range of rows that it computes for longer than a lease", async () => {
    await sql("INSERT INTO app.t SELECT g FROM generate_series(1, 20) g");
    const given: number[] = [];
    const report = await run(
      async (rows) => {
        given.push(...rows.map(({ id }) => id));
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        return rows.map(({ id }) => ({ id, note: "x" }));
      },
      ["note"],
      { where: "note IS NULL", leaseMs: 500 },
    );
    expect(report.outcome).toBe("applied");
    expect(given).toHaveLength(20);
  });
});
