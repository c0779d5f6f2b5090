import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { and, gt, isNull, lte, sql as drizzleSql } from "drizzle-orm";
import { bigint, integer, pgTable, text } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { Plan } from "../src/plan/step.ts";
import { backfill } from "../src/recipes/backfill.ts";
import { apply } from "../src/run/apply.ts";
import { ident } from "../src/sql/quote.ts";
import type { Bench } from "./bench.ts";
import { figure, type Figure } from "./figure.ts";
import { sample } from "./measure.ts";

/** `UNDERPIN_BENCH_ROWS` makes it smaller. */
const ROWS = Number(process.env["UNDERPIN_BENCH_ROWS"] ?? 1_000_000);
const BATCH = 1_000;
const ROUNDS = 3;
const TENANT = "(1 + id % 100)::int";

/** As a server in use: only that nothing is forced to a disk is left as for all benches. */
export const settings = {
  synchronous_commit: "on",
  full_page_writes: "on",
  max_wal_size: "1GB",
};

/**
 * A column of all rows is filled by two workers, against one UPDATE, against a loop of LIMIT and a growing OFFSET, and against a loop by
 * hand that goes by the key. Each on a fresh, vacuumed copy, autovacuum as by default.
 */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  try {
    say(`${ROWS} rows`);
    await fillSource(sql, "source", ROWS);
    return [
      ...(await compare(sql, say)),
      ...(await grow(sql, say)),
      ...(await transformed(sql, say)),
    ];
  } finally {
    await sql.end();
  }
};

type Sql = postgres.Sql;
type Say = (line: string) => void;
type Side = (sql: Sql, table: string) => Promise<unknown>;

const SIDES = { ours, update, keyset, offset } as const satisfies Record<string, Side>;

async function compare(sql: Sql, say: Say): Promise<readonly Figure[]> {
  const taken = { ours: [], update: [], keyset: [] } as Record<
    "ours" | "update" | "keyset",
    number[]
  >;
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = ["ours", "update", "keyset"] as const;
    for (const name of round % 2 === 0 ? order : order.toReversed()) {
      const ms = await onCopy(sql, "source", SIDES[name], mustBeFilled);
      say(`${name}: ${Math.round(ms)} ms`);
      taken[name].push(ms);
    }
  }
  let missed = 0;
  const offsetMs = await onCopy(sql, "source", SIDES.offset, async (table) => {
    missed = await countLeft(sql, table);
  });
  const [mine, one, byHand] = [sample(taken.ours), sample(taken.update), sample(taken.keyset)];
  const rows = ROWS.toLocaleString("en-US");
  return [
    figure({
      what: `${rows} rows by 2 workers, against one UPDATE of all`,
      ...{ ours: mine, theirs: one, target: { of: "ratio", atLeast: 1 } },
    }),
    figure({
      what: `  against Drizzle and a loop by hand, ${BATCH} rows by key`,
      ...{ ours: mine, theirs: byHand },
    }),
    figure({
      what: `  against a loop of LIMIT ${BATCH} and a growing OFFSET`,
      ...{ ours: mine, theirs: offsetMs },
    }),
    figure({
      what: "  rows that are missed, by us and by that loop",
      ...{ ours: 0, theirs: missed, unit: "rows", target: { of: "ours", atMost: 0 } },
    }),
  ];
}

/** What a row costs, and what memory it takes, as the table grows. */
async function grow(sql: Sql, say: Say): Promise<readonly Figure[]> {
  const sizes = [ROWS / 10, ROWS, ROWS * 5].map(Math.round);
  // What is only loaded once is no growth.
  await measured(sql, say, sizes[0] ?? 0, ours);
  const seen = [];
  for (const rows of sizes) seen.push(await measured(sql, say, rows, ours));
  const [small, , large] = seen;
  if (small === undefined || large === undefined) throw new Error("there are three sizes");
  return [
    figure({
      what: `one row of ${count(large.rows)}, against one of ${count(small.rows)}`,
      ...{ ours: large.perRow, theirs: small.perRow, unit: "µs" },
      target: { of: "ratio", atLeast: 1 / 1.25 },
    }),
    ...memoryFigures("", seen),
  ];
}

/** The same where the rows travel: a handler of the host computes them. */
async function transformed(sql: Sql, say: Say): Promise<readonly Figure[]> {
  const sizes = [ROWS / 10, ROWS / 2].map(Math.round);
  await measured(sql, say, sizes[0] ?? 0, byTransform);
  const seen = [];
  for (const rows of sizes) seen.push(await measured(sql, say, rows, byTransform));
  return memoryFigures(" computed by the host", seen);
}

interface Grown {
  readonly rows: number;
  readonly perRow: number;
  readonly rss: number;
  readonly heap: number;
  readonly most: number;
}

function memoryFigures(how: string, seen: readonly Grown[]): readonly Figure[] {
  const [small, ...larger] = seen;
  return larger.flatMap((each) =>
    small === undefined
      ? []
      : [
          figure({
            what: `our process after ${count(each.rows)} rows${how}, against ${count(small.rows)}`,
            ...{ ours: each.rss, theirs: small.rss, unit: "MB" },
            target: { of: "ratio", atLeast: 1 / 1.2 },
          }),
          figure({ what: "  its heap", ours: each.heap, theirs: small.heap, unit: "MB" }),
          figure({
            what: "  at most, while it ran",
            ours: each.most,
            theirs: small.most,
            unit: "MB",
          }),
        ],
  );
}

