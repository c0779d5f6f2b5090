import type { PgliteDatabase } from "drizzle-orm/pglite";
import type { Extensions, PGlite } from "@electric-sql/pglite";
import { bootSandbox } from "../sandbox/boot.ts";
import { emptyCluster } from "../sandbox/empty-cluster.ts";

/** What a test database holds at its start. */
export interface SetupOptions<TSchema extends Record<string, unknown>> {
  /**
   * SQL, or a function that fills an empty database. It runs once per process for each different text, or each
   * different function: declare the function once, outside of the tests.
   */
  readonly setup?: string | ((db: PgliteDatabase<TSchema>, client: PGlite) => Promise<void>);
  /** For Drizzle's relational queries. */
  readonly schema?: TSchema;
  /** SQL that runs before the set-up, text by text: what a definition is made of. */
  readonly script?: readonly string[];
  /** PGlite extensions, for example `{ pg_trgm }`; `CREATE EXTENSION` belongs into the set-up. */
  readonly extensions?: Extensions;
}

type Setup = string | ((db: never, client: PGlite) => Promise<void>);

/** Dumps by set-up, then by the names of the extensions. A function is its own key: equal text may close over other values. */
const texts = new Map<string, Map<string, Promise<Blob>>>();
const functions = new WeakMap<object, Map<string, Promise<Blob>>>();

/** A data directory after the set-up, made at its first use in this process. */
export function templateFor<TSchema extends Record<string, unknown>>(
  options: SetupOptions<TSchema>,
): Promise<Blob> {
  const { setup = "", script = [], extensions = {} } = options;
  if (setup === "" && script.length === 0) return emptyCluster();
  const bySetup = dumpsOf(setup);
  const key = `${Object.keys(extensions).sort().join()} ${script.join("")}`;
  const known = bySetup.get(key);
  if (known !== undefined) return known;
  const made = make(options, setup).catch((error: unknown) => {
    bySetup.delete(key);
    throw error;
  });
  bySetup.set(key, made);
  return made;
}

function dumpsOf(setup: Setup): Map<string, Promise<Blob>> {
  const found = typeof setup === "string" ? texts.get(setup) : functions.get(setup);
  if (found !== undefined) return found;
  const dumps = new Map<string, Promise<Blob>>();
  if (typeof setup === "string") texts.set(setup, dumps);
  else functions.set(setup, dumps);
  return dumps;
}

async function make<TSchema extends Record<string, unknown>>(
  { schema, extensions, script = [] }: SetupOptions<TSchema>,
  setup: string | ((db: PgliteDatabase<TSchema>, client: PGlite) => Promise<void>),
): Promise<Blob> {
  const sandbox = await bootSandbox(extensions === undefined ? {} : { extensions });
  try {
    for (const text of script) await sandbox.client.exec(text);
    if (typeof setup === "string") await sandbox.client.exec(setup);
    else {
      const { drizzle } = await import("drizzle-orm/pglite");
      await setup(drizzle(sandbox.client, schema === undefined ? {} : { schema }), sandbox.client);
    }
    return await sandbox.dump();
  } finally {
    await sandbox.close();
  }
}
