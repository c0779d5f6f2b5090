import postgres from "postgres";
import { readFacts, type Facts } from "../src/catalog/read-facts.ts";
import {
  addCheck,
  addColumn,
  addForeignKey,
  addPrimaryKey,
  addUnique,
  backfill,
  changeColumnType,
  createIndex,
  createMaterializedView,
  dropColumn,
  dropIndex,
  enableRls,
  renameColumn,
  renameTable,
  replaceIndex,
  setNotNull,
  splitColumn,
} from "../src/migrations/index.ts";
import type { Plan } from "../src/plan/step.ts";
import { apply } from "../src/run/apply.ts";
import { confirm } from "../src/run/control.ts";
import { DEFAULT_RUN_OPTIONS } from "../src/run/options.ts";
import type { Bench } from "./bench.ts";
import { figure, type Figure } from "./figure.ts";

/** `UNDERPIN_BENCH_ROWS` makes it smaller, `UNDERPIN_BENCH_ONLY` takes the recipes of these names alone. */
const ROWS = Number(process.env["UNDERPIN_BENCH_ROWS"] ?? 1_000_000);
const ONLY = process.env["UNDERPIN_BENCH_ONLY"]?.split(",");
const QUIET_MS = 2_000;
const TABLE = "t";

/** As a server in use. */
export const settings = {
  synchronous_commit: "on",
  full_page_writes: "on",
  max_wal_size: "1GB",
};

/** One recipe on the table, and what the writer writes to once its gate is confirmed. */
interface Recipe {
  readonly plan: (facts: Facts) => Plan;
  readonly setup?: string;
  readonly writesTo?: string;
}

const key = [{ name: "id", type: "bigint" }];

const RECIPES: Readonly<Record<string, Recipe>> = {
  "addColumn with one value": {
    plan: (facts) =>
      addColumn({
        ...{ facts, table: TABLE, column: "state" },
        ...{ type: "text", default: "'new'", notNull: true },
      }),
  },
  "addColumn with a value for each row": {
    plan: (facts) =>
      addColumn({
        ...{ facts, table: TABLE, column: "token" },
        ...{ type: "uuid", default: "gen_random_uuid()", notNull: true },
      }),
  },
  dropColumn: { plan: (facts) => dropColumn({ facts, table: TABLE, column: "extra" }) },
  setNotNull: { plan: () => setNotNull({ table: TABLE, column: "tenant" }) },
  addCheck: {
    plan: () => addCheck({ table: TABLE, name: "positive", expression: "tenant > 0" }),
  },
  addForeignKey: {
    plan: (facts) =>
      addForeignKey({
        ...{ facts, table: TABLE, columns: ["tenant"] },
        references: { table: "tenants", columns: ["id"] },
      }),
  },
  addUnique: { plan: (facts) => addUnique({ facts, table: TABLE, columns: ["tenant", "id"] }) },
  addPrimaryKey: {
    setup: `ALTER TABLE t DROP CONSTRAINT t_pkey; CREATE UNIQUE INDEX t_id ON t (id)`,
    plan: (facts) => addPrimaryKey({ facts, table: TABLE, columns: ["id"] }),
  },
  createIndex: { plan: (facts) => createIndex({ facts, table: TABLE, parts: ["payload"] }) },
  dropIndex: {
    setup: "CREATE INDEX t_payload ON t (payload)",
    plan: (facts) => dropIndex({ facts, index: "t_payload" }),
  },
  replaceIndex: {
    setup: "CREATE INDEX t_payload ON t (payload)",
    plan: (facts) => replaceIndex({ facts, index: "t_payload", by: { parts: ["payload", "id"] } }),
  },
  renameColumn: {
    plan: (facts) => renameColumn({ facts, table: TABLE, column: "extra", to: "more" }),
  },
  renameTable: {
    plan: (facts) => renameTable({ facts, table: TABLE, to: "renamed" }),
    writesTo: "renamed",
  },
  changeColumnType: {
    plan: (facts) => changeColumnType({ facts, table: TABLE, column: "tenant", type: "bigint" }),
  },
  splitColumn: {
    plan: (facts) =>
      splitColumn({
        ...{ facts, table: TABLE, column: "extra", value: "head || tail" },
        into: [
          { name: "head", type: "text", value: "left(extra, 3)" },
          { name: "tail", type: "text", value: "substr(extra, 4)" },
        ],
      }),
  },
  enableRls: {
    plan: (facts) =>
      enableRls({
        ...{ facts, table: TABLE },
        policies: [{ name: "all", roles: ["public"], using: "true", check: "true" }],
      }),
  },
  createMaterializedView: {
    plan: () =>
      createMaterializedView({
        ...{ name: "by_tenant", unique: { columns: ["tenant"] } },
        query: "SELECT tenant, count(*) AS rows FROM public.t GROUP BY tenant",
        reads: [{ schema: "public", name: TABLE }],
      }),
  },
  backfill: {
    plan: () =>
      backfill({
        table: TABLE,
        key,
        set: "extra = upper(payload)",
        where: "extra <> upper(payload)",
        // The writer goes on inserting such rows.
        validate: { nothingLeft: false },
      }),
  },
};

