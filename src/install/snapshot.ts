import type { Canonical } from "../catalog/canonical.ts";
import { readFacts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import { contentHash, type DatabaseObject } from "../objects/object.ts";
import { bootSandbox } from "../sandbox/boot.ts";
import { loadExtensions } from "../sandbox/load-extensions.ts";
import { declaredCatalog } from "./declared-catalog.ts";
import { hostTables } from "./host-tables.ts";
import { installScript } from "./install-script.ts";
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
}

/**
 * What a definition makes, as PostgreSQL prints it: it is made in an embedded database and read from its catalog.
 *
 * So an expression compares equal however it was written, and what cannot be made is found here. Tables of the host get stand-ins.
 */
export async function snapshot(definition: Definition): Promise<Snapshot> {
  const objects = objectsOf(definition);
  const extensions = await loadExtensions(extensionsOf(objects));
  await using sandbox = await bootSandbox({ extensions });
  for (const text of installScript(definition, standIns(hostTables(definition))))
    await sandbox.client.exec(text);
  const facts = await readFacts(sandbox.executor);
  return {
    format: 1,
    name: definition.name,
    server: facts.server.major,
    objects: hashes(objects),
    catalog: declaredCatalog(facts, objects),
  };
}

function hashes(objects: readonly DatabaseObject[]): Readonly<Record<string, string>> {
  return Object.fromEntries(objects.map((object) => [object.id, contentHash(object)]));
}