async function measured(sql: Sql, say: Say, rows: number, side: Side): Promise<Grown> {
  const source = `grown_${rows}`;
  await fillSource(sql, source, rows);
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  try {
    const ms = await onCopy(sql, source, side, mustBeFilled);
    collectGarbage();
    const { rss, heapUsed } = process.memoryUsage();
    const grown = {
      rows,
      perRow: (1000 * ms) / rows,
      rss: mb(rss),
      heap: mb(heapUsed),
      most: mb(most),
    };
    say(
      `${count(rows)} rows: ${Math.round(ms)} ms, ${grown.rss} MB, of them ${grown.heap} MB heap, at most ${grown.most} MB`,
    );
    return grown;
  } finally {
    clearInterval(looking);
    await sql.unsafe(`DROP TABLE ${ident(source)}`);
  }
}

async function fillSource(sql: Sql, name: string, rows: number): Promise<void> {
  await sql.unsafe(
    `CREATE TABLE IF NOT EXISTS ${ident(name)} (id bigint PRIMARY KEY, tenant integer, payload text NOT NULL)`,
  );
  await sql.unsafe(
    `INSERT INTO ${ident(name)} SELECT g, NULL, repeat(md5(g::text), 3) FROM generate_series(1, ${rows}) AS g ON CONFLICT DO NOTHING`,
  );
}

let copies = 0;

/** Milliseconds of a side on a copy of its own, which is looked at and dropped afterwards. */
async function onCopy(
  sql: Sql,
  source: string,
  side: Side,
  look: (table: string, sql: Sql) => Promise<void>,
): Promise<number> {
  const table = `copy_${(copies += 1)}`;
  await sql.unsafe(`CREATE TABLE ${ident(table)} (LIKE ${ident(source)} INCLUDING ALL)`);
  await sql.unsafe(`INSERT INTO ${ident(table)} SELECT * FROM ${ident(source)} ORDER BY id`);
  await sql.unsafe(`VACUUM (ANALYZE) ${ident(table)}`);
  await sql.unsafe("CHECKPOINT");
  collectGarbage();
  const began = performance.now();
  await side(sql, table);
  const ms = performance.now() - began;
  await look(table, sql);
  await sql.unsafe(`DROP TABLE ${ident(table)}`);
  return ms;
}

async function countLeft(sql: Sql, table: string): Promise<number> {
  const [row] = await sql.unsafe<{ left: number }[]>(
    `SELECT count(*)::int AS left FROM ${ident(table)} WHERE tenant IS DISTINCT FROM ${TENANT}`,
  );
  return row?.left ?? Number.NaN;
}

async function mustBeFilled(table: string, sql: Sql): Promise<void> {
  const left = await countLeft(sql, table);
  if (left !== 0) throw new Error(`${left} rows of ${table} are not as they should be`);
}

async function ours(sql: Sql, table: string): Promise<void> {
  await applied(sql, backfill({ ...targetOf(table), set: `tenant = ${TENANT}` }));
}

async function byTransform(sql: Sql, table: string): Promise<void> {
  const writes = [{ name: "tenant", type: "integer" }];
  const made = backfill({
    ...targetOf(table),
    transform: { handler: "tenantOf", version: 1, reads: ["payload"], writes },
  });
  const run = (rows: unknown) =>
    (rows as { readonly id: string }[]).map(({ id }) => ({ id, tenant: 1 + (Number(id) % 100) }));
  await applied(sql, made, { tenantOf: { version: 1, run } });
}

function targetOf(table: string) {
  const key = [{ name: "id", type: "bigint" }];
  return { table, key, where: "tenant IS NULL", batchSize: BATCH, workers: 2 };
}

async function applied(sql: Sql, plan: Plan, handlers = {}): Promise<void> {
  const { outcome, failure } = await apply(sql, plan, { handlers });
  if (outcome !== "applied") throw new Error(`the run ended ${outcome}: ${failure?.message}`);
}

function update(sql: Sql, table: string): Promise<unknown> {
  return sql.unsafe(`UPDATE ${ident(table)} SET tenant = ${TENANT} WHERE tenant IS NULL`);
}

/** As it is written by hand: a page of keys, and an UPDATE up to its last. */
async function keyset(sql: Sql, name: string): Promise<void> {
  const db = drizzle(sql);
  const table = pgTable(name, {
    id: bigint("id", { mode: "number" }).primaryKey(),
    tenant: integer("tenant"),
    payload: text("payload").notNull(),
  });
  for (let last = 0; ; ) {
    const left = and(gt(table.id, last), isNull(table.tenant));
    const page = await db
      .select({ id: table.id })
      .from(table)
      .where(left)
      .orderBy(table.id)
      .limit(BATCH);
    const upper = page.at(-1)?.id;
    if (upper === undefined) return;
    await db
      .update(table)
      .set({ tenant: drizzleSql.raw(TENANT) })
      .where(and(left, lte(table.id, upper)));
    last = upper;
  }
}

/** As it is found in guides, without the rest between two batches: what is done leaves the set that the OFFSET counts. */
async function offset(sql: Sql, table: string): Promise<void> {
  const name = ident(table);
  for (let at = 0; ; at += BATCH) {
    const { count: changed } = await sql.unsafe(
      `UPDATE ${name} SET tenant = ${TENANT} WHERE tenant IS NULL AND id IN (SELECT id FROM ${name} WHERE tenant IS NULL LIMIT ${BATCH} OFFSET ${at})`,
    );
    if (changed === 0) return;
  }
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function mb(bytes: number): number {
  return Math.round(bytes / 1024 / 102.4) / 10;
}

function count(rows: number): string {
  return rows.toLocaleString("en-US");
}
