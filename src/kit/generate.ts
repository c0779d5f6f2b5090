import { relative } from "node:path";
import type { Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import { UnderpinError } from "../errors.ts";
import { planInstall } from "../install/plan-install.ts";
import { snapshotWithFacts, type Snapshot } from "../install/snapshot.ts";
import { checksumOf } from "../migrations/runner/checksum.ts";
import type { Plan } from "../plan/step.ts";
import { deltaOf } from "./change/delta.ts";
import { proveChange } from "./change/prove.ts";
import { factsIn, bootMade } from "./change/scratch.ts";
import {
  readFolderBefore,
  readMigration,
  readSnapshot,
  restoreFolder,
  writeMigration,
  type FolderBefore,
} from "./generate/folder.ts";
import { readKitStatements, type KitStatement } from "./generate/kit-statements.ts";
import { migrationSql, type End } from "./generate/migration-sql.ts";
import { proveSql } from "./generate/prove-sql.ts";
import { readKitConfig } from "./generate/read-config.ts";
import { kitFailure, runKit } from "./generate/run-kit.ts";
import { planBetween, type ColumnRename } from "./plan-change.ts";

/** What to generate a migration of. */
export interface GenerateOptions {
  readonly definition: Definition;
  /** What it is called: `add_scores` becomes `0003_add_scores`. */
  readonly name: string;
  /** drizzle-kit's configuration. @default `drizzle.config.ts` or one of its other endings */
  readonly config?: string;
  /** Columns that are renamed and keep their rows. @default none: a name that is gone is parked, and one that is new is added */
  readonly renames?: readonly ColumnRename[];
  /** The project, where drizzle-kit is installed. @default the current directory */
  readonly directory?: string;
}

/** A migration that was written, or nothing where nothing differs. */
export interface GeneratedMigration {
  readonly outcome: "generated" | "nothing";
  /** `0003_add_scores`; null where nothing differs. */
  readonly tag: string | null;
  /** The folder of migrations. */
  readonly folder: string;
  /** What was written there, beside what drizzle-kit keeps in `meta`. */
  readonly files: readonly string[];
  /** The online way, as `underpin migrate` takes it; null where nothing differs. */
  readonly plan: Plan | null;
}

/**
 * Writes the next migration: drizzle-kit's difference of tables, completed by all that it cannot say, made online, with its way back, and proven.
 *
 * drizzle-kit 0.31 runs as a process of its own and stays the differ for tables, columns, keys and enums; its exit code is not believed, its files and
 * words are. Its statements are read with PostgreSQL's parser. Schemas and roles are guarded; functions come before the tables that call them; PARTITION BY and
 * first partitions, triggers, FORCE, policies, privileges, comments, indexes of materialized views and schedules are added, and views come in the order of what
 * they read. Row security is never switched off. A function's body or a policy's predicate that is another is a change.
 *
 * Beside `0003_name.sql`, which drizzle-kit and its migrator take as it is, stand `0003_name.plan.json` with the online steps and
 * `0003_name.down.sql`. Everything is replayed from empty in an embedded PostgreSQL, up, down and up, with rows; where that fails nothing is kept.
 */
export async function generate(options: GenerateOptions): Promise<GeneratedMigration> {
  const { definition, name, directory = process.cwd() } = options;
  refuseName(name);
  const { file, folder } = await readKitConfig(directory, options.config);
  const start = readFolderBefore(folder);
  const last = start.entries.at(-1);
  const after = await snapshotWithFacts(definition);
  const before = last === undefined ? nothing(after.snapshot) : readSnapshot(folder, last.tag);
  try {
    const tag = await newTag({
      directory,
      file,
      folder,
      start,
      name,
      before,
      after: after.snapshot,
      renames: options.renames ?? [],
    });
    if (tag === null) return { outcome: "nothing", tag, folder, files: [], plan: null };
    const kit = await readKitStatements(readMigration(folder, tag));
    refuseUndeclared(kit, after.snapshot);
    const renames = kit.flatMap((each): readonly ColumnRename[] =>
      each.kind === "renames" ? [each.rename] : [],
    );
    const from: End = { snapshot: before, facts: await factsOfMade(before, after.snapshot) };
    const sql = await migrationSql(kit, from, after);
    const earlier = start.entries.map((entry) => readMigration(folder, entry.tag));
    await proveSql({ tag, earlier, sql, before, after: after.snapshot });
    const plan = await planOf(tag, last === undefined, { before, after, definition, renames });
    const files = writeMigration(folder, {
      tag,
      sql: sql.up,
      down: sql.down,
      plan: `${JSON.stringify({ format: 1, sql: checksumOf(sql.up), plan }, null, 2)}\n`,
      snapshot: after.snapshot,
    });
    return { outcome: "generated", tag, folder, files, plan };
  } catch (error) {
    restoreFolder(folder, start);
    throw error;
  }
}

function refuseName(name: string): void {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(name)) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `${JSON.stringify(name)} cannot be the name of a migration: it becomes the name of files`,
    hint: "Letters, digits, _ and - only: add_scores",
  });
}

