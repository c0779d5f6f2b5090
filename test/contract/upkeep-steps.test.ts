// Long because: each state that upkeep may come upon is one entry of one list, and all share what makes and measures them.
import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { dropPartitioned } from "../../src/partitioning/drop-partitioned.ts";
import { dropReplaced } from "../../src/partitioning/drop-replaced.ts";
import { changeGranularity } from "../../src/partitioning/change-granularity.ts";
import type { Archive } from "../../src/partitioning/maintenance/archive.ts";
import { planMaintenance } from "../../src/partitioning/maintenance/plan-maintenance.ts";
import {
  readMaintenance,
  type MaintenanceOptions,
} from "../../src/partitioning/maintenance/read-maintenance.ts";
import { splitPartition } from "../../src/partitioning/split-partition.ts";
import { validatePartitions } from "../../src/partitioning/validate-partitions.ts";
import { undoPartitioning } from "../../src/partitioning/undo-partitioning.ts";
import { PG_LOCK_MODE, type LockMode } from "../../src/plan/lock.ts";
import type { Lock, Plan, SqlStep } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunOptions } from "../../src/run/options.ts";
import { undo } from "../../src/run/undo.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { measureRun } from "../../src/testing/expect-locks.ts";
import { mustBeAsBefore } from "../../src/testing/expect-reversible.ts";
import { onEngines, onServers, type TestEngine } from "../support/server.ts";
import { leafOf, monthlyOf, visitsSql } from "./partitions-fixture.ts";

const names = { schema: 'we"ird Schema', table: 'ta"ble', column: "co'l" };
const path = (table: string) => qualified(names.schema, table);
const january = leafOf(names, "01");
const PGLITE_OWNER = "upkeep_owner";

/** What maintenance comes upon, what it then plans, and whether that can be taken back. */
interface Subject {
  readonly name: string;
  /** Whether there are default partitions. */
  readonly others?: true;
  readonly prepare?: string | ((db: Executor) => Promise<void>);
  readonly plan: (db: Executor, facts: Facts) => Promise<Plan>;
  readonly undo: "equal" | "refused";
  /** Steps that must be in the plan, by the end of their id. */
  readonly has: readonly RegExp[];
  readonly options?: RunOptions;
}

const schemeOf = (others: boolean, retain: string | null = null): Scheme => {
  const scheme = monthlyOf(names, "1 month", others);
  const [site, month] = scheme.dimensions;
  if (month?.strategy !== "range") throw new Error("the second dimension is a range");
  return { ...scheme, dimensions: [site, { ...month, retain }] };
};

interface Upkeep extends MaintenanceOptions {
  readonly others?: true;
  readonly retain?: string;
  readonly archive?: Archive;
  /** What the ids of its steps begin with: statistics are most of the steps, and the contract of premaking has them. */
  readonly only: RegExp;
}

/** The steps of maintenance at a day of April, of one kind. */
async function upkeep(
  db: Executor,
  { others, retain, archive, only, ...options }: Upkeep,
): Promise<Plan> {
  const reading = await readMaintenance(db, schemeOf(others === true, retain ?? null), {
    now: "2026-04-10T00:00:00Z",
    ...options,
  });
  const { plan } = planMaintenance([reading], archive === undefined ? {} : { archive });
  return {
    format: 1,
    name: plan?.name ?? "nothing",
    steps: plan?.steps.filter(({ id }) => only.test(id)) ?? [],
  };
}

const RETAIN = { retain: "2 months", only: /^leave/ } as const;

const leave = async (db: Executor, others?: true): Promise<void> => {
  const plan = await upkeep(db, { ...RETAIN, ...(others === undefined ? {} : { others }) });
  expect((await apply(db, { ...plan, name: "before" })).outcome).toBe("applied");
};

const drained = `SELECT ${path(`provision_${names.table}`)}('s1', '2026-01-01', '2026-01-01');
  INSERT INTO ${path(names.table)} (site, at, id) SELECT 's1', '2026-04-02'::timestamptz + g * interval '1 hour', g FROM generate_series(1, 50) g`;

