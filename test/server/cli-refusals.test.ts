import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createIndex } from "../../src/recipes/create-index.ts";
import { PASSWORD_LOGIN, startServer, type RunningServer } from "../support/server-process.ts";
import type { Major } from "../support/server-binaries.ts";
import { expectRefusal, useCli, type Cli } from "../support/cli.ts";
import { onServers, type TestServer } from "../support/server.ts";

const cli = useCli();
const ownServers = process.env.UNDERPIN_TEST_URL === undefined;
const plan = createIndex({ table: "people", parts: ["name"] });

/** Every verb that reaches for a database, each with what it needs besides. */
const verbs = (program: Cli): readonly (readonly string[])[] => [
  ["apply", program.planFile(plan)],
  ["apply", program.planFile(plan), "--dry-run"],
  ["undo", "x"],
  ["runs"],
  ["pause", "x"],
  ["resume", "x"],
  ["confirm", "x", "y"],
  ["doctor"],
];

async function expectNothingChanged(server: TestServer): Promise<void> {
  const found = await server.sql()`
    select nspname from pg_catalog.pg_namespace where nspname = 'underpin'
    union all select relname from pg_catalog.pg_class where relname = 'people_name_idx'`;
  expect(found).toHaveLength(0);
}

onServers("a connection that fails", (server) => {
  beforeAll(async () => {
    await server.sql().unsafe("CREATE TABLE people (name text)");
  });

  const changed = (change: (url: URL) => void) => {
    const url = new URL(server.url());
    change(url);
    return url.href;
  };

  // Only our own servers have a login that must give its password.
  const cases = [
    { name: "nobody listens", port: "1", message: /nobody listens there/, hint: /pg_isready/ },
    {
      name: "an unknown host",
      hostname: "no-such-host.invalid",
      message: /host name/,
      hint: /typo/,
    },
    {
      name: "an unknown database",
      pathname: "/nix",
      message: /"nix" does not exist/,
      hint: /pg_database/,
    },
    {
      name: "a wrong password",
      username: PASSWORD_LOGIN,
      password: "s3cret%23",
      message: /password authentication failed/,
      hint: /password is wrong or missing/,
    },
    {
      name: "no password",
      username: PASSWORD_LOGIN,
      message: /password/,
      hint: /password is wrong or missing/,
    },
    {
      name: "an unknown role",
      username: "nobody_here",
      message: /does not exist/,
      hint: /user name/,
    },
    { name: "an unknown parameter", search: "?nix=1", message: /"nix"/, hint: /question mark/ },
  ].filter(({ username }) => ownServers || username !== PASSWORD_LOGIN);

  it.each(cases)(
    "is told at once and in words: $name",
    async ({ message, hint, name: _, ...parts }) => {
      const url = changed((to) => Object.assign(to, parts));
      for (const args of verbs(cli)) {
        const ended = await cli.run([...args, "--url", url]);
        expectRefusal(ended, { code: 1, message, hint });
        expect(ended.stderr).not.toContain("s3cret");
      }
      await expectNothingChanged(server);
    },
  );

  it("gives up on a server that accepts and never answers", async () => {
    const mute = createServer(() => undefined);
    const port = await listen(mute);
    const url = changed((to) => Object.assign(to, { port: String(port) }));
    const ended = await cli.run(["runs", "--url", url, "--connect-timeout-ms", "1000"]);
    mute.close();
    expectRefusal(ended, {
      code: 1,
      message: /did not answer in time/,
      hint: /--connect-timeout-ms/,
    });
  });

  it("uses pg where postgres is not installed, and says so where neither is", () => {
    const home = mkdtempSync(join(tmpdir(), "underpin-cli-"));
    try {
      cpSync(cli.path("underpin.mjs"), join(home, "underpin.mjs"));
      const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
      mkdirSync(join(home, "node_modules"));
      // A peer that is always there.
      symlinkSync(join(modules, "drizzle-orm"), join(home, "node_modules", "drizzle-orm"));
      const doctor = () =>
        spawnSync(process.execPath, [join(home, "underpin.mjs"), "doctor", "--url", server.url()], {
          encoding: "utf8",
        });
      const neither = doctor();
      expect(neither.stderr).toMatch(/no PostgreSQL driver is installed\n.*npm install postgres/);
      expect(neither.status).toBe(2);
      symlinkSync(join(modules, "pg"), join(home, "node_modules", "pg"));
      expect(doctor().stdout).toMatch(/driver pg$/m);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

onServers("a login with few rights", (server) => {
  it("is told which right is missing, and nothing is changed", async () => {
    await server.sql().unsafe("CREATE TABLE people (name text)");
    const url = server.urlAs(await server.role("few"));
    const applied = await cli.run(["apply", cli.planFile(plan), "--url", url]);
    expectRefusal(applied, {
      code: 1,
      message: /may not create or use the run schema "underpin"/,
      hint: /CREATE SCHEMA "underpin" AUTHORIZATION/,
    });
    const doctor = await cli.run(["doctor", "--url", url]);
    expect(doctor.stdout).toMatch(/finding: this login may not create the run schema "underpin"/);
    expect(doctor.stdout).toMatch(/without superuser, bypassrls, createdb/);
    expect(doctor.code).toBe(3);
    await expectNothingChanged(server);
  });

  it("gets a report when the table is another's", async () => {
    const role = await server.role("creator");
    const { pathname } = new URL(server.url());
    await server.sql().unsafe(`GRANT CREATE ON DATABASE "${pathname.slice(1)}" TO "${role}"`);
    const ended = await cli.run(["apply", cli.planFile(plan), "--url", server.urlAs(role)]);
    expect(ended.stdout).toMatch(/error: +must be owner of table people\n +SQLSTATE: +42501/);
    expect(ended.stdout).toContain("CREATE INDEX CONCURRENTLY");
    expect(ended.code).toBe(1);
  });
});

onServers("a server that is too old", (server) => {
  let relay: Server;
  let url = "";
  beforeAll(async () => {
    relay = pretendMajor(server, 14);
    url = Object.assign(new URL(server.url()), { port: String(await listen(relay)) }).href;
  });
  afterAll(() => relay.close());

  it("is refused with its version, and nothing is changed", async () => {
    const ended = await cli.run(["apply", cli.planFile(plan), "--url", url]);
    expectRefusal(ended, { code: 1, message: /PostgreSQL 14; underpin needs 15/, hint: /Upgrade/ });
    await expectNothingChanged(server);
  });
});

/** A real server behind a relay that changes one figure of its answers: its own version number. */
function pretendMajor(server: TestServer, major: number): Server {
  const { hostname, port } = new URL(server.url());
  return createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const pattern = new RegExp(`(?<!\\d)${server.major}(00\\d\\d)(?!\\d)`, "g");
    client.pipe(upstream);
    upstream.on("data", (data) => {
      client.write(Buffer.from(data.toString("latin1").replace(pattern, `${major}$1`), "latin1"));
    });
    upstream.on("close", () => client.destroy());
    for (const socket of [client, upstream]) socket.on("error", () => client.destroy());
  });
}

const MAJORS = inject("underpinServers").servers.map(({ major }) => major);

it.skipIf(!ownServers || MAJORS.length === 0)(
  "a read-only replica is refused by every verb that writes, and looked at by the others",
  { meta: { engine: `PostgreSQL ${MAJORS.at(-1) ?? 18}` }, timeout: 60_000 },
  async () => {
    let standby: RunningServer | undefined;
    try {
      standby = await startServer(MAJORS.at(-1) as Major, { standby: true });
      const { url } = standby;
      const applied = await cli.run(["apply", cli.planFile(plan), "--url", url]);
      expectRefusal(applied, { code: 1, message: /read-only replica/, hint: /primary/ });
      const doctor = await cli.run(["doctor", "--url", url]);
      expect(doctor.stdout).toMatch(/finding: the server is a read-only replica/);
      expect(doctor.code).toBe(3);
      expect((await cli.run(["runs", "--url", url])).code).toBe(0);
    } finally {
      await standby?.stop();
    }
  },
);

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );
}
