import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres, { type Sql } from "postgres";
import { sqlStateOf } from "../../src/errors.ts";
import { randomFrom } from "../chaos/random.ts";
import { tablesOf, type ApplicationTables, type Key, type Version } from "./application-tables.ts";
import { MARK, newModel, type KeyModel, type ModelRow } from "./key-model.ts";
import { newOperations, type Operation } from "./key-operations.ts";

/** What the application has met so far. */
export interface Seen {
  /** Answered calls by version. */
  readonly queries: Record<Version, number>;
  /** The longest that a call took, and which. */
  longestMs: number;
  longest: string;
  /** Errors that the explanation of the plan promises, each of which went through when it was tried again. */
  readonly promised: Map<string, number>;
  /** All others. */
  readonly failures: string[];
}

/** Two versions of one application that write and read all the time. */
export interface KeyApplication {
  readonly seen: Seen;
  readonly model: KeyModel;
  /** Starts the workers of a version; what they wrote before is theirs again. */
  start(version: Version): void;
  /** Stops them once each has ended what it is at. */
  stop(version: Version): Promise<void>;
  /** Stops all and closes their connections. */
  end(): Promise<void>;
}

/** Where it writes, and how. */
export interface KeyApplicationOptions {
  readonly url: string;
  readonly schema: string;
  /** The line of business and the report that are there already, by their names in the table. */
  readonly lob: string;
  readonly report: string;
  readonly seed: number;
  /** Of each version. @default 3 */
  readonly workers?: number;
  /** The longest rest between two operations. @default 4 */
  readonly restMs?: number;
}

/** One worker, as its operations see it. */
export interface Worker {
  readonly version: Version;
  readonly db: PostgresJsDatabase;
  readonly sql: Sql;
  readonly schema: string;
  readonly tables: ApplicationTables;
  readonly model: KeyModel;
  /** Its own rows, by marker. */
  readonly own: Map<string, ModelRow>;
  /** What its version calls a row that it knows. */
  readonly keys: Map<string, Key>;
  readonly lob: string;
  readonly report: string;
  random(): number;
  /** A text that was never given before. */
  marker(): string;
  /** A key of its own, as new versions give them: it begins with the time (RFC 9562, version 7). */
  ownKey(): Key;
  /** One call of the application, timed; tried again where it fails by what is promised. */
  attempt<T>(what: string, work: () => Promise<T>, promised?: readonly string[]): Promise<T>;
}

/** A call that failed by what nobody promised: the worker goes on with something else. */
class Unpromised extends Error {}

const TRIES = 8;

/** Opens the application. It begins to work with {@link KeyApplication.start}. */
export function openKeyApplication(options: KeyApplicationOptions): KeyApplication {
  const { url, schema, lob, report, seed, workers = 3, restMs = 4 } = options;
  const model = newModel();
  const seen: Seen = {
    queries: { old: 0, new: 0 },
    ...{ longestMs: 0, longest: "none", promised: new Map(), failures: [] },
  };
  const own = new Map<string, Map<string, ModelRow>>();
  const running = new Map<Version, { stopping: boolean; readonly ended: Promise<unknown> }>();
  let markers = 0;
  let starts = 0;

  const attempt =
    (version: Version): Worker["attempt"] =>
    async (what, work, promised = []) => {
      for (let left = TRIES; ; left -= 1) {
        const began = performance.now();
        try {
          const result = await work();
          seen.queries[version] += 1;
          return result;
        } catch (error) {
          const state = sqlStateOf(error) ?? "no SQLSTATE";
          if (!promised.includes(state) || left === 1) {
            seen.failures.push(`${version}, ${what}: ${state} ${reasonOf(error)}`);
            throw new Unpromised(what, { cause: error });
          }
          seen.promised.set(`${what}: ${state}`, (seen.promised.get(`${what}: ${state}`) ?? 0) + 1);
        } finally {
          const ms = performance.now() - began;
          if (ms > seen.longestMs)
            Object.assign(seen, { longestMs: ms, longest: `${version}, ${what}` });
        }
      }
    };

  const work = async (worker: Worker, choices: readonly Operation[], goesOn: () => boolean) => {
    const weight = choices.reduce((sum, each) => sum + each.weight, 0);
    while (goesOn() && seen.failures.length < 20) {
      let at = worker.random() * weight;
      const chosen = choices.find((each) => (at -= each.weight) < 0);
      try {
        await chosen?.run(worker);
      } catch (error) {
        if (error instanceof Unpromised) continue;
        seen.failures.push(`${worker.version}, ${chosen?.name}: ${reasonOf(error)}`);
      }
      await sleep(worker.random() * restMs);
    }
  };

  const open = (version: Version, number: number, sql: Sql): Worker => {
    const name = `${version}-${number}`;
    const rows = own.get(name) ?? new Map<string, ModelRow>();
    own.set(name, rows);
    starts += 1;
    return {
      ...{ version, sql, schema, model, lob, report, own: rows, keys: new Map() },
      db: drizzle(sql),
      tables: tablesOf(version, schema),
      random: randomFrom(seed * 1_000 + starts),
      marker: () => `${name}-${(markers += 1)}${MARK}`,
      ownKey: uuidV7,
      attempt: attempt(version),
    };
  };

  const stop = async (version: Version) => {
    const run = running.get(version);
    if (run === undefined) return;
    run.stopping = true;
    running.delete(version);
    await run.ended;
  };

  return {
    seen,
    model,
    start(version) {
      const sql = postgres(url, { max: workers, onnotice: () => undefined });
      const run = { stopping: false, ended: Promise.resolve<unknown>(undefined) };
      run.ended = Promise.all(
        Array.from({ length: workers }, (_, number) => {
          const worker = open(version, number, sql);
          return work(worker, newOperations(worker), () => !run.stopping);
        }),
      ).finally(() => sql.end({ timeout: 5 }));
      running.set(version, run);
    },
    stop,
    async end() {
      await Promise.all([stop("old"), stop("new")]);
    },
  };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function uuidV7(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