const subjects: readonly Subject[] = [
  {
    name: "an index that was made on the root alone, for the inner tables",
    prepare: `CREATE INDEX "by i'd" ON ONLY ${path(names.table)} (id);
      ALTER TABLE ONLY ${path(names.table)} ADD CONSTRAINT "o'ne" UNIQUE (id, site, at)`,
    plan: (db) => upkeep(db, { only: /^index/ }),
    undo: "refused",
    has: [/create$/, /attach$/],
  },
  {
    name: "an index that was made on the root alone, for the leaves",
    prepare: async (db) => {
      await db.query(`CREATE INDEX "by i'd" ON ONLY ${path(names.table)} (id);
        ALTER TABLE ONLY ${path(names.table)} ADD CONSTRAINT "o'ne" UNIQUE (id, site, at)`);
      await apply(db, { ...(await upkeep(db, { only: /^index/ })), name: "before" });
    },
    plan: (db) => upkeep(db, { only: /^index/ }),
    undo: "refused",
    has: [/create$/, /constrain$/, /attach$/],
  },
  {
    name: "partitions that somebody opened",
    prepare: `ALTER TABLE ${path(january)} NO FORCE ROW LEVEL SECURITY;
      ALTER TABLE ${path(leafOf(names, "02"))} DISABLE ROW LEVEL SECURITY;
      GRANT SELECT, INSERT ON ${path(january)} TO PUBLIC, pg_monitor;
      GRANT SELECT ON ${path(leafOf(names, "03"))} TO pg_monitor`,
    plan: (db) => upkeep(db, { only: /^close/ }),
    undo: "refused",
    has: [/01$/, /02$/, /03$/],
  },
  {
    name: "a default partition with rows of an interval",
    others: true,
    prepare: drained,
    plan: (db) => upkeep(db, { others: true, only: /^drain/ }),
    undo: "refused",
    has: [/prepare$/, /key/, /validate/, /swap$/, /drop-key/, /names$/, /analyze$/],
  },
  {
    name: "a drain that was interrupted",
    others: true,
    prepare: async (db) => {
      await db.query(drained);
      const plan = await upkeep(db, { others: true, only: /^drain\/.*\/(prepare|key\/.*)$/ });
      expect((await apply(db, { ...plan, name: "before" })).outcome).toBe("applied");
    },
    plan: (db) => upkeep(db, { others: true, only: /^(interrupted|drain)/ }),
    undo: "refused",
    has: [/^interrupted.*drop-key/, /^interrupted.*drop$/, /swap$/],
  },
  {
    name: "a partition that is no longer retained",
    plan: (db) => upkeep(db, RETAIN),
    undo: "equal",
    has: [/mark$/, /detach$/, /drop-key/, /drop-check$/],
  },
  {
    name: "a partition that is no longer retained, beside a default partition",
    others: true,
    plan: (db) => upkeep(db, { ...RETAIN, others: true }),
    undo: "equal",
    has: [/mark$/, /detach$/, /drop-key/],
  },
  {
    name: "partitions that are empty",
    // What the server is still to be told of the TRUNCATE would count as a change since the ANALYZE.
    prepare: async (db) => {
      await db.query(`TRUNCATE ${path(january)}`);
      await db.query("SELECT pg_catalog.pg_stat_force_next_flush()");
      await db.query(`ANALYZE ${path(january)}`);
    },
    plan: (db) => upkeep(db, { dropEmptyAfter: "30 days", only: /^leave/ }),
    undo: "equal",
    has: [/detach$/],
  },
  {
    name: "a partition that is retained again",
    prepare: async (db) => {
      const plan = await upkeep(db, { ...RETAIN, only: /^leave.*mark$/ });
      await apply(db, { ...plan, name: "before" });
    },
    plan: (db) => upkeep(db, { only: /^unmark/ }),
    undo: "equal",
    has: [/01$/],
  },
  {
    name: "a detached partition that has its foreign key still",
    prepare: async (db) => {
      const plan = await upkeep(db, { ...RETAIN, only: /^leave.*(mark|detach)$/ });
      expect((await apply(db, { ...plan, name: "before" })).outcome).toBe("applied");
    },
    plan: (db) => upkeep(db, { only: /^leave/ }),
    undo: "equal",
    has: [/drop-key/],
  },
  {
    name: "a detached partition after its grace, archived by the host",
    others: true,
    prepare: (db) => leave(db, true),
    plan: (db) =>
      upkeep(db, {
        others: true,
        now: "2026-05-10T00:00:00Z",
        archive: { kind: "handler", name: "away", version: 1 },
        only: /^(archive|drop)/,
      }),
    options: { handlers: { away: { version: 1, run: () => Promise.resolve() } } },
    undo: "refused",
    has: [/^archive/, /is-detached$/, /^drop.*01$/],
  },
  {
    name: "dropReplaced after splitPartition",
    others: true,
    prepare: async (db) => {
      expect((await apply(db, await split(db))).outcome).toBe("applied");
      const found = await validatePartitions(db, schemeOf(true));
      const kept = found.filter(({ check }) => check === "partition-replaced");
      expect(kept.map(({ severity, repair }) => [severity, repair])).toEqual(
        Array(3).fill(["info", null]),
      );
      const checks = found.map(({ check }) => check);
      expect(checks).not.toContain("partition-orphan");
      expect(checks).not.toContain("partition-constraint");
    },
    plan: async (db) =>
      dropReplaced({ scheme: schemeOf(true), plan: await split(db), partition: january }),
    undo: "refused",
    has: [/is-swapped$/, /drop$/],
  },
  {
    name: "dropReplaced after changeGranularity",
    prepare: async (db) => {
      granularity = await changeGranularity(db, {
        from: monthlyOf(names),
        to: monthlyOf(names, "1 week"),
        values: { site: "s1" },
      });
      expect((await apply(db, granularity)).outcome).toBe("applied");
    },
    plan: () => {
      if (granularity === undefined) throw new Error("nothing was replaced");
      return Promise.resolve(dropReplaced({ scheme: schemeOf(false), plan: granularity }));
    },
    undo: "refused",
    has: [/is-swapped$/, /drop$/],
  },
  {
    name: "dropPartitioned",
    others: true,
    prepare: async (db) => {
      undone = undoPartitioning({ facts: await readFacts(db), ...names });
      expect((await apply(db, undone)).outcome).toBe("applied");
    },
    plan: (db, facts) => {
      if (undone === undefined) throw new Error("nothing was undone");
      return Promise.resolve(dropPartitioned({ facts, plan: undone, ...names }));
    },
    undo: "refused",
    has: [/unwatch$/, /drop\/1$/, /drop-watches$/],
  },
];

