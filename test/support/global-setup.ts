import { randomBytes } from "node:crypto";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import type { ProvidedServers } from "./provided.ts";
import { findNative, MAJORS } from "./server-binaries.ts";
import { PASSWORD_LOGIN, startServer, whyNoServer } from "./server-process.ts";

/**
 * Starts one server per major for the whole run, and stops it at its end.
 *
 * `UNDERPIN_TEST_URL` (a comma list of superuser URLs) points the suites at other servers instead;
 * `UNDERPIN_TEST_SERVERS` is `none`, or a comma list of majors to start.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const run = randomBytes(3).toString("hex");
  const urls = list(process.env.UNDERPIN_TEST_URL);
  const { provided, stop } = urls.length > 0 ? await others(run, urls) : await own(run);
  project.provide("underpinServers", provided);
  return stop;
}

interface Servers {
  readonly provided: ProvidedServers;
  readonly stop: () => Promise<void>;
}

async function own(run: string): Promise<Servers> {
  const wanted = list(process.env.UNDERPIN_TEST_SERVERS);
  const missing: { major: number; reason: string }[] = [];
  const startable = MAJORS.filter((major) => {
    if (wanted.length > 0 && !wanted.includes(String(major)))
      missing.push({ major, reason: `UNDERPIN_TEST_SERVERS=${wanted.join(",")}` });
    else if (findNative(major) === undefined) missing.push({ major, reason: whyNoServer(major) });
    else return true;
    return false;
  });
  const servers = await Promise.all(startable.map((major) => startServer(major)));
  await Promise.all(servers.map(({ url }) => addPasswordLogin(url)));
  return {
    provided: {
      run,
      own: true,
      servers: servers.map(({ major, url }) => ({ major, url })),
      missing,
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function others(run: string, urls: readonly string[]): Promise<Servers> {
  const servers = await Promise.all(
    urls.map(async (url) => {
      const sql = postgres(url, { max: 1 });
      const [row] = await sql<{ major: number }[]>`
        select current_setting('server_version_num')::int / 10000 as major`;
      await sql.end();
      return { major: row?.major ?? 0, url };
    }),
  );
  return { provided: { run, own: false, servers, missing: [] }, stop: () => Promise.resolve() };
}

async function addPasswordLogin(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await sql.unsafe(`CREATE ROLE "${PASSWORD_LOGIN}" LOGIN PASSWORD 'right'`);
  await sql.end();
}

function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