/** The snapshot of an empty database. */
function nothing({ name, server, made }: Snapshot): Snapshot {
  return {
    format: 1,
    name,
    server,
    objects: {},
    catalog: {},
    made: { host: made.host, objects: [] },
  };
}

async function factsOfMade(before: Snapshot, after: Snapshot): Promise<Facts> {
  await using scratch = await bootMade(before, after);
  return await factsIn(scratch);
}

interface Asked {
  readonly directory: string;
  readonly file: string;
  readonly folder: string;
  readonly start: FolderBefore;
  readonly name: string;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly renames: readonly ColumnRename[];
}

/** Has drizzle-kit write its part, or an empty file where only what it does not know has changed. Null where nothing has. */
async function newTag(asked: Asked): Promise<string | null> {
  const { directory, file, name, before, after, renames } = asked;
  const words = ["generate", `--config=${file}`, `--name=${name}`];
  const said = await runKit(directory, words, renames);
  const tag = written(asked);
  if (tag !== null) return tag;
  if (!said.includes("No schema changes")) throw kitFailure(said);
  const { added, removed, changed } = deltaOf(before, after);
  if (added.length + removed.length + changed.length === 0) return null;
  const again = await runKit(directory, [...words, "--custom"]);
  const custom = written(asked);
  if (custom === null) throw kitFailure(again);
  return custom;
}

/** What is new in the journal, if exactly one entry is, and its file is there. */
function written({ folder, start }: Asked): string | null {
  const known = new Set(start.entries.map(({ tag }) => tag));
  const [entry, ...more] = readFolderBefore(folder).entries.filter(({ tag }) => !known.has(tag));
  if (more.length > 0)
    throw new UnderpinError({
      code: "inDoubt",
      message: `drizzle-kit wrote ${more.length + 1} migrations at once into ${relative(process.cwd(), folder)}`,
      hint: "Somebody else may be generating in the same folder: run it again when they are done.",
    });
  if (entry !== undefined) readMigration(folder, entry.tag);
  return entry?.tag ?? null;
}

/** drizzle-kit reads what the schema files export, and everything else here what the definition names: a table has to be in both. */
function refuseUndeclared(kit: readonly KitStatement[], { made }: Snapshot): void {
  const ids = new Set(made.objects.map(({ id }) => id));
  const unknown = kit.flatMap((each) =>
    each.kind === "makes" && each.id.startsWith("table ") && !ids.has(each.id) ? [each.id] : [],
  );
  if (unknown.length === 0) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `the schema files export what the definition does not name: ${unknown.join(", ")}`,
    hint: "Put them into defineDatabase({ tables: { … } }): import * as schema, and hand over all of it.",
  });
}

async function planOf(
  tag: string,
  isFirst: boolean,
  change: {
    readonly before: Snapshot;
    readonly after: End;
    readonly definition: Definition;
    readonly renames: readonly ColumnRename[];
  },
): Promise<Plan> {
  const { before, after, definition, renames } = change;
  if (!isFirst) return planBetween(before, after, { name: tag, renames });
  const { steps } = planInstall(definition);
  const plan: Plan = { format: 1, name: tag, steps };
  await proveChange(before, after.snapshot, plan);
  return plan;
}
