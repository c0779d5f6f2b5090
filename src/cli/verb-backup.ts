import { backup } from "../migrations/backup.ts";
import type { BackupManifest } from "../migrations/backup/manifest.ts";
import type { BackupOptions } from "../migrations/backup/options.ts";
import { verifyBackup, type BackupProof } from "../migrations/verify-backup.ts";
import type { RelationName } from "../plan/step.ts";
import { operand, textOption, type Call, type Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { count } from "./figures.ts";
import { misuse } from "./misuse.ts";
import { withDatabase } from "./open-database.ts";

/** `underpin backup make|verify FILE`: backs a database up, or restores a backup into a scratch database and compares. */
export const backupVerb: Verb = {
  name: "backup",
  summary:
    "Back a database up (make), or restore a backup into a scratch database and compare (verify)",
  operands: [
    { name: "make", help: "What is to be done: make or verify" },
    { name: "FILE", help: "The file or directory of the backup; its manifest is beside it" },
  ],
  options: [
    "archive",
    "schema-only",
    "tables",
    "schemas",
    "jobs",
    "on",
    "url",
    "direct-url",
    "connect-timeout-ms",
  ],
  notes:
    "make needs pg_dump of the server's version or a newer one, verify pg_restore; a PGlite needs neither. Passwords travel in the environment only.",
  run: async (call) => {
    const what = operand(call, 0);
    const file = operand(call, 1);
    const json = call.options.json === true;
    if (what === "make") {
      const made = await withDatabase(call, ({ db }) => backup(db, backupOptions(call, file)));
      const { catalog, ...told } = made;
      call.terminal.out(
        json
          ? JSON.stringify({ ...told, objects: Object.keys(catalog).length }, null, 2)
          : madeText(file, made),
      );
      return EXIT.done;
    }
    if (what !== "verify")
      throw misuse(
        `underpin backup does not know "${what}"`,
        "underpin backup make FILE, or underpin backup verify FILE --on URL",
      );
    const on = textOption(call, "on");
    const proof = await verifyBackup(file, {
      ...(on === undefined ? {} : { on }),
      ...jobsOption(call),
      signal: call.signal,
    });
    const { manifest, ...told } = proof;
    call.terminal.out(
      json
        ? JSON.stringify({ takenAt: manifest.takenAt, ...told }, null, 2)
        : proofText(file, proof),
    );
    return proof.ok ? EXIT.done : EXIT.findings;
  },
};

function backupOptions(call: Call, to: string): BackupOptions {
  const archive = textOption(call, "archive");
  if (archive !== undefined && archive !== "custom" && archive !== "directory")
    throw misuse(
      `--archive is ${JSON.stringify(archive)}`,
      "It is custom, one file, or directory, one file for each table.",
    );
  const tables = textOption(call, "tables");
  const schemas = textOption(call, "schemas");
  // Past the pooler where it is named: what is dumped must be of one snapshot.
  const url = textOption(call, "direct-url") ?? call.environment["DIRECT_URL"];
  return {
    to,
    ...(archive === undefined ? {} : { archive }),
    ...(call.options["schema-only"] === true ? { schemaOnly: true } : {}),
    ...(tables === undefined ? {} : { tables: tablesIn(tables) }),
    ...(schemas === undefined ? {} : { schemas: namesIn(schemas).map(([name = ""]) => name) }),
    ...(url === undefined ? {} : { url }),
    ...jobsOption(call),
    signal: call.signal,
  };
}

function tablesIn(text: string): readonly RelationName[] {
  return namesIn(text).map(([first = "", second]) =>
    second === undefined ? { schema: "public", name: first } : { schema: first, name: second },
  );
}

/** Names as SQL writes them: `orders, app.lines, "Odd, name"."t"`. */
function namesIn(text: string): readonly (readonly string[])[] {
  const name = /\s*(?:"((?:[^"]|"")+)"|([^\s".,]+))\s*([.,]|$)/y;
  const found: string[][] = [[]];
  while (name.lastIndex < text.length) {
    const at = name.lastIndex;
    const match = name.exec(text);
    if (match === null)
      throw misuse(
        `no name can be read at character ${at + 1} of ${JSON.stringify(text)}`,
        'Write names with commas between them, and odd ones in double quotes: orders,app.lines,"Odd, name"."t"',
      );
    const [, quoted, plain = "", after] = match;
    found.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (after === ",") found.push([]);
  }
  return found;
}

function jobsOption(call: Call): { readonly jobs?: number } {
  const text = textOption(call, "jobs");
  if (text === undefined) return {};
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return { jobs };
  throw misuse(`--jobs is ${JSON.stringify(text)}`, "Write a whole number from 1 to 64: --jobs 4");
}

function madeText(file: string, { files, rows, server, tool }: BackupManifest): string {
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0);
  const counted = Object.values(rows ?? {});
  return [
    `${file}: ${count(bytes)} bytes of ${server.database}${server.lsn === null ? "" : ` at ${server.lsn}`}, by ${tool}`,
    rows === null
      ? "  rows were not counted"
      : `  ${count(counted.reduce((sum, n) => sum + n, 0))} rows in ${count(counted.length)} tables`,
    `next: underpin backup verify ${JSON.stringify(file)} --on URL, a scratch server`,
  ].join("\n");
}

function proofText(file: string, { ok, findings, notLookedAt, restoreMs }: BackupProof): string {
  return [
    `${file}: ${ok ? "restored, and equal to what was backed up" : "does not hold what was backed up"} (${count(restoreMs)} ms to restore)`,
    ...findings.map(({ check, object, message }) => `  ${check}: ${object}: ${message}`),
    ...notLookedAt.map((what) => `  not looked at: ${what}`),
  ].join("\n");
}
