import { UnderpinError } from "../../errors.ts";
import type { DatabaseLike } from "../../executor/connect.ts";

/** What a client tool needs to reach a database, as the variables that libpq reads: a password in an argument is everybody's to see. */
export type LibpqVariables = Readonly<Record<`PG${string}`, string>>;

interface DriverOptions {
  readonly connectionString?: unknown;
  readonly host?: unknown;
  readonly port?: unknown;
  readonly user?: unknown;
  readonly pass?: unknown;
  readonly password?: unknown;
  readonly database?: unknown;
  readonly ssl?: unknown;
}

/** The variables of a URL, or of the handle of an application, which keeps the options that it was made with. */
export async function libpqVariables(
  db: DatabaseLike,
  url: string | undefined,
): Promise<LibpqVariables> {
  if (url !== undefined) return variablesOfUrl(url);
  const handle = db as { readonly $client?: unknown };
  const client = (handle.$client ?? handle) as { readonly options?: DriverOptions };
  const { options } = client;
  if (typeof options?.connectionString === "string")
    return variablesOfUrl(options.connectionString);
  if (options === undefined || (options.host === undefined && options.database === undefined))
    throw new UnderpinError({
      code: "invalidInput",
      message: "the handle does not say where its database is, and pg_dump connects by itself",
      hint: "Name it: backup(db, { to, url: process.env.DATABASE_URL }).",
    });
  const password = options.pass ?? options.password;
  const said = typeof password === "function" ? await (password as () => unknown)() : password;
  return present({
    PGHOST: first(options.host),
    PGPORT: first(options.port),
    PGUSER: first(options.user),
    PGPASSWORD: first(said),
    PGDATABASE: first(options.database),
    PGSSLMODE: sslMode(options.ssl),
  });
}

/** A URL of PostgreSQL as variables. */
export function variablesOfUrl(text: string): LibpqVariables {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UnderpinError({
      code: "invalidInput",
      message: "the URL of the database cannot be read (it is not printed: it may hold a password)",
      hint: "Write postgres://user:password@host:5432/database, with @ : / ? # % in the password as %40 %3A %2F %3F %23 %25.",
    });
  }
  const query = url.searchParams;
  return present({
    // An IPv6 address stands in brackets in a URL only.
    PGHOST: query.get("host") ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, "$1"),
    PGPORT: query.get("port") ?? url.port,
    PGUSER: query.get("user") ?? decodeURIComponent(url.username),
    PGPASSWORD: query.get("password") ?? decodeURIComponent(url.password),
    PGDATABASE: query.get("dbname") ?? decodeURIComponent(url.pathname.slice(1)),
    PGSSLMODE: query.get("sslmode") ?? undefined,
    PGSSLROOTCERT: query.get("sslrootcert") ?? undefined,
  });
}

/** The same server with another database. */
export function withDatabaseName(variables: LibpqVariables, name: string): LibpqVariables {
  return { ...variables, PGDATABASE: name };
}

function first(value: unknown): string | undefined {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  return typeof one === "string" || typeof one === "number" ? String(one) : undefined;
}

function sslMode(ssl: unknown): string | undefined {
  if (typeof ssl === "string") return ssl;
  return ssl === undefined || ssl === null || ssl === false ? undefined : "require";
}

function present(variables: Readonly<Record<`PG${string}`, string | undefined>>): LibpqVariables {
  return Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ""),
  ) as LibpqVariables;
}
