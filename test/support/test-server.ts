import { randomBytes } from "node:crypto";
import postgres, { type Options, type PostgresType, type Sql } from "postgres";
import { inject } from "vitest";
import { ident, literal } from "../../src/sql/quote.ts";

/** A role of one block of tests. */
export interface TestRoleOptions {
  /** @default true */
  readonly login?: boolean;
  /** What follows in CREATE ROLE, for example `"BYPASSRLS CREATEROLE"`. */
  readonly attributes?: string;
}

/** One real server, seen from one block of tests: a database of its own, and all that is made here is removed. */
export interface TestServer {
  readonly major: number;
  /** Whether the rig started it: only then are its settings known, and PASSWORD_LOGIN asked for its password. */
  readonly isOwn: boolean;
  /** Superuser URL of the block's own database. */
  url(): string;
  /** A pool of ten for the superuser, made at first use and ended after the block. */
  sql(): Sql;
  /** One more pool, ended after the block; for another login give its {@link urlAs} as the first argument. */
  connect(options?: Options<Record<string, PostgresType>>): Sql;
  connect(url: string, options?: Options<Record<string, PostgresType>>): Sql;
  /** Creates a role and returns its name, which is unique on the server; it is dropped with all it owns and holds. */
  role(suffix: string, options?: TestRoleOptions): Promise<string>;
  /** URL of the block's database for a role of {@link role}; a wrong password matters only where one is asked for. */
  urlAs(role: string, password?: string): string;
  /** Creates one more database and returns its superuser URL. */
  database(suffix: string): Promise<string>;
}

/** The server with the two moments between which it may be used. */
export interface TestServerLife extends TestServer {
  open(): Promise<void>;
  close(): Promise<void>;
}

/** What {@link TestServer.role} gives each login, for servers that do not trust. */
const ROLE_PASSWORD = "underpin";

/** A block's view of the server of this major at `base`. */
export function testServer(major: number, base: string): TestServerLife {
  const token = `underpin_test_${inject("underpinServers").run}_${randomBytes(4).toString("hex")}`;
  const pools: Sql[] = [];
  const roles: string[] = [];
  const databases: string[] = [];
  let shared: Sql | undefined;
  const connect = (url: string, options: Options<Record<string, PostgresType>> = {}): Sql => {
    const pool = postgres(url, { max: 10, onnotice: () => undefined, ...options });
    pools.push(pool);
    return pool;
  };
  const admin = async <T>(work: (sql: Sql) => Promise<T>, url = base): Promise<T> => {
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    try {
      return await work(sql);
    } finally {
      await sql.end();
    }
  };
  const create = async (name: string): Promise<void> => {
    databases.push(name);
    // template0 takes no connections, so that files never wait for one another's.
    await admin((sql) => sql.unsafe(`CREATE DATABASE ${ident(name)} TEMPLATE template0`));
  };
  return {
    major,
    isOwn: inject("underpinServers").own,
    url: () => withPath(base, token),
    sql: () => (shared ??= connect(withPath(base, token))),
    connect: (
      first: string | Options<Record<string, PostgresType>> = {},
      second?: Options<Record<string, PostgresType>>,
    ) =>
      typeof first === "string" ? connect(first, second) : connect(withPath(base, token), first),
    async role(suffix, { login = true, attributes = "" } = {}) {
      const name = `${token}_${suffix}`;
      const password = login ? `LOGIN PASSWORD ${literal(ROLE_PASSWORD)}` : "";
      await admin((sql) => sql.unsafe(`CREATE ROLE ${ident(name)} ${password} ${attributes}`));
      roles.push(name);
      return name;
    },
    urlAs(role, password = ROLE_PASSWORD) {
      const url = new URL(withPath(base, token));
      url.username = encodeURIComponent(role);
      url.password = encodeURIComponent(password);
      return url.href;
    },
    async database(suffix) {
      const name = `${token}_${suffix}`;
      await create(name);
      return withPath(base, name);
    },
    open: () => create(token),
    async close() {
      await Promise.all(pools.map((pool) => pool.end({ timeout: 1 })));
      for (const name of databases) {
        await admin(release, withPath(base, name));
        await admin((sql) => sql.unsafe(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`));
      }
      await admin(async (sql) => {
        for (const name of roles) {
          const [left] = await sql`select from pg_catalog.pg_roles where rolname = ${name}`;
          if (left !== undefined)
            await sql.unsafe(`DROP OWNED BY ${ident(name)}; DROP ROLE ${ident(name)}`);
        }
      });
    },
  };
}

/** What would refuse a DROP DATABASE even with FORCE: prepared transactions and logical slots. */
async function release(sql: Sql): Promise<void> {
  const prepared = await sql<{ gid: string }[]>`
    select gid from pg_catalog.pg_prepared_xacts where database = pg_catalog.current_database()`;
  for (const { gid } of prepared) await sql.unsafe(`ROLLBACK PREPARED ${literal(gid)}`);
  await sql`
    select pg_catalog.pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots
    where database = pg_catalog.current_database()`;
}

function withPath(base: string, database: string): string {
  const url = new URL(base);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}
