import { beforeEach, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { plan } from "../../src/plan/plan.ts";
import type { Plan } from "../../src/plan/step.ts";
import { addForeignKey } from "../../src/recipes/add-foreign-key.ts";
import { backfill } from "../../src/recipes/backfill.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { apply } from "../../src/run/apply.ts";
import { estimate } from "../../src/run/estimate/estimate.ts";
import { estimateText } from "../../src/run/estimate/estimate-text.ts";
import type { BackfillEstimate, Estimate } from "../../src/run/estimate/estimate-types.ts";
import { onEngines } from "../support/server.ts";

const SCHEMA = 'we"ird Schema';
const T = '"we""ird Schema"."t 1"';

onEngines("an estimate", (engine) => {
  const db = () => engine.db();
  const sql = async (text: string) => engine.executor().query(text);
  const one = async (text: string) => Number((await sql(text))[0]?.["n"]);
  const wal = () => one("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS n");
  const size = () => one(`SELECT pg_total_relation_size('${T}')::text AS n`);

  beforeEach(async () => {
    await sql(`DROP SCHEMA IF EXISTS underpin, ${'"we""ird Schema"'} CASCADE; CREATE SCHEMA "we""ird Schema";
      CREATE TABLE ${T} (id bigint PRIMARY KEY, v int, note text NOT NULL)`);
  });
  const rows = async (count: number) => {
    await sql(`INSERT INTO ${T} SELECT g, NULL, md5(g::text) FROM generate_series(1, ${count}) g`);
    await sql(`VACUUM ANALYZE ${T}`);
  };

  const fill = (rest: object = {}) =>
    backfill({
      ...{ schema: SCHEMA, table: "t 1", key: [{ name: "id", type: "bigint" }] },
      ...{ set: "v = 1", where: "v IS NULL" },
      ...rest,
    });
  const first = ({ steps }: Estimate): BackfillEstimate => {
    const [step] = steps;
    if (step?.kind !== "backfill") throw new Error("the first step is no backfill");
    return step;
  };
  const costOf = async (made: Plan) => {
    const { cost, trouble } = first(await estimate(db(), made));
    if (cost === undefined) throw new Error(`there is no cost: ${trouble}`);
    return cost;
  };
  const within = (value: number, of: number, times: number) => {
    expect(value).toBeGreaterThan(of / times);
    expect(value).toBeLessThan(of * times);
  };

  it("foretells rows, log and growth as they come out, and has them all in its text", async () => {
    const count = engine.kind === "pglite" ? 40_000 : 200_000;
    await rows(count);
    const expected = await estimate(db(), fill());
    const { rows: left, sampledRows, cost, trouble } = first(expected);
    expect(trouble).toBeUndefined();
    within(left, count, 1.2);
    // A tenth of them at most is tried.
    expect(sampledRows).toBeLessThanOrEqual(count / 10);
    expect(sampledRows).toBeGreaterThan(count / 25);
    await sql(`VACUUM (FULL, ANALYZE) ${T}`);
    const before = { wal: await wal(), size: await size() };
    expect((await apply(db(), fill())).outcome).toBe("applied");
    within(expected.walBytes, (await wal()) - before.wal, 2);
    within(expected.growthBytes, (await size()) - before.size, 2);
    within(cost?.deadRows ?? 0, count, 1.2);
    const { likely = 0, atLeast = 0, atMost = 0 } = cost?.durationMs ?? {};
    expect(atLeast).toBeGreaterThan(0);
    expect(likely).toBeGreaterThanOrEqual(atLeast);
    expect(atMost).toBeGreaterThanOrEqual(likely);
    expect(estimateText(expected)).toMatch(/ of WAL\n.* dead rows, up to .*fillfactor 100/);
  });

  it("changes no row and nothing of the catalog", async () => {
    await rows(5_000);
    await sql(`CREATE INDEX ON ${T} (v)`);
    const seen = async () => ({
      rows: await sql(`SELECT md5(string_agg(t::text, ',' ORDER BY id)) AS h FROM ${T} AS t`),
      catalog: canonical(await readFacts(db(), { schemas: [SCHEMA, "public"] })),
      schemas: await sql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
    });
    const before = await seen();
    const made = plan("all", [
      ...fill().steps,
      ...setNotNull({ schema: SCHEMA, table: "t 1", column: "v" }).steps,
    ]);
    expect(first(await estimate(db(), made)).sampledBatches).toBeGreaterThan(0);
    expect(await seen()).toEqual(before);
  });

  it("tries batches all over the keys, and counts what is left only", async () => {
    await rows(20_000);
    await sql(`UPDATE ${T} SET v = 1 WHERE id <= 10000; ANALYZE ${T}`);
    // Had it tried the beginning only, it would not have met the trigger.
    await sql(`CREATE FUNCTION "we""ird Schema".no() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW.id > 19000 THEN RAISE 'not %', NEW.id; END IF; RETURN NEW; END $$;
      CREATE TRIGGER no BEFORE UPDATE ON ${T} FOR EACH ROW EXECUTE FUNCTION "we""ird Schema".no()`);
    const found = first(await estimate(db(), fill({ batchSize: 100 })));
    within(found.rows, 10_000, 1.3);
    expect(found.trouble).toMatch(/after the key \(1\d\d\d\d\): .*not 19/);
    expect(found.cost).toBeDefined();
  });

  it("sees that rows with room in their page stay there, and that indexed columns do not", async () => {
    await sql(`ALTER TABLE ${T} SET (fillfactor = 50)`);
    await rows(5_000);
    const roomy = await costOf(fill());
    expect(roomy.hotShare).toBeGreaterThan(0.9);
    expect(roomy.fillfactor).toBe(50);
    await sql(`CREATE INDEX ON ${T} (v)`);
    const indexed = await costOf(fill());
    expect(indexed.hotShare).toBe(0);
    expect(indexed.growthBytes).toBeGreaterThan(roomy.growthBytes);
    expect(indexed.walBytes).toBeGreaterThan(roomy.walBytes);
  });

  it("says why where no batch can be tried, and refuses nothing", async () => {
    await rows(100);
    expect(first(await estimate(db(), fill({ set: "later = 1" }))).trouble).toMatch(/later/);
    const gone = backfill({ table: "none", key: [{ name: "id", type: "bigint" }], set: "v = 1" });
    expect(first(await estimate(db(), gone))).toMatchObject({ rows: 0, cost: undefined });
    const writes = [{ name: "v", type: "integer" }];
    const transform = { handler: "compute", version: 1, reads: ["note"], writes };
    const target = { schema: SCHEMA, table: "t 1", key: [{ name: "id", type: "bigint" }] };
    const computed = first(await estimate(db(), backfill({ ...target, transform })));
    expect(computed).toMatchObject({ rows: 100, sampledBatches: 0, cost: undefined });
    expect(computed.trouble).toContain('the handler "compute", which is not called');
  });

  it("has nothing to say of an empty table but that it is empty", async () => {
    const found = first(await estimate(db(), fill()));
    expect(found).toMatchObject({
      rows: 0,
      sampledBatches: 0,
      cost: undefined,
      trouble: undefined,
    });
  });

  it("names the locks of statements, on how much, and what they read whole", async () => {
    await rows(2_000);
    await sql(`CREATE TABLE "we""ird Schema".parents (id bigint PRIMARY KEY)`);
    const facts = await readFacts(db(), { schemas: [SCHEMA] });
    const target = { schema: SCHEMA, table: "t 1", facts };
    const made = [
      createIndex({ ...target, parts: ["note"] }),
      addForeignKey({
        ...{ ...target, columns: ["id"] },
        references: { schema: SCHEMA, table: "parents", columns: ["id"] },
      }),
    ];
    const texts = [];
    for (const each of made) texts.push(estimateText(await estimate(db(), each)));
    expect(texts[0]).toMatch(/ShareUpdateExclusiveLock on we"ird Schema\.t 1: 2,000 rows, .*kB/);
    expect(texts[0]).toMatch(/reads every row twice/);
    expect(texts[1]).toMatch(/ShareRowExclusiveLock on .*; writers wait/);
    expect(texts[1]).toMatch(/reads every row, while others read and write/);
  });

  if (engine.kind === "server")
    it("names the slots that keep the log", async () => {
      await rows(100);
      const name = `underpin_estimate_${engine.major}`;
      await sql(`SELECT pg_create_physical_replication_slot('${name}', true)`);
      try {
        const found = await estimate(db(), fill());
        expect(found.slots.find((slot) => slot.name === name)).toMatchObject({ active: false });
        expect(estimateText(found)).toContain(
          `slot ${name}: keeps the WAL until it is read, and nobody reads it now`,
        );
      } finally {
        await sql(`SELECT pg_drop_replication_slot('${name}')`);
      }
    });
});
