/**
 * One migration from its first statement to its last, on a PostgreSQL embedded in Node.js: killed in the middle, resumed,
 * confirmed, verified and taken back.
 */
import { PGlite } from "@electric-sql/pglite";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  apply,
  canonical,
  compareCatalogs,
  confirm,
  readFacts,
  runs,
  undo,
  type Canonical,
  type RunEvent,
} from "underpin";
import { showDomain } from "./domain.ts";
import { showPartitions } from "./partitions.ts";
import tenant from "./plan.ts";

const ROWS = 20_000;
/** Far enough to be in the middle, early enough that the backfill's rests alone leave time for the kill. */
const KILL_AFTER_ROWS = 2_000;

const planFile = relative(process.cwd(), fileURLToPath(new URL("plan.ts", import.meta.url)));
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
const style = (code: number) => (text: string) =>
  colour ? `\u001b[${code}m${text}\u001b[0m` : text;
const [bold, dim, red, green] = [style(1), style(2), style(31), style(32)];

const say = (text: string) => console.log(text);
const chapter = (text: string) => say(`\n${bold(text)}`);

/** Runs the command line on the directory; kills it with SIGKILL as soon as `killWhen` says so. */
async function underpin(
  directory: string,
  words: readonly string[],
  killWhen: (line: string) => boolean = () => false,
): Promise<NodeJS.Signals | null> {
  say(dim(`$ underpin ${words.join(" ")}`));
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, DATABASE_URL: `pglite:${directory}` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.on("close", (_, signal) => resolve(signal)),
  );
  const width = (process.stdout.columns ?? 110) - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    say(line.length > width ? `${line.slice(0, width - 1)}…` : line);
    if (killWhen(line)) child.kill("SIGKILL");
  }
  return ended;
}

async function withDatabase<T>(directory: string, work: (db: PGlite) => Promise<T>): Promise<T> {
  const db = await PGlite.create(directory);
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

async function seed(db: PGlite): Promise<Canonical> {
  await db.exec(`
    CREATE TABLE orders (
      id bigint PRIMARY KEY, customer_id integer NOT NULL, total numeric NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO orders (id, customer_id, total) SELECT g, g % 100, g % 977 FROM generate_series(1, ${ROWS}) g;
    ANALYZE orders;`);
  return catalogOf(db);
}

/** What the catalog says of the schema, without what may differ between equal databases. */
async function catalogOf(db: PGlite): Promise<Canonical> {
  return canonical(await readFacts(db, { schemas: ["public"] }));
}

const fact = (what: string, value: string, holds: boolean) => {
  say(`  ${holds ? green("✓") : red("✗")} ${what}: ${value}`);
  if (!holds) process.exitCode = 1;
};

async function verify(db: PGlite): Promise<void> {
  const { rows } = await db.query<Record<"rows" | "empty" | "wrong", number> & { valid: boolean }>(`
    SELECT count(*)::int AS rows,
           count(*) FILTER (WHERE tenant_id IS NULL)::int AS empty,
           count(*) FILTER (WHERE tenant_id <> 1 + customer_id % 3)::int AS wrong,
           (SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'orders'::regclass) AS valid
    FROM orders`);
  const found = rows[0];
  fact("rows", String(found?.rows), found?.rows === ROWS);
  fact(
    "without a tenant, or with the wrong one",
    `${found?.empty}, ${found?.wrong}`,
    found?.empty === 0 && found.wrong === 0,
  );
  fact("every index valid", String(found?.valid), found?.valid === true);
  const refused = await db.query("UPDATE orders SET tenant_id = NULL WHERE id = 1").then(
    () => false,
    () => true,
  );
  fact("a row without a tenant", refused ? "refused" : "accepted", refused);
}

function tell(event: RunEvent): void {
  if (event.type === "stepApplied") say(`  ${green("✓")} ${event.title}`);
  if (event.type === "stepUndone") say(`  ${green("↶")} ${event.title}`);
}

async function main(): Promise<void> {
  const beganMs = performance.now();
  const home = mkdtempSync(join(tmpdir(), "underpin-demo-"));
  const directory = join(home, "data");
  try {
    say(bold("Give every order a tenant, without downtime."));
    chapter(`1. A table with ${ROWS.toLocaleString("en-US")} orders, in an embedded PostgreSQL`);
    const before = await withDatabase(directory, seed);

    chapter("2. Apply the plan, and kill the process in the middle of the backfill");
    const signal = await underpin(directory, ["apply", planFile], (line) => {
      const rows = Number(/fill-tenant: ([\d,]+)/.exec(line)?.[1]?.replaceAll(",", "") ?? 0);
      return rows >= KILL_AFTER_ROWS;
    });
    fact("the process", signal === "SIGKILL" ? "killed" : "not killed", signal === "SIGKILL");

    chapter("3. Apply it again: another process goes on where the first one died");
    await underpin(directory, ["apply", planFile]);

    await withDatabase(directory, async (db) => {
      chapter("4. The release is deployed: confirm the gate and finish, this time from code");
      say(dim('await confirm(db, "tenant", "app-deployed"); await apply(db, tenant);'));
      await confirm(db, tenant.name, "app-deployed");
      const applied = await apply(db, tenant, { onEvent: tell });
      fact("outcome", applied.outcome, applied.outcome === "applied");
      await verify(db);
      const [run] = await runs(db);
      fact(
        "rows changed by both processes",
        `${run?.rowsBackfilled}: none twice`,
        run?.rowsBackfilled === ROWS,
      );

      chapter("5. Take it all back");
      say(dim('await undo(db, "tenant");'));
      const undone = await undo(db, tenant.name, { onEvent: tell });
      fact("outcome", undone.outcome, undone.outcome === "undone");
      const differences = compareCatalogs(before, await catalogOf(db));
      fact(
        "differences from the catalog before",
        String(differences.length),
        differences.length === 0,
      );
      for (const { path, before: was, after } of differences) say(`    ${path}: ${was} → ${after}`);
      const { rows } = await db.query<{ rows: number }>("SELECT count(*)::int AS rows FROM orders");
      fact("rows kept", String(rows[0]?.rows), rows[0]?.rows === ROWS);
    });
    await showDomain({ say, chapter, fact });
    await showPartitions({ say, chapter, fact }, join(home, "archive"));
    say(`\n${((performance.now() - beganMs) / 1_000).toFixed(1)} s. The plan: ${planFile}`);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

await main();