let granularity: Plan | undefined;
let undone: Plan | undefined;
let splitPlan: Plan | undefined;

async function split(db: Executor): Promise<Plan> {
  splitPlan ??= splitPartition({
    facts: await readFacts(db),
    scheme: schemeOf(true),
    partition: january,
    at: ["2026-01-11 00:00:00+00"],
  });
  return splitPlan;
}

/** The schema anew, of an owner whom row security does not spare. */
async function fresh(engine: TestEngine, owner: Executor, role: string, others: boolean) {
  const admin = toExecutor(engine.db());
  if (engine.kind === "pglite") await admin.query("RESET ROLE");
  await admin.query(
    `DROP SCHEMA IF EXISTS ${ident(names.schema)} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
     CREATE SCHEMA ${ident(names.schema)} AUTHORIZATION ${ident(role)}`,
  );
  if (engine.kind === "pglite") await admin.query(`SET ROLE ${ident(role)}`);
  await owner.query(
    `${visitsSql(names, others)}; ${[names.table, "sites"]
      .map(
        (table) => `ALTER TABLE ${path(table)} ENABLE ROW LEVEL SECURITY;
          ALTER TABLE ${path(table)} FORCE ROW LEVEL SECURITY;
          CREATE POLICY everything ON ${path(table)} TO CURRENT_USER USING (true)`,
      )
      .join("; ")}`,
  );
  const leaves = await owner.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_class AS c WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = ${literal(ident(names.schema))}::regnamespace`,
  );
  await owner.query(
    leaves
      .map(({ name }) => `CREATE POLICY everything ON ${path(name)} TO CURRENT_USER USING (true)`)
      .join("; "),
  );
}

let ownerOf: { readonly engine: TestEngine["server"]; db: Executor; role: string } | undefined;

/** An owner of nothing but the schema; on PGlite the one session takes its role. */
async function asOwner(engine: TestEngine): Promise<{ db: Executor; role: string }> {
  if (ownerOf !== undefined && ownerOf.engine === engine.server) return ownerOf;
  const admin = toExecutor(engine.db());
  const role = (await engine.server?.role("upkeep")) ?? PGLITE_OWNER;
  if (engine.server === undefined) await admin.query(`CREATE ROLE ${ident(role)}`);
  const [row] = await admin.query<{ name: string }>("SELECT current_database()::text AS name");
  await admin.query(`GRANT CREATE ON DATABASE ${ident(row?.name ?? "")} TO ${ident(role)}`);
  const { server } = engine;
  const db = server === undefined ? admin : toExecutor(server.connect(server.urlAs(role)));
  ownerOf = { engine: server, db, role };
  return ownerOf;
}

onEngines(
  "upkeep, as an owner under FORCE with hostile names, takes the locks that it declares, does nothing again, and comes back or says that it cannot:",
  (engine) => {
    it.each(subjects)("$name", async ({ others, prepare, plan, undo: back, has, options = {} }) => {
      [splitPlan, granularity, undone] = [undefined, undefined, undefined];
      const { db, role } = await asOwner(engine);
      await fresh(engine, db, role, others === true);
      await (typeof prepare === "string" ? db.query(prepare) : prepare?.(db));
      const facts = await readFacts(db);
      const made = await plan(db, facts);
      const ids = made.steps.map(({ id }) => id);
      for (const each of has)
        expect(ids).toEqual(expect.arrayContaining([expect.stringMatching(each)]));

      const applied = await measureRun(db, made, "apply", options);
      expect(applied.problems.filter((line) => !UNSEEN.test(line))).toEqual([]);
      expect(await apply(db, made, options)).toMatchObject({ outcome: "applied", ranHere: false });
      if (back === "refused") {
        await expect(undo(db, made, options)).rejects.toMatchObject({ code: "irreversible" });
        return;
      }
      const look = (each: Facts) => canonical(each, { leaveOut: ["underpin"] });
      const between = look(await readFacts(db));
      const taken = await measureRun(db, made, "undo", options);
      expect(taken.problems).toEqual([]);
      if (ids.some((id) => id.endsWith("detach")) || ids.some((id) => id.startsWith("unmark")))
        mustBeAsBefore(made, look(facts), between, look(await readFacts(db)));
    });
  },
);

/** The second transaction of DETACH … CONCURRENTLY cannot be seen by who waits for the first: the block below looks at it. */
const UNSEEN = /^apply leave\/.*\/detach:/;

onServers("upkeep outside of a transaction waits for each lock that it declares:", (server) => {
  const engine: TestEngine = {
    kind: "server",
    major: server.major,
    server,
    db: () => server.sql(),
    executor: () => toExecutor(server.sql()),
  };

  const begun = async (): Promise<Executor> => {
    const { db, role } = await asOwner(engine);
    await fresh(engine, db, role, false);
    return db;
  };

  /** The steps of a plan but for those that make, so that a statement runs alone as the owner. */
  const statementOf = (plan: Plan, id: RegExp): SqlStep => {
    const step = plan.steps.find((each) => id.test(each.id));
    if (step?.kind !== "sql") throw new Error(`there is no step ${String(id)}`);
    return step;
  };

  /** Runs a statement while another session holds what conflicts with one of its locks, and tells what it waits for and what it has then. */
  const waitsFor = async (step: SqlStep, held: Lock): Promise<readonly string[]> => {
    const { role } = await asOwner(engine);
    const admin = server.sql();
    const holder = await admin.reserve();
    const own = server.connect(server.urlAs(role), { max: 1 });
    const [{ pid } = { pid: 0 }] = await own.unsafe<{ pid: number }[]>(
      "SELECT pg_backend_pid() AS pid",
    );
    const locks = async (granted: boolean) => {
      const rows = await admin.unsafe<{ lock: string }[]>(
        `SELECT DISTINCT c.relname || ' ' || l.mode AS lock FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
         WHERE l.pid = ${pid} AND l.granted = ${granted} AND c.relnamespace = ${literal(ident(names.schema))}::regnamespace`,
      );
      return rows.map(({ lock }) => lock);
    };
    await holder.unsafe(
      `BEGIN; LOCK TABLE ONLY ${qualified(held.schema, held.name)} IN ${OPPOSITE[held.mode] ?? ""} MODE`,
    );
    const running = own.unsafe(step.sql).then(() => true);
    let waits: readonly string[] = [];
    while (waits.length === 0 && !(await Promise.race([running, wait(20)])))
      waits = await locks(false);
    await holder.unsafe("COMMIT");
    holder.release();
    await running;
    await own.end();
    return waits;
  };

  it("DETACH … CONCURRENTLY", async () => {
    const locks = statementOf(await upkeep(await begun(), RETAIN), /s1.*detach$/).locks;
    expect(locks.map(({ mode }) => mode).sort()).toEqual([
      "accessExclusive",
      "shareRowExclusive",
      "shareUpdateExclusive",
    ]);
    for (const lock of locks) {
      const step = statementOf(await upkeep(await begun(), RETAIN), /s1.*detach$/);
      expect(await waitsFor(step, lock)).toEqual([`${lock.name} ${PG_LOCK_MODE[lock.mode]}`]);
    }
  });

  it("DETACH … FINALIZE", async () => {
    const pending = async () => {
      const db = await begun();
      const { role } = await asOwner(engine);
      const reader = await server.sql().reserve();
      await reader.unsafe(`BEGIN; SELECT 1 FROM ${path(names.table)} LIMIT 1`);
      const own = server.connect(server.urlAs(role), { max: 1 });
      await own.unsafe("SET statement_timeout = '200ms'");
      const { sql } = statementOf(await upkeep(db, RETAIN), /s1.*detach$/);
      await expect(own.unsafe(sql)).rejects.toMatchObject({ code: "57014" });
      await own.end();
      await reader.unsafe("COMMIT");
      reader.release();
      const plan = await upkeep(db, { only: /^finalize/ });
      return { db, plan, step: statementOf(plan, /^finalize/) };
    };
    const { db, plan, step: first } = await pending();
    expect(await apply(db, plan)).toMatchObject({ outcome: "applied", ranHere: true });
    expect(await apply(db, plan)).toMatchObject({ outcome: "applied", ranHere: false });
    expect((await upkeep(db, { only: /^finalize/ })).steps).toEqual([]);
    for (const lock of first.locks) {
      const { step } = await pending();
      expect(await waitsFor(step, lock)).toEqual([`${lock.name} ${PG_LOCK_MODE[lock.mode]}`]);
    }
  });
});

/** The weakest mode that conflicts with one, and with none that is weaker than that. */
const OPPOSITE: Partial<Record<LockMode, string>> = {
  accessExclusive: "ACCESS SHARE",
  shareRowExclusive: "ROW EXCLUSIVE",
  shareUpdateExclusive: "SHARE UPDATE EXCLUSIVE",
};

const wait = (ms: number) =>
  new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), ms);
  });
