import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { UnderpinError } from "../../errors.ts";

/** The tools of PostgreSQL that are called. */
export type ToolName = "pg_dump" | "pg_restore";

/** A client tool that was found. */
export interface Tool {
  readonly path: string;
  readonly major: number;
  /** As it says itself: `pg_dump (PostgreSQL) 15.18`. */
  readonly version: string;
}

/** Where the packages of Debian, Red Hat and Homebrew put a major version beside others. */
const PACKAGED = [
  "/usr/lib/postgresql/N/bin",
  "/usr/pgsql-N/bin",
  "/opt/homebrew/opt/postgresql@N/bin",
  "/usr/local/opt/postgresql@N/bin",
];

/** Majors that may be there: the newest after the oldest supported. */
const MAJORS = [15, 16, 17, 18, 19, 20];

/**
 * Finds a tool that can serve a server of this major: pg_dump refuses one that is newer than itself, and reads older ones.
 *
 * Of several the nearest is taken, since a newer pg_dump writes settings that an older server does not know.
 */
export async function findTool(
  name: ToolName,
  serverMajor: number,
  { given, path = process.env["PATH"] ?? "" }: { given?: string | undefined; path?: string } = {},
): Promise<Tool> {
  const places =
    given !== undefined
      ? [given]
      : [
          ...path.split(delimiter).filter((directory) => directory !== ""),
          ...PACKAGED.flatMap((place) => MAJORS.map((major) => place.replace("N", String(major)))),
        ].map((directory) => join(directory, name));
  const there = [...new Set(places)].filter((place) => existsSync(place));
  const read = await Promise.all(there.map((place) => readVersion(place)));
  const tools = read.filter((tool): tool is Tool => tool !== undefined);
  const [nearest] = tools
    .filter(({ major }) => major >= serverMajor)
    .sort((a, b) => a.major - b.major);
  if (nearest !== undefined) return nearest;
  const [newest] = tools.sort((a, b) => b.major - a.major);
  throw newest === undefined
    ? missing(name, serverMajor, given)
    : tooOld(name, newest, serverMajor);
}

async function readVersion(path: string): Promise<Tool | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], {
      env: { LC_ALL: "C", PATH: process.env["PATH"] },
    });
    const version = stdout.trim();
    const [, major] = /\(PostgreSQL\) (\d+)/.exec(version) ?? [];
    return major === undefined ? undefined : { path, major: Number(major), version };
  } catch {
    // Of Debian's wrapper without any version behind it, for one.
    return undefined;
  }
}

function missing(name: ToolName, major: number, given: string | undefined): UnderpinError {
  return new UnderpinError({
    code: "unsupportedDatabase",
    message:
      given === undefined
        ? `${name} is not on this machine`
        : `${given} is no ${name} that can be run`,
    hint: installHint(major),
  });
}

function tooOld(name: ToolName, { path, version }: Tool, major: number): UnderpinError {
  return new UnderpinError({
    code: "unsupportedServer",
    message: `${path} is ${version.replace(/^.*\(PostgreSQL\) /, "")} and the server is ${major}: ${name} serves no server that is newer than itself`,
    hint: installHint(major),
  });
}

function installHint(major: number): string {
  return `Install the client tools of ${major}: apt install postgresql-client-${major} (Debian, Ubuntu; apt.postgresql.org has every version), dnf install postgresql${major} (Red Hat), brew install postgresql@${major}; or name one that is elsewhere: { pgDump: "/path/to/pg_dump" }.`;
}
