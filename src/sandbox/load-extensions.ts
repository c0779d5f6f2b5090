import type { Extensions } from "@electric-sql/pglite";
import { UnderpinError } from "../errors.ts";

/** Loads the PGlite builds of extensions by the names that CREATE EXTENSION takes. */
export async function loadExtensions(names: readonly string[]): Promise<Extensions> {
  const loaded = await Promise.all(names.map(async (name) => [name, await loadOne(name)] as const));
  return Object.fromEntries(loaded) as Extensions;
}

async function loadOne(name: string): Promise<unknown> {
  const file = name.replaceAll("-", "_");
  try {
    const module = (await import(`@electric-sql/pglite/contrib/${file}`)) as Record<
      string,
      unknown
    >;
    return module[file];
  } catch (cause) {
    throw new UnderpinError({
      code: "unsupportedDatabase",
      message: `the embedded database has no extension ${name}`,
      hint: "Work on a server that has it: PGlite brings the extensions of PostgreSQL's contrib, each as @electric-sql/pglite/contrib/<name>.",
      cause,
    });
  }
}
