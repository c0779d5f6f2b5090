import { describe, expect, it } from "vitest";
import { parseBound } from "../../src/partitioning/bound.ts";
import { readTree } from "../../src/partitioning/read-tree.ts";
import { list, partitionBy } from "../../src/partitioning/partition-by.ts";
import { pgSchema, text } from "drizzle-orm/pg-core";
import { onEngines } from "../support/server.ts";

const SCHEMA = `we"ird Schema`;
const space = pgSchema(SCHEMA);
const words = space.table("words", { word: text("word").notNull() });

describe("a bound", () => {
  it("is one of four forms", () => {
    expect(parseBound("DEFAULT")).toEqual({ strategy: "default" });
    expect(parseBound("FOR VALUES WITH (modulus 4, remainder 3)")).toEqual({
      strategy: "hash",
      modulus: 4,
      remainder: 3,
    });
    expect(
      parseBound("FOR VALUES FROM (MINVALUE, 1) TO ('2025-01-01 00:00:00+00', MAXVALUE)"),
    ).toEqual({
      strategy: "range",
      lower: ["minimum", { value: "1" }],
      upper: [{ value: "2025-01-01 00:00:00+00" }, "maximum"],
    });
  });

  it("that is none of them is an error with its text", () => {
    expect(() => parseBound("FOR VALUES BEYOND (1)")).toThrow("FOR VALUES BEYOND (1)");
  });
});

onEngines("the bounds that PostgreSQL prints", (engine) => {
  it("are read as they were written, hostile ones too", async () => {
    const db = engine.executor();
    const hostile = ["a, b", "it's", "back\\slash", ") TO (", "MINVALUE", "NULL", "", "1"];
    const quoted = hostile.map((value) => `'${value.replaceAll("'", "''")}'`);
    await db.query(`CREATE SCHEMA IF NOT EXISTS "we""ird Schema";
      CREATE TABLE "we""ird Schema".words (word text) PARTITION BY LIST (word);
      CREATE TABLE "we""ird Schema".words_1 PARTITION OF "we""ird Schema".words FOR VALUES IN (${quoted.join(", ")}, NULL);
      CREATE TABLE "we""ird Schema".words_2 PARTITION OF "we""ird Schema".words FOR VALUES IN ('2') PARTITION BY RANGE (word);
      CREATE TABLE "we""ird Schema".words_3 PARTITION OF "we""ird Schema".words DEFAULT`);
    const { root, partitions } = await readTree(db, partitionBy(words, list(words.word)));
    expect(root).toMatchObject({
      schema: SCHEMA,
      name: "words",
      level: 0,
      parent: null,
      bound: null,
    });
    expect(partitions.map(({ name, isLeaf }) => [name, isLeaf])).toEqual([
      ["words_1", true],
      ["words_2", false],
      ["words_3", true],
    ]);
    expect(partitions[0]?.bound).toEqual({ strategy: "list", values: [...hostile, null] });
    expect(partitions[2]?.bound).toEqual({ strategy: "default" });
  });

  it("are those of partitioned tables alone", async () => {
    const plain = space.table("plain", { word: text("word").notNull() });
    await expect(readTree(engine.executor(), partitionBy(plain, list(plain.word)))).rejects.toThrow(
      /is not there, or is no partitioned table/,
    );
  });
});
