import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { afterAll } from "vitest";

/** Files of a folder by their paths below it. */
export type Files = Readonly<Record<string, string>>;

/** A maker of folders that are gone after the tests of the file. */
export function useFolders(): (files: Files) => string {
  const made: string[] = [];
  afterAll(() => {
    for (const folder of made) rmSync(folder, { recursive: true, force: true });
  });
  return (files) => {
    const folder = mkdtempSync(join(tmpdir(), "underpin-migrations-"));
    made.push(folder);
    writeFiles(folder, files);
    return folder;
  };
}

/** Writes files below a folder, over what is there. */
export function writeFiles(folder: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** A folder as drizzle-kit up to 0.31 writes it: the journal lists what is given, each a minute after the one before. */
export function drizzleFiles(migrations: Files, more: Files = {}): Files {
  const entries = Object.keys(migrations).map((tag, idx) => ({
    idx,
    version: "7",
    when: 1_700_000_000_000 + idx * 60_000,
    tag,
    breakpoints: true,
  }));
  return {
    "meta/_journal.json": JSON.stringify({ version: "7", dialect: "postgresql", entries }),
    ...Object.fromEntries(Object.entries(migrations).map(([tag, sql]) => [`${tag}.sql`, sql])),
    ...more,
  };
}
