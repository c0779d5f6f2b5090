import type { Canonical } from "../catalog/canonical.ts";
import { factsOf, type Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import { sqlStateOf, UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { contentHash, type DatabaseObject } from "../objects/object.ts";
import { bootSandbox } from "../sandbox/boot.ts";
import { loadExtensions } from "../sandbox/load-extensions.ts";
import { declaredCatalog } from "./declared-catalog.ts";
import { hostTables } from "./host-tables.ts";
import { makingScript } from "./install-script.ts";
import { objectsOf } from "./objects-of.ts";
import { extensionsOf } from "./requirements.ts";
import { standIns } from "./stand-in.ts";

/** What a definition makes, as JSON: for a file beside migrations, and for comparisons. */
export interface Snapshot {
  readonly format: 1;
  readonly name: string;
  /** The major version of PostgreSQL that printed the catalog. */
  readonly server: number;
  /** A hash of each object's statements, by its id. */
  readonly objects: Readonly<Record<string, string>>;
  /** What PostgreSQL makes of them, in the canonical projection. */
  readonly catalog: Canonical;
  /** By what it can be made again. */
  readonly made: {
    /** SQL of the tables that stand in for the host's. */
    readonly host: string;
    /** Each object, in the order in which it is made. */
    readonly objects: readonly DatabaseObject[];
  };
}

/**
 * What a definition makes, as PostgreSQL prints it: it is made in an embedded database and read from its catalog.
 *
 * So an expression compares equal however it was written, and what cannot be made is found here. Tables of the host get stand-ins.
 */
export async function snapshot(definition: Definition): Promise<Snapshot> {
  return (await snapshotWithFacts(definition)).snapshot;
}

/** As {@link snapshot}, with all that was read. */
export async function snapshotWithFacts(
  definition: Definition,
): Promise<{ readonly snapshot: Snapshot; readonly facts: Facts }> {
  const objects = objectsOf(definition);
  const extensions = await loadExtensions(extensionsOf(objects));
  await using sandbox = await bootSandbox({ extensions });
  return await madeOn(sandbox.executor, definition, objects);
}

/**
 * As {@link snapshot}, on a server: an empty scratch database of the version that is asked about, in one transaction that is rolled back. So nothing stays
 * there, and nothing has to be told from what another major version prints otherwise.
 */
export async function snapshotOn(shadow: DatabaseLike, definition: Definition): Promise<Snapshot> {
  try {
    return (await madeOn(toExecutor(shadow), definition, objectsOf(definition))).snapshot;
  } catch (error) {
    // Duplicate table, object, function, schema.
    if (!["42P07", "42710", "42723", "42P06"].includes(sqlStateOf(error) ?? "")) throw error;
    throw new UnderpinError({
      code: "invalidInput",
      message: `the shadow database is not empty: what ${definition.name} makes is there already`,
      hint: "CREATE DATABASE underpin_shadow on the same server, and hand that over: never the database that is looked at.",
      cause: error,
    });
  }
}

/** Made, read and rolled back. */
async function madeOn(
  executor: Executor,
  definition: Definition,
  objects: readonly DatabaseObject[],
): Promise<{ readonly snapshot: Snapshot; readonly facts: Facts }> {
  const host = standIns(hostTables(definition));
  const takeBack = new Error("rolled back, as meant");
  const read: Facts[] = [];
  await executor
    .transaction(async (transaction) => {
      for (const text of makingScript(objects, host)) await transaction.query(text);
      // As a commit would: seed rows may lean on deferred keys.
      await transaction.query("SET CONSTRAINTS ALL IMMEDIATE");
      read.push(await factsOf(transaction));
      throw takeBack;
    })
    .catch((error: unknown) => {
      if (error !== takeBack) throw error;
    });
  const [facts] = read;
  if (facts === undefined) throw takeBack;
  const made: Snapshot = {
    format: 1,
    name: definition.name,
    server: facts.server.major,
    objects: hashes(objects),
    catalog: declaredCatalog(facts, objects),
    made: { host, objects },
  };
  return { snapshot: made, facts };
}

function hashes(objects: readonly DatabaseObject[]): Readonly<Record<string, string>> {
  return Object.fromEntries(objects.map((object) => [object.id, contentHash(object)]));
}
