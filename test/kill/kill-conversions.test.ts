import { integer, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import type { Plan } from "../../src/plan/step.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import { killEverywhere } from "./enumerate.ts";
import { openHosts, type Hosts } from "./host-process.ts";
import { reversiblePart, severEverywhere } from "./sever.ts";
import { SYNTHETIC_SCHEMA } from "./synthetic-plan.ts";

/** As in the other files: only `npm run test:kill` kills at every moment. */
const everyMoment = process.env.UNDERPIN_KILL === "all";
/** `UNDERPIN_KILL_EACH=20` kills at each twentieth moment only: a plan of keys has thousands. */
const each = Number(process.env.UNDERPIN_KILL_EACH ?? 1);
const MINUTES = 60_000;

const schema = ident(SYNTHETIC_SCHEMA);
const parents = `${schema}."pa""rents"`;
const children = `${schema}."chil'dren"`;

/** Keys that refer to themselves and to another, one of them deferred; rows enough for some batches. */
const keyTables = `CREATE SCHEMA ${schema};
  CREATE TABLE ${parents} ("i""d" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, label text,
    "boss_id" integer REFERENCES ${parents} DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE ${children} (child_id serial PRIMARY KEY, parent_id integer NOT NULL REFERENCES ${parents} ON DELETE CASCADE, note text);
  CREATE INDEX "children of" ON ${children} (parent_id);
  INSERT INTO ${parents} (label, boss_id) SELECT 'p' || g, NULLIF(g / 2, 0) FROM generate_series(1, 12) AS g;
  INSERT INTO ${children} (parent_id, note) SELECT 1 + g % 12, 'c' || g FROM generate_series(1, 40) AS g`;

const visits = pgSchema(SYNTHETIC_SCHEMA).table(
  'vis"its',
  {
    site: text("site").notNull(),
    at: timestamp("at", { withTimezone: true }).notNull(),
    number: integer("number").notNull(),
    note: text("note"),
  },
  (t) => [primaryKey({ name: "visits_pkey", columns: [t.site, t.at, t.number] })],
);
const scheme = partitionBy(visits, list(visits.site), range(visits.at, { every: "1 month" }));
const visitTables = `CREATE SCHEMA ${schema};
  CREATE TABLE ${schema}."vis""its" (site text NOT NULL, at timestamptz NOT NULL, number integer NOT NULL, note text,
    CONSTRAINT visits_pkey PRIMARY KEY (site, at, number));
  CREATE INDEX "visits at" ON ${schema}."vis""its" (at);
  INSERT INTO ${schema}."vis""its" SELECT 's' || g % 2, '2026-01-03'::timestamptz + g * interval '1 day', g, 'n' FROM generate_series(1, 50) AS g`;

const factsOf = (db: Executor) => readFacts(db, { schemas: [SYNTHETIC_SCHEMA] });

interface Conversion {
  readonly what: string;
  readonly tables: string;
  readonly make: (db: Executor) => Promise<Plan>;
}

/** Plans that are made from what the tables are. */
const conversions: readonly Conversion[] = [
  {
    what: "convertPrimaryKey",
    tables: keyTables,
    make: async (db) => convertPrimaryKey({ facts: await factsOf(db), tables: "all", to: "uuid" }),
  },
  ...(["copy", "attach"] as const).map((strategy) => ({
    what: `convertToPartitioned by ${strategy}`,
    tables: visitTables,
    make: async (db: Executor) => {
      const facts = await factsOf(db);
      return strategy === "copy"
        ? convertToPartitioned({ facts, scheme, strategy })
        : convertToPartitioned({ facts, scheme, strategy });
    },
  })),
];

onServers("a conversion", (server) => {
  let hosts: Hosts | undefined;
  beforeAll(async () => {
    if (everyMoment) hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  const planOf = async ({ tables, make }: Conversion): Promise<Plan> => {
    const sql = server.sql();
    await sql.unsafe(`DROP SCHEMA IF EXISTS ${schema} CASCADE; ${tables}`);
    return reversiblePart(await make(toExecutor(sql)));
  };

  for (const conversion of conversions) {
    it.skipIf(!everyMoment && server.major !== 18)(
      `comes to the same end by itself when its connections are cut at each journal boundary: ${conversion.what}`,
      async () => {
        const plan = await planOf(conversion);
        const { tables } = conversion;
        const { boundaries, missed, divergences } = await severEverywhere({
          ...{ server, plan, schema: SYNTHETIC_SCHEMA, tables },
        });
        console.log(
          `PostgreSQL ${server.major}, ${conversion.what}: cut at ${boundaries} journal boundaries, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(missed).toEqual([]);
        expect(boundaries).toBeGreaterThan(20);
      },
      5 * MINUTES,
    );

    it.skipIf(!everyMoment)(
      `is gone on with to the same end, there and back, when its process is killed: ${conversion.what}`,
      async () => {
        if (hosts === undefined) throw new Error("the host program was not bundled");
        const plan = await planOf(conversion);
        const { applyPoints, undoPoints, divergences } = await killEverywhere({
          ...{ server, hosts, plan, schema: SYNTHETIC_SCHEMA, tables: conversion.tables },
          everyMoment: false,
          each,
        });
        console.log(
          `PostgreSQL ${server.major}, ${conversion.what}: killed at ${applyPoints} points of apply and ${undoPoints} of undo, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(applyPoints).toBeGreaterThan(20);
      },
      60 * MINUTES,
    );
  }
});