/** What a writer of single rows waits for at most during each recipe, beside what it waits for in quiet. */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  try {
    say(`${ROWS} rows`);
    await sql.unsafe(
      `CREATE TABLE tenants (id integer PRIMARY KEY); INSERT INTO tenants SELECT generate_series(0, 100);
       CREATE TABLE source (id bigint PRIMARY KEY, tenant integer, payload text NOT NULL, extra text NOT NULL DEFAULT '', touched integer NOT NULL DEFAULT 0);
       INSERT INTO source SELECT g, 1 + g % 100, repeat(md5(g::text), 2), md5(g::text) FROM generate_series(1, ${ROWS}) AS g`,
    );
    const figures: Figure[] = [];
    for (const [name, recipe] of Object.entries(RECIPES)) {
      if (ONLY !== undefined && !ONLY.includes(name)) continue;
      figures.push(...(await waits(url, sql, say, name, recipe)));
    }
    figures.push(
      figure({ what: "the lock timeout", ours: DEFAULT_RUN_OPTIONS.lockTimeoutMs, unit: "ms" }),
    );
    return figures;
  } finally {
    await sql.end();
  }
};

async function waits(
  url: string,
  sql: postgres.Sql,
  say: (line: string) => void,
  name: string,
  recipe: Recipe,
): Promise<readonly Figure[]> {
  await sql.unsafe("DROP SCHEMA IF EXISTS underpin CASCADE");
  await sql.unsafe(resetSql());
  await sql.unsafe(`INSERT INTO t SELECT * FROM source ORDER BY id`);
  if (recipe.setup !== undefined) await sql.unsafe(recipe.setup);
  await sql.unsafe("VACUUM ANALYZE t");
  await sql.unsafe("CHECKPOINT");
  const made = recipe.plan(await readFacts(sql, { schemas: ["public"] }));
  const writer = startWriter(url);
  try {
    await rest(500);
    writer.taken.length = 0;
    await rest(QUIET_MS);
    const quiet = percentile(writer.taken.splice(0), 0.99);
    const began = performance.now();
    await throughGates(sql, made, () => {
      writer.table = recipe.writesTo ?? TABLE;
    });
    const tookMs = performance.now() - began;
    const taken = [...writer.taken];
    const longest = taken.reduce((most, ms) => Math.max(most, ms), 0);
    const p99 = percentile(taken, 0.99);
    say(
      `${name}: ${Math.round(tookMs)} ms, ${taken.length} writes, the longest ${Math.round(longest)} ms, p99 ${p99.toFixed(1)} ms, in quiet ${quiet.toFixed(1)} ms`,
    );
    const target = { of: "ours", atMost: DEFAULT_RUN_OPTIONS.lockTimeoutMs } as const;
    return [
      figure({ what: `${name}: the longest wait`, ours: longest, target }),
      figure({ what: "  p99, against p99 in quiet", ours: p99, theirs: quiet }),
    ];
  } finally {
    await writer.stop();
  }
}

/** The table anew, whatever a recipe made of it. */
function resetSql(): string {
  return `DROP MATERIALIZED VIEW IF EXISTS by_tenant;
DO $$ DECLARE old record; BEGIN
  FOR old IN SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ('t', 'renamed') LOOP
    EXECUTE format('DROP %s IF EXISTS %I CASCADE', CASE old.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, old.relname);
  END LOOP;
END $$;
CREATE TABLE t (LIKE source INCLUDING ALL)`;
}

/** Confirms each gate at once, as a person would after the deployment. */
async function throughGates(sql: postgres.Sql, made: Plan, atGate: () => void): Promise<void> {
  let report = await apply(sql, made);
  for (const { id } of made.steps.filter(({ kind }) => kind === "gate")) {
    if (report.outcome !== "waiting") break;
    atGate();
    await confirm(sql, made.name, id);
    report = await apply(sql, made);
  }
  if (report.outcome !== "applied")
    throw new Error(`${made.name} ended ${report.outcome}: ${report.failure?.message}`);
}

/** Updates one row and inserts one by turns, without rest. */
function startWriter(url: string) {
  const own = postgres(url, { max: 1, onnotice: () => undefined });
  const taken: number[] = [];
  const writer = { taken, table: TABLE, stop: async () => undefined as void };
  let running = true;
  const work = (async () => {
    for (let n = 0; running; n += 1) {
      const at = 1 + ((n * 104_729) % ROWS);
      const statement =
        n % 2 === 0
          ? `UPDATE ${writer.table} SET touched = touched + 1 WHERE id = ${at}`
          : `INSERT INTO ${writer.table} (id, tenant, payload) VALUES (${ROWS + n}, 1, 'new')`;
      const began = performance.now();
      await own.unsafe(statement);
      taken.push(performance.now() - began);
    }
  })();
  work.catch(() => undefined);
  writer.stop = async () => {
    running = false;
    try {
      await work;
    } finally {
      await own.end();
    }
  };
  return writer;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
