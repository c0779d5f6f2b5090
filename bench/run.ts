/**
 * `npm run bench -- NAME [--json FILE] [--server URL | --postgres MAJOR]`: runs one bench, prints its table, writes its JSON.
 *
 * A missed target is printed and is no failure: times are a matter of the machine. The exit code is 1 when the bench itself
 * fails, 2 on misuse.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { ident } from "../src/sql/quote.ts";
import { MAJORS } from "../test/support/server-binaries.ts";
import { startServer } from "../test/support/server-process.ts";
import { BENCHES } from "./bench.ts";
import type { Figure } from "./figure.ts";
import { renderTable } from "./table.ts";

/** What `--json` writes. */
interface BenchReport {
  readonly name: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly platform: string;
    /** Of the last minute, before the bench and after it: far above the cores, the figures say little. */
    readonly load: readonly [number, number];
  };
  readonly versions: { readonly node: string; readonly postgres: string };
  readonly figures: readonly Figure[];
}

const USAGE = `usage: npm run bench -- NAME [--json FILE] [--server URL | --postgres 15|18]
benches: ${Object.keys(BENCHES).join(", ")}
--server takes a superuser's URL; without it a PostgreSQL is started for the run, 18 or the one of --postgres`;

function read(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: "string" },
        server: { type: "string" },
        postgres: { type: "string", default: "18" },
      },
    });
    const [name, ...rest] = positionals;
    const load = name === undefined ? undefined : BENCHES[name];
    if (name === undefined || load === undefined || rest.length > 0) return undefined;
    const major = MAJORS.find((each) => String(each) === values.postgres);
    return major === undefined
      ? undefined
      : { name, load, json: values.json, server: values.server, major };
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

async function main(argv: readonly string[]): Promise<void> {
  const asked = read(argv);
  if (asked === undefined) {
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  const { bench, settings } = await asked.load();
  const started =
    asked.server === undefined
      ? await startServer(asked.major, { settings: { shared_buffers: "512MB", ...settings } })
      : undefined;
  try {
    const before = load();
    const { postgresVersion, figures } = await inDatabase(
      asked.server ?? started?.url ?? "",
      (url, major) => bench({ url, major, say: (line) => console.error(line) }),
    );
    const report: BenchReport = {
      name: asked.name,
      machine: {
        cpu: cpus()[0]?.model ?? "unknown",
        cores: cpus().length,
        memoryGb: Math.round(totalmem() / 1024 ** 3),
        platform: `${process.platform}-${process.arch}`,
        load: [before, load()],
      },
      versions: { node: process.versions.node, postgres: postgresVersion },
      figures,
    };
    const { machine, versions } = report;
    console.log(
      `${report.name}: PostgreSQL ${versions.postgres}, Node ${versions.node}, ${machine.cores} × ${machine.cpu}, load ${machine.load.join(" → ")}\n`,
    );
    console.log(renderTable(figures));
    if (asked.json !== undefined)
      writeFileSync(asked.json, `${JSON.stringify(report, undefined, 2)}\n`);
  } finally {
    await started?.stop();
  }
}

/** Runs a bench in a database that is made for it and dropped whatever happens. */
async function inDatabase(
  server: string,
  work: (url: string, major: number) => Promise<readonly Figure[]>,
) {
  const admin = postgres(server, { max: 1, onnotice: () => undefined });
  const name = `underpin_bench_${randomBytes(4).toString("hex")}`;
  try {
    const [row] = await admin<{ version: string; major: number }[]>`
      select current_setting('server_version') as version,
        current_setting('server_version_num')::int / 10000 as major`;
    await admin.unsafe(`CREATE DATABASE ${ident(name)} TEMPLATE template0`);
    const url = new URL(server);
    url.pathname = `/${name}`;
    return { postgresVersion: row?.version ?? "", figures: await work(url.href, row?.major ?? 0) };
  } finally {
    await admin.unsafe(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
    await admin.end();
  }
}

function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
