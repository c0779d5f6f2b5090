/**
 * Runs plans through PgBouncer in transaction mode: by hand, since it needs the program `pgbouncer`.
 *
 *     npx tsx test/kill/pooler.ts [--kill]
 */
import { spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { createIndex } from "../../src/recipes/create-index.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { MAJORS, serverUser } from "../support/server-binaries.ts";
import { startServer } from "../support/server-process.ts";
import { killEverywhere } from "./enumerate.ts";
import { openHosts } from "./host-process.ts";
import { handlersFor, SYNTHETIC_SCHEMA, syntheticPlan, syntheticTables } from "./synthetic-plan.ts";

const failures: string[] = [];

function tell(what: string, holds: boolean, detail = ""): void {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}${detail === "" ? "" : `: ${detail}`}`);
  if (!holds) failures.push(what);
}

interface Pooler {
  readonly port: number;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts PgBouncer in transaction mode before a server, with so few connections that clients must share them. */
async function startPooler(serverPort: string): Promise<Pooler> {
  const directory = mkdtempSync(join(tmpdir(), "underpin-pooler-"));
  const port = await freePort();
  const configuration = join(directory, "pgbouncer.ini");
  writeFileSync(
    configuration,
    `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`,
  );
  const user = serverUser();
  if (user.uid !== undefined && user.gid !== undefined) {
    chownSync(directory, user.uid, user.gid);
    chownSync(configuration, user.uid, user.gid);
  }
  const pooler = spawn("pgbouncer", ["-q", configuration], { ...user, stdio: "inherit" });
  const ended = new Promise((resolve) => pooler.once("close", resolve));
  return {
    port,
    async stop() {
      pooler.kill("SIGINT");
      await Promise.race([ended, sleep(3_000)]);
      pooler.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Strangers who share the pooler's connections, and look at the settings that they find there. */
function watchSettings(sql: Sql): { stop(): Promise<ReadonlyMap<string, number>> } {
  const seen = new Map<string, number>();
  let stopping = false;
  const strangers = Array.from({ length: 6 }, async () => {
    while (!stopping) {
      const rows = await sql<{ name: string }[]>`
        select name || ' = ' || setting as name from pg_catalog.pg_settings
        where name in ('lock_timeout', 'statement_timeout', 'row_security',
          'idle_in_transaction_session_timeout', 'transaction_timeout')`;
      for (const { name } of rows) seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  });
  return {
    async stop() {
      stopping = true;
      await Promise.all(strangers);
      return seen;
    },
  };
}

const DEFAULTS = new Set([
  "lock_timeout = 0",
  "statement_timeout = 0",
  "row_security = on",
  "idle_in_transaction_session_timeout = 0",
  "transaction_timeout = 0",
]);

async function onMajor(major: (typeof MAJORS)[number]): Promise<void> {
  console.log(`\nPostgreSQL ${major} behind PgBouncer, pool_mode = transaction`);
  const server = await startServer(major);
  const pooler = await startPooler(new URL(server.url).port);
  const pools: Sql[] = [];
  const open = (url: string, max = 4): Sql => {
    const sql = postgres(url, { max, fetch_types: false, onnotice: () => undefined });
    pools.push(sql);
    return sql;
  };
  const pooled = (url: string): string => {
    const through = new URL(url);
    through.port = String(pooler.port);
    return through.href;
  };
  try {
    const direct = open(server.url);
    const through = open(pooled(server.url));
    await direct.unsafe(syntheticTables());
    const plan = syntheticPlan();
    const options = { handlers: handlersFor(), leaseMs: 2_000 };

    const strangers = watchSettings(open(pooled(server.url), 6));
    const gated = await apply(through, plan, options);
    tell("steps inside transactions run through the pooler", gated.outcome === "waiting");
    await confirm(through, plan.name, "deployed");
    const refused = await apply(through, plan, options);
    tell(
      "a step outside is refused by name",
      refused.outcome === "failed" && refused.failure?.code === "unsupportedServer",
      `${refused.failure?.message} / ${refused.failure?.hint}`,
    );
    const states = refused.steps.map(({ id, state }) => `${id} ${state}`).join(", ");
    tell(
      "and all before it is applied",
      refused.steps.slice(0, -1).every(({ state }) => state === "applied"),
      states,
    );
    const applied = await apply(through, plan, { ...options, direct });
    tell("with { direct } it is applied", applied.outcome === "applied", applied.failure?.message);
    const one = createIndex({ schema: SYNTHETIC_SCHEMA, table: `ta"ble`, parts: ["label"] });
    const index = await apply(through, one, { ...options, direct });
    tell("and so is a plan of CREATE INDEX CONCURRENTLY", index.outcome === "applied");
    const notBack = await undo(through, one, options);
    tell(
      "its undo is refused without it",
      notBack.failure?.code === "unsupportedServer",
      notBack.failure?.message,
    );
    const back = await undo(through, one, { ...options, direct });
    tell("and done with it", back.outcome === "undone");
    const whole = await undo(through, plan, { ...options, direct });
    tell("the plan is taken back", whole.outcome === "undone", whole.failure?.message);
    const seen = await strangers.stop();
    const leaked = [...seen.keys()].filter((setting) => !DEFAULTS.has(setting));
    const looks = Math.max(...seen.values());
    tell(
      "no setting leaked to strangers",
      leaked.length === 0,
      `${looks} looks; ${leaked.join(", ") || "nothing"}`,
    );

    const control = watchSettings(open(pooled(server.url), 6));
    await through.unsafe("SET lock_timeout = '1234ms'");
    await sleep(300);
    const found = await control.stop();
    tell("a SET of a session would have been seen (control)", found.has("lock_timeout = 1234"));

    if (process.argv.includes("--kill")) {
      const hosts = await openHosts();
      let made = 0;
      const killed = await killEverywhere({
        server: {
          database: async () => {
            const name = `lane_${++made}`;
            await direct.unsafe(`CREATE DATABASE ${name} TEMPLATE template0`);
            const url = new URL(server.url);
            url.pathname = `/${name}`;
            return url.href;
          },
          connect: (url?: unknown) => open(String(url)),
        },
        pooled,
        hosts,
        plan,
        schema: SYNTHETIC_SCHEMA,
        tables: syntheticTables(),
        everyMoment: true,
      }).finally(() => hosts.close());
      tell(
        "killed at every await, it comes to the same end",
        killed.divergences.length === 0,
        `${killed.applyPoints} points of apply, ${killed.undoPoints} of undo, ${killed.divergences.length} divergences ${JSON.stringify(killed.divergences.slice(0, 3))}`,
      );
    }
  } finally {
    await Promise.all(pools.map((sql) => sql.end({ timeout: 1 })));
    await pooler.stop();
    await server.stop();
  }
}

for (const major of MAJORS) await onMajor(major);
console.log(failures.length === 0 ? "\nall hold" : `\n${failures.length} do not hold`);
process.exitCode = failures.length === 0 ? 0 : 1;
