import { and, eq, gte, lt, sql, type SQL } from "drizzle-orm";
import { index, integer, pgSchema, primaryKey, uuid } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { defineDatabase } from "../src/definition/define-database.ts";
import { planInstall } from "../src/install/plan-install.ts";
import { defineAccess, tenant, withTenant } from "../src/rls/index.ts";
import { apply } from "../src/run/apply.ts";
import { ident } from "../src/sql/quote.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { measure } from "./measure.ts";

const TENANTS = 100;
const ROWS = 10_000;
const PREFIX = "underpin_bench_rls";
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

const access = defineAccess({
  schema: "bench",
  rolePrefix: PREFIX,
  migratorRole: `${PREFIX}_migrator`,
  tenantColumn: "tenantId",
  personas: ["member"],
});
const space = pgSchema("bench");
const columns = {
  tenantId: uuid("tenant_id").notNull(),
  n: integer("n").notNull(),
  points: integer("points").notNull(),
};
const things = space
  .table("things", columns, (t) => [
    primaryKey({ name: "things_pk", columns: [t.tenantId, t.n] }),
    index("things_points_idx").on(t.tenantId, t.points),
    access.rules(t, { select: { member: tenant } }),
  ])
  .enableRLS();

const n = sql.placeholder("n");
const plain = space.table("plain", columns);
const TENANT = id(7);
const context = { access, persona: "member", tenant: TENANT, user: TENANT } as const;

type Db = ReturnType<typeof drizzle>;
type Tx = Pick<Db, "select">;

/**
 * What row security costs: the same reads by the same login, with policies and without a WHERE, against a WHERE by hand on a table without row
 * security.
 */
export const bench: Bench = async ({ url, say }) => {
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  const pool = postgres(url, { max: 4, onnotice: () => undefined });
  const db = drizzle(client);
  try {
    await install(pool, say);
    const figures = [];
    for (const { what, count, ours, theirs } of READS) {
      say(what);
      await mustBeEqual(db, ours, theirs);
      // Both in one transaction, by short turns: whatever slows the machine down meets both.
      const taken = await withTenant(db, context, (tx) => {
        const [query, byHand] = [ours(tx), theirs(tx)];
        return measure(
          { ours: () => times(count, query), theirs: () => times(count, byHand) },
          { rounds: 401, warmUp: 20 },
        );
      });
      figures.push(figure({ what, ...taken, target: { of: "ratio", atLeast: 1 / 1.1 } }));
    }
    say("the transaction itself");
    const whole = await measure({
      ours: () => times(100, () => withTenant(db, context, (tx) => tx.execute(sql`select 1`))),
      theirs: () => times(100, () => contextByHand(db)),
    });
    return [
      ...figures,
      figure({ what: "100 × withTenant and one query, against set_config by hand", ...whole }),
    ];
  } finally {
    await client.end();
    await dropRoles(pool);
    await pool.end();
  }
};

type Query = (n: number) => Promise<readonly unknown[]>;

/** Prepared on both sides, once in a transaction. */
const READS: readonly {
  readonly what: string;
  readonly count: number;
  readonly ours: (tx: Tx) => Query;
  readonly theirs: (tx: Tx) => Query;
}[] = [
  {
    what: "20 point reads",
    count: 20,
    ours: (tx) => {
      const read = tx.select().from(things).where(eq(things.n, n)).prepare("point");
      return (at) => read.execute({ n: (at * 7919) % ROWS });
    },
    theirs: (tx) => {
      const read = tx
        .select()
        .from(plain)
        .where(and(eq(plain.tenantId, TENANT), eq(plain.n, n)))
        .prepare("point_by_hand");
      return (at) => read.execute({ n: (at * 7919) % ROWS });
    },
  },
  {
    what: "20 reads of a range of 100 rows",
    count: 20,
    ours: (tx) => {
      const read = tx.select().from(things).where(within(things.points)).prepare("range");
      return (at) => read.execute(rangeAt(at));
    },
    theirs: (tx) => {
      const read = tx
        .select()
        .from(plain)
        .where(and(eq(plain.tenantId, TENANT), within(plain.points)))
        .prepare("range_by_hand");
      return (at) => read.execute(rangeAt(at));
    },
  },
];

function within(column: typeof things.points | typeof plain.points): SQL | undefined {
  return and(gte(column, sql.placeholder("from")), lt(column, sql.placeholder("to")));
}

function rangeAt(at: number): { readonly from: number; readonly to: number } {
  const from = (at * 7919) % (ROWS - 100);
  return { from, to: from + 100 };
}

/** As it is found in guides: a statement for each setting. */
function contextByHand(db: Db): Promise<unknown> {
  return db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('role', ${access.roles.member}, true)`);
    await tx.execute(sql`select set_config('app.tenant_id', ${TENANT}, true)`);
    await tx.execute(sql`select set_config('app.user_id', ${TENANT}, true)`);
    return tx.execute(sql`select 1`);
  });
}

async function times(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at++) await work(at);
}

async function mustBeEqual(
  db: Db,
  ours: (tx: Tx) => Query,
  theirs: (tx: Tx) => Query,
): Promise<void> {
  const one = await withTenant(db, context, (tx) => ours(tx)(3));
  const two = await withTenant(db, context, (tx) => theirs(tx)(3));
  if (JSON.stringify(one) !== JSON.stringify(two) || one.length === 0)
    throw new Error(`the sides differ: ${one.length} and ${two.length} rows`);
}

async function install(pool: postgres.Sql, say: (line: string) => void): Promise<void> {
  const definition = defineDatabase({ name: "bench", tables: { space, things }, access });
  const { outcome } = await apply(pool, planInstall(definition));
  if (outcome !== "applied") throw new Error(`the install ended ${outcome}`);
  say(`${TENANTS} tenants of ${ROWS} rows each, twice`);
  await pool.unsafe(`
    INSERT INTO bench.things SELECT ('00000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid, n, n
      FROM generate_series(1, ${TENANTS}) AS t, generate_series(0, ${ROWS - 1}) AS n;
    CREATE TABLE bench.plain (LIKE bench.things INCLUDING INDEXES);
    INSERT INTO bench.plain SELECT * FROM bench.things;
    GRANT SELECT ON bench.plain TO ${ident(access.roles.member)}`);
  await pool.unsafe("VACUUM ANALYZE bench.things");
  await pool.unsafe("VACUUM ANALYZE bench.plain");
}

async function dropRoles(pool: postgres.Sql): Promise<void> {
  for (const role of [access.roles.member, access.readerRole, access.migratorRole].map(ident))
    await pool.unsafe(
      `DO $$ BEGIN DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}; EXCEPTION WHEN undefined_object THEN NULL; END $$`,
    );
}
