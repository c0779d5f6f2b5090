import { randomBytes } from "node:crypto";
import { sqlStateOf, UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import { connectedTo } from "./connect-to.ts";
import { withDatabaseName, type LibpqVariables } from "./connection-of.ts";

/** An empty database that is dropped afterwards. */
export interface ScratchDatabase {
  readonly executor: Executor;
  readonly name: string;
  readonly variables: LibpqVariables;
}

/**
 * Runs work in a database that is made for it on a scratch server, and dropped again.
 *
 * Roles belong to the cluster: those in `roles` that are not there are made without login, and dropped with it.
 */
export async function inScratchDatabase<T>(
  server: LibpqVariables,
  { prefix, roles = [] }: { readonly prefix: string; readonly roles?: readonly string[] },
  work: (scratch: ScratchDatabase) => Promise<T>,
): Promise<T> {
  const name = `${prefix}_${randomBytes(6).toString("hex")}`;
  return connectedTo(server, async (admin) => {
    await create(admin, name);
    const made: string[] = [];
    try {
      for (const role of await missingRoles(admin, roles)) {
        await admin.query(`CREATE ROLE ${ident(role)}`);
        made.push(role);
      }
      const variables = withDatabaseName(server, name);
      return await connectedTo(variables, (executor) => work({ executor, name, variables }));
    } finally {
      await admin.query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
      // One that somebody else has come to use meanwhile stays.
      for (const role of made)
        await admin.query(`DROP ROLE IF EXISTS ${ident(role)}`).catch(() => undefined);
    }
  });
}

async function create(admin: Executor, name: string): Promise<void> {
  try {
    await admin.query(`CREATE DATABASE ${ident(name)} TEMPLATE template0`);
  } catch (cause) {
    if (sqlStateOf(cause) !== "42501") throw cause;
    throw new UnderpinError({
      code: "missingRight",
      message: "the login may not make a scratch database",
      hint: "Name a scratch server and a login that is superuser there, as the container of a CI job has one.",
      cause,
    });
  }
}

async function missingRoles(admin: Executor, roles: readonly string[]): Promise<readonly string[]> {
  const rows = await admin.query<{ name: string }>(
    `SELECT w.name FROM pg_catalog.json_array_elements_text($1::text::json) AS w (name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = w.name)`,
    [JSON.stringify(roles)],
  );
  return rows.map(({ name }) => name);
}
