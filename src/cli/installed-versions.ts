import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { existsSync, readFileSync } from "node:fs";

/** The packages whose versions decide what works. */
const PACKAGES = ["drizzle-orm", "drizzle-kit", "postgres", "pg", "@electric-sql/pglite"] as const;

/** Versions of what is installed beside a project; null for what is not. */
export function installedVersions(
  from: string = process.cwd(),
): Readonly<Record<(typeof PACKAGES)[number], string | null>> {
  return Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name, from)])) as Record<
    (typeof PACKAGES)[number],
    string | null
  >;
}

/** Looks where Node would: `exports` may hide package.json, so that `require` of it is not enough. */
function versionOf(name: string, from: string): string | null {
  const directories = createRequire(join(resolve(from), "any.js")).resolve.paths(name) ?? [];
  for (const directory of directories) {
    const file = join(directory, name, "package.json");
    if (!existsSync(file)) continue;
    const { version } = JSON.parse(readFileSync(file, "utf8")) as { version?: unknown };
    return typeof version === "string" ? version : null;
  }
  return null;
}
