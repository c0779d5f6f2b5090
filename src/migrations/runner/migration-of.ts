import { checksumOf, drizzleHashesOf } from "./checksum.ts";
import type { DownFile, Migration, SquashedMigration, TextFile } from "./migration.ts";
import { readText } from "./read-text.ts";
import { directivesOf } from "./sql-steps.ts";

/** Where the parts of one migration lie. */
export interface MigrationParts {
  readonly version: string;
  readonly folder: string;
  readonly shown: string;
  /** Paths below the folder. */
  readonly file: string;
  readonly down: string | undefined;
  readonly planFile: string | undefined;
  readonly when?: number;
}

/** Reads one migration with what lies beside it. */
export function migrationOf({
  version,
  folder,
  shown,
  file,
  down,
  planFile,
  when,
}: MigrationParts): Migration {
  const read = (path: string): TextFile => ({
    file: `${shown}/${path}`,
    text: readText(`${folder}/${path}`, `${shown}/${path}`),
  });
  const { text, file: named } = read(file);
  return {
    version,
    file: named,
    path: `${folder}/${file}`,
    downPath: down === undefined ? undefined : `${folder}/${down}`,
    planPath: planFile === undefined ? undefined : `${folder}/${planFile}`,
    language: file.endsWith(".sql") ? "sql" : "module",
    text,
    checksum: checksumOf(text),
    down: down === undefined ? undefined : downOf(read(down)),
    planFile: planFile === undefined ? undefined : read(planFile),
    drizzle: { when, hashes: drizzleHashesOf(text) },
    squashes: squashesOf(text),
  };
}

function downOf({ file, text }: TextFile): DownFile {
  const said = /^\s*--\s*irreversible:\s*(.+?)\s*$/m.exec(text)?.[1];
  const isOnlyComments = text.split("\n").every((line) => /^\s*(--.*)?$/.test(line));
  return { file, text, irreversible: isOnlyComments ? said : undefined };
}

/** The head of a squash: `-- underpin: squash of VERSION CHECKSUM`, a line for each. */
function squashesOf(text: string): readonly SquashedMigration[] {
  return directivesOf(text).flatMap((directive) => {
    const [, version, checksum] = /^squash of (.+) ([0-9a-f]{64})$/.exec(directive) ?? [];
    return version === undefined || checksum === undefined ? [] : [{ version, checksum }];
  });
}
