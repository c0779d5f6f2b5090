import type { Definition } from "../../definition/definition.ts";
import { sqlStateOf, toError, UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { hostTables } from "../../install/host-tables.ts";
import { installScript } from "../../install/install-script.ts";
import { objectsOf } from "../../install/objects-of.ts";
import { extensionsOf } from "../../install/requirements.ts";
import { standIns } from "../../install/stand-in.ts";
import { ident } from "../../sql/quote.ts";

/** The state before: what is installed, or SQL that makes it, as `pg_dump --schema-only` prints it. */
export type RehearsalBase = Definition | string;

/** A base, read: what has to be loaded for it and what makes it. */
export interface ReadBase {
  readonly definition: Definition | undefined;
  /** The extensions that it makes, by name. */
  readonly extensions: readonly string[];
  readonly texts: readonly string[];
}

/** Reads a base; nothing is made yet. */
export function readBase(base: RehearsalBase | undefined): ReadBase {
  if (base === undefined) return { definition: undefined, extensions: [], texts: [] };
  if (typeof base === "string") {
    const sql = plainSql(base);
    return { definition: undefined, extensions: extensionsIn(sql), texts: [sql] };
  }
  const given: unknown = base;
  if (typeof given !== "object" || given === null || !("objects" in given && "tables" in given))
    throw new UnderpinError({
      code: "invalidInput",
      message: "the base of a rehearsal is neither a definition nor SQL",
      hint: "A snapshot says what is there and not how to make it: hand over the definition itself, or the text of pg_dump --schema-only.",
    });
  return {
    definition: base,
    extensions: extensionsOf(objectsOf(base)),
    texts: installScript(base, standIns(hostTables(base))),
  };
}

/** SQL without what is psql's or another version's: the dump of an older or newer server is read too. */
function plainSql(sql: string): string {
  if (/^COPY\s.+\sFROM\s+stdin;\s*$/im.test(sql))
    throw new UnderpinError({
      code: "invalidInput",
      message: "the base holds rows as COPY … FROM stdin, which only psql can read",
      hint: "Rows are generated: take pg_dump --schema-only, or --inserts where the rows matter.",
    });
  return sql
    .replace(/^\uFEFF/, "")
    .replaceAll(/^\\(?:un)?restrict\s.*$/gm, "")
    .replaceAll(/^SET transaction_timeout = 0;$/gm, "")
    .replaceAll(/^CREATE SCHEMA public;$/gm, "CREATE SCHEMA IF NOT EXISTS public;");
}

const CREATE_EXTENSION =
  /^\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")+"|\w+)/gim;

/** The names of the extensions that SQL makes. */
export function extensionsIn(sql: string): readonly string[] {
  const names = [...sql.matchAll(CREATE_EXTENSION)].map(([, name = ""]) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase(),
  );
  return [...new Set(names)].filter((name) => name !== "plpgsql");
}

/** Roles are the cluster's: what a dump names is not in it. */
const MOST_ROLES = 100;

/** Makes the base in an empty database. Roles that SQL only names are made too. */
export async function makeBase(db: Executor, { definition, texts }: ReadBase): Promise<void> {
  if (definition !== undefined)
    return db.session(async (session) => {
      for (const text of texts) await session.query(text);
    });
  for (const text of texts) await withRoles(db, text);
}

async function withRoles(db: Executor, text: string): Promise<void> {
  for (let made = 0; ; made += 1) {
    try {
      await db.session(async (session) => {
        try {
          await session.query(text);
        } finally {
          // A dump empties the search_path for the session.
          await session.query("ROLLBACK").catch(() => undefined);
          await session.query("RESET ALL").catch(() => undefined);
        }
      });
      return;
    } catch (error) {
      const role = missingRole(error);
      if (role === undefined || made === MOST_ROLES) throw notMade(error);
      await db.query(`CREATE ROLE ${ident(role)}`);
    }
  }
}

/** By the message, which names it: no field of the error does. */
function missingRole(error: unknown): string | undefined {
  if (sqlStateOf(error) !== "42704") return undefined;
  return /^role "(.+)" does not exist$/.exec(toError(error).message)?.[1];
}

function notMade(cause: unknown): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the base cannot be made: ${toError(cause).message}`,
    hint: "It runs in an empty database, as a superuser. See whether it is whole: psql -v ON_ERROR_STOP=1 -f base.sql",
    cause,
  });
}
